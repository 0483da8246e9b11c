r"""Files of a workspace by their printed names, such as `caf\xe9.txt`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from engine.domain.errors import UserError
from engine.domain.text import names_shown_as

T = TypeVar("T")


async def first_found(path: str, find: Callable[[str], Awaitable[T]]) -> tuple[str, T]:
    """Return the name that `path` means, and what `find` returns for it.

    Raises the `UserError` for the literal name where no file has any of the names.
    """
    missing: UserError | None = None
    for name in names_shown_as(path):
        try:
            return name, await find(name)
        except UserError as error:
            if error.code != "WORKSPACE_MISSING" and not error.entry.is_node_away:
                raise
            missing = missing or error
    assert missing is not None
    raise missing


def all_meant(paths: Iterable[str]) -> list[str]:
    """Return all names that these paths may mean, for what ignores names without a file."""
    return [name for path in paths for name in names_shown_as(path)]

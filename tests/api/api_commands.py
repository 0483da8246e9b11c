"""Commands on the home of the API: their `--json` is compared with answers of operations."""

from __future__ import annotations

from typing import Any, Protocol


class Printed(Protocol):
    """Return the objects that a command prints with `--json`, one for each line."""

    async def __call__(self, *words: str) -> list[Any]: ...

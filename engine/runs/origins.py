"""Check of the workspace that a run is made from, before the run is made again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from engine.domain.errors import UserError, user_error
from engine.domain.lifecycle import LIVE
from engine.domain.model import Run, Workspace, WorkspaceKind
from engine.domain.text import printable_name


async def check_origin(
    run: Run,
    find: Callable[[str], Awaitable[Run]],
    exists: Callable[[Workspace], Awaitable[bool]],
) -> None:
    """Raise `UserError` WORKSPACE_MISSING where the workspace that a run copies is not there."""
    wish, fork = run.spec.workspace, run.spec.fork
    if fork:
        if not await exists(fork.workspace):
            raise _missing(run, fork.run)
    elif wish.kind is WorkspaceKind.FROM_RUN and "/" in (wish.source or ""):
        place = Workspace(wish.source or "", wish.kind)
        if not await exists(replace(place, host=wish.host)):
            raise _missing(run, Path(place.path).name.partition("-")[0])
    elif wish.kind is WorkspaceKind.FROM_RUN and not await _is_to_come(wish.source, find, exists):
        raise _missing(run, wish.source or "")


async def _is_to_come(
    source: str | None,
    find: Callable[[str], Awaitable[Run]],
    exists: Callable[[Workspace], Awaitable[bool]],
) -> bool:
    try:
        earlier = await find(source or "")
    except UserError:  # it was forgotten
        return False
    if earlier.workspace is None:
        return earlier.status in LIVE
    return await exists(earlier.workspace)


def _missing(run: Run, original: str) -> UserError:
    name = printable_name(original)
    return user_error(
        "WORKSPACE_MISSING",
        f"The run {run.id} starts from the workspace of the run {name}, which is not there.",
        f"Bring it back with `swarm-tui cleanup --undo {name}`, or start a new run.",
    )

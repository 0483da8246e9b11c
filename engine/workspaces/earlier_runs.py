"""The runs that a run goes back to, where it was made from the workspace of another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from engine.config import workspace_roots
from engine.domain.errors import UserError
from engine.domain.model import LOCAL, Run, WorkspaceKind

FindRun = Callable[[str], Awaitable[Run]]


async def first_run(run: Run, find: FindRun) -> Run:
    """Return the run that the first workspace was made for; `run` itself where none is before it.

    Where an earlier run was forgotten, or worked in place, it is the one made from that.
    """
    seen = {run.id}
    while run.workspace and run.workspace.kind is WorkspaceKind.FROM_RUN:
        earlier = await _earlier(run.spec.workspace.source or "", find)
        if earlier is None or earlier.id in seen:
            break
        seen.add(earlier.id)
        run = earlier
    return run


def home_of_first(first: Run, workspaces: Path) -> str | None:
    """Return the folder that the changes of `first`, and of runs made from it, belong in. Blocking.

    The workspace of a run that was forgotten is none.
    """
    if first.workspace is None:
        return None
    if first.workspace.kind is not WorkspaceKind.FROM_RUN:
        return first.workspace.source
    source = first.spec.workspace.source or ""
    is_in_place = "/" in source and first.workspace.host == LOCAL
    return (
        source if is_in_place and not workspace_roots.is_in_any(Path(source), workspaces) else None
    )


async def _earlier(source: str, find: FindRun) -> Run | None:
    """Return the run whose id, or the path of whose workspace, a request names.

    The folder of a workspace is called by the run, with the attempt that it was made for.
    """
    name = Path(source).name.partition("-")[0]
    try:
        found = await find(name)
    except UserError:  # it was forgotten, or worked in place
        return None
    return found if found.id == name else None

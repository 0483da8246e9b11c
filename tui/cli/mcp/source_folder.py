"""The workspace of a run that an agent asks for, where it names none."""

from __future__ import annotations

from msgspec import structs

from engine.domain.model import WorkspaceKind, WorkspaceSpec
from tui.cli.mcp.caller import Caller
from tui.cli.support.child_runs import of_parent
from tui.cli.support.run_request import RunRequest
from tui.cli.support.run_specs import KINDS
from tui.models.run_defaults import default_workspace

_KEYS = {kind: key for key, kind in KINDS.items()}


async def with_workspace(caller: Caller, request: RunRequest) -> RunRequest:
    """Return a request with a workspace; a run whose workspace is copied has to be readable.

    Raises `UserError`.
    """
    if request.from_run:
        request = structs.replace(request, from_run=(await caller.find(request.from_run)).id)
    if any(getattr(request, key) for key in KINDS):
        return request
    usual = await _usual(caller)
    if usual is None:
        return request  # it is refused: there is no folder to work on
    value = True if usual.kind is WorkspaceKind.EMPTY else usual.source
    return structs.replace(request, **{_KEYS[usual.kind]: value})


async def _usual(caller: Caller) -> WorkspaceSpec | None:
    if caller.parent:
        return of_parent(await caller.engine.find(caller.parent))
    return default_workspace(caller.folder) if caller.folder else None

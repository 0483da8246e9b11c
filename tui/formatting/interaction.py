"""Requests of the agent as text: whole, with nothing hidden."""

from __future__ import annotations

from collections.abc import Iterator

from engine.domain.interaction import InputRequest
from engine.domain.text import escaped
from tui.formatting.symbols import sign


def visible_command(command: str) -> str:
    """Return a whole command on one line: line ends as a sign, all else that is unseen escaped."""
    return escaped(command).replace("\n", sign("\u23ce", "\\n")).replace("\t", "\\t")


def request_lines(request: InputRequest) -> Iterator[str]:
    """Yield all that a request asks for, the agent's own reason apart from it."""
    if request.command is not None:
        count = request.command.count("\n") + 1
        lines = f" ({count} lines)" if count > 1 else ""
        yield f"command{lines}: {visible_command(request.command)}"
    if request.cwd:
        yield f"folder: {request.cwd}"
    for change in request.changes:
        where = " OUTSIDE THE WORKSPACE" if change.outside else ""
        yield f"{change.change}{where}: {change.path}"
        yield from (f"    {line}" for line in change.diff.splitlines())
    if request.details:
        yield f"details: {request.details}"
    if request.is_cut:
        yield "It is too long to be shown whole, and can only be denied."
    if request.reason:
        yield f"reason given by the agent: {' '.join(request.reason.split())}"

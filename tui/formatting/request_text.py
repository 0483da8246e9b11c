"""A request as rows of text: all that it asks for, and apart from it the agent's own words."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Sequence
from typing import Any, cast

from rich.cells import cell_len

from engine.domain.events import Event
from engine.domain.interaction import InputRequest, ProposedChange, RequestKind
from engine.domain.model import Run
from engine.domain.record import record
from engine.domain.text import escaped
from tui.formatting.events import event_line
from tui.formatting.interaction import has_hidden, value_lines, visible_line
from tui.formatting.runs import title
from tui.formatting.symbols import sign
from tui.terminal.cells import clean, wrap

OUTSIDE = "OUTSIDE THE WORKSPACE"
LONG_COMMAND, LONG_GAP = 400, 8
STEPS = 5
"""Steps of the agent before its request that are shown."""
_DIFF_TONES = {"+": "good", "-": "bad", "@": "dim"}
_NAMES = {"serverName": "server", "_meta.tool_name": "tool", "_meta.tool_params": "arguments"}
_RIGHTS = {
    RequestKind.COMMAND: "An approved command runs outside the sandbox: it can do what you can.",
    RequestKind.PATCH: "An approved patch is written as you would write it.",
    RequestKind.PERMISSIONS: "Approved permissions hold for the rest of the agent's turn.",
    RequestKind.TOOL: "An approved tool runs outside the sandbox: it can do what its server can.",
    RequestKind.QUESTION: "y opens the questions to answer them.",
    RequestKind.FORM: "y opens the form; the MCP server gets what you enter.",
}


@record
class TextRow:
    """A row of text and its tone; `lead` stands before each of its rows where it is wrapped.

    `is_exact`: it is wrapped at any character, and nothing of it is left out. `end` is a sign of
    one or two cells behind the text, which is not a part of it.
    """

    text: str
    tone: str = "plain"
    lead: str = ""
    is_exact: bool = False
    end: str = ""


@record
class RequestContext:
    """The facts around a request: the runs that ask, and steps of the oldest before it."""

    runs: tuple[Run, ...] = ()
    steps: tuple[Event, ...] = ()


def oddities(request: InputRequest) -> list[str]:
    """Return in words why a request deserves a second look; none where it is as it seems."""
    found: list[str] = []
    command = request.command or ""
    if "\n" in command:
        found.append(f"{command.count(chr(10)) + 1} lines")
    if has_hidden(request):
        found.append("hidden characters")
    if not command.isascii():
        found.append("characters other than ASCII")
    if " " * LONG_GAP in command:
        found.append("a long gap")
    if len(command) > LONG_COMMAND:
        found.append(f"{len(command):,} characters")
    outside = sum(change.outside for change in request.changes)
    if outside:
        found.append(f"{outside} file{'' if outside == 1 else 's'} {OUTSIDE.lower()}")
    if request.is_cut:
        found.append("too long to be shown whole")
    return found


def essential_rows(request: InputRequest) -> Iterator[TextRow]:
    """Yield all that a request asks for: what an approval approves."""
    yield from _warnings(request)
    if request.command is not None:
        yield TextRow("Command", "dim")
        yield from _command_rows(request.command)
    for change in request.changes:
        yield from _change_rows(change)
    if request.cwd:
        yield _folder_row(request.cwd)
    yield from _value_rows(request)
    if request.details:
        yield TextRow(_details_head(request.kind), "dim")
        yield from _details_rows(request.details)
    if not (request.command or request.changes or request.details or request.fields):
        yield TextRow(visible_line(request.text), "strong", is_exact=True)
    if request.kind and request.kind in _RIGHTS:
        yield TextRow(_RIGHTS[request.kind], "faint")


def _warnings(request: InputRequest) -> Iterator[TextRow]:
    odd = oddities(request)
    if odd:
        yield TextRow(f"{sign('▲', '!')} {', '.join(odd)}", "warn")
    if request.is_cut:
        yield TextRow("It is too long to be shown whole, and can only be denied.", "bad")


def context_rows(request: InputRequest, around: RequestContext) -> Iterator[TextRow]:
    """Yield the agent's own words, the runs that ask, and what the oldest of them did before."""
    if request.reason.strip():
        yield TextRow("")
        is_tool = request.kind in (RequestKind.TOOL, RequestKind.FORM)
        yield TextRow("The server's own words" if is_tool else "The agent's own words", "dim")
        bar = sign("┆ ", ": ")
        for line in request.reason.strip().splitlines():
            yield TextRow(clean(line), "busy", bar)
    if around.runs:
        count = len(around.runs)
        yield TextRow("")
        yield TextRow("Asked by" if count == 1 else f"Asked by {count} runs", "dim")
        yield from (TextRow(_run_words(run), lead="  ") for run in around.runs)
    if around.steps:
        yield TextRow("")
        where = f" in {title(around.runs[0])}" if len(around.runs) > 1 else ""
        yield TextRow(f"Before this{where}", "dim")
        for event in around.steps:
            line = event_line(event)
            text = f"{line.glyph} {line.kind} {' '.join((line.text, *line.detail))}"
            yield TextRow(clean(text, 300), "faint" if line.tone == "dim" else "dim", "  ")


def _run_words(run: Run) -> str:
    batch = f" · batch {clean(run.spec.batch, 60)}" if run.spec.batch else ""
    return f"{title(run)} · {run.id}{batch} · {clean(run.spec.project, 60)}"


def _command_rows(command: str) -> Iterator[TextRow]:
    lines = command.split("\n")
    end = sign("\u23ce", "\\n")
    for number, line in enumerate(lines, 1):
        mark = end if number < len(lines) else ""
        yield TextRow(visible_line(line), "strong", "  ", is_exact=True, end=mark)


def _change_rows(change: ProposedChange) -> Iterator[TextRow]:
    path = visible_line(change.path)
    if change.outside:
        yield TextRow(f"{clean(change.change, 40)} {OUTSIDE}: {path}", "alarm", is_exact=True)
    else:
        yield TextRow(f"{clean(change.change, 40)}: {path}", "strong", is_exact=True)
    for line in change.diff.split("\n"):
        tone = _DIFF_TONES.get(line[:1], "plain")
        yield TextRow(visible_line(line), tone, "  ", is_exact=True)


def _value_rows(request: InputRequest) -> Iterator[TextRow]:
    """Yield the MCP server, the questions with their options, an address with its host."""
    for line in value_lines(request):
        bare = line.lstrip(" ")
        is_head = bare == line
        tone, lead = ("strong", "") if is_head else ("plain", "  ")
        yield TextRow(visible_line(bare), tone, lead, is_exact=True)


def _folder_row(cwd: str) -> TextRow:
    """Return the folder, which is relative to the workspace if it is in it."""
    place = posixpath.normpath(cwd)
    if place == ".":
        return TextRow("Folder: the workspace")
    if place.startswith(("/", "..")):
        return TextRow(f"Folder {OUTSIDE}: {visible_line(cwd)}", "alarm", is_exact=True)
    return TextRow(f"Folder: {visible_line(cwd)}", is_exact=True)


def subject(request: InputRequest) -> str:
    """Return what is asked for in a few words: a command, files, permissions, a tool."""
    if request.kind is RequestKind.PERMISSIONS:
        values = _details_values(request.details) or []
        found = [f"{name.removeprefix('permissions.')}: {value}" for name, value in values]
        return clean(", ".join(found) or request.text, 300)
    return clean(request.text, 300) or clean(request.command or request.details, 300)


def _details_head(kind: RequestKind | None) -> str:
    heads = {RequestKind.PERMISSIONS: "Permissions", RequestKind.TOOL: "Tool"}
    return heads.get(kind, "Details") if kind else "Details"


def _details_rows(details: str) -> Iterator[TextRow]:
    """Yield each value of the details on a row of its own; other details than JSON unchanged."""
    values = _details_values(details)
    if values is None:
        yield TextRow(visible_line(details), "strong", "  ", is_exact=True)
        return
    for name, value in values:
        yield TextRow(f"{visible_line(name)}: {value}", "strong", "  ", is_exact=True)


def _details_values(details: str) -> list[tuple[str, str]] | None:
    """Return the name and the text of each value in the details; None for other than JSON."""
    try:
        found = json.loads(details)
        values = list(_values("", cast("dict[str, Any]", found)))
    except (ValueError, RecursionError):
        return None
    return [(_shown_name(name), value) for name, value in values] if found else None


def _shown_name(name: str) -> str:
    for old, new in _NAMES.items():
        if name == old or name.startswith((f"{old}.", f"{old}[")):
            return f"{new}{name[len(old) :]}"
    return name or "value"


def _values(name: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each value in a JSON value."""
    if isinstance(value, dict) and value:
        for key, each in cast("dict[str, object]", value).items():
            yield from _values(f"{name}.{key}" if name else str(key), each)
    elif isinstance(value, list) and value:
        for index, each in enumerate(cast("list[object]", value)):
            yield from _values(f"{name}[{index}]", each)
    else:
        yield name, visible_line(escaped(json.dumps(value, ensure_ascii=False)))


# Layout


def laid_out(rows: Sequence[TextRow], width: int) -> Iterator[TextRow]:
    """Yield the rows, none wider than `width` cells."""
    for row in rows:
        room = max(4, width - len(row.lead) - len(row.end))
        wrapped = exact_lines(row.text, room) if row.is_exact else wrap(clean(row.text), room)
        *before, last = list(wrapped) or [""]
        yield from (TextRow(text, row.tone, row.lead) for text in before)
        yield TextRow(last, row.tone, row.lead, end=row.end)


def exact_lines(text: str, width: int) -> Iterator[str]:
    """Yield a text in lines of at most `width` cells, broken anywhere, with all of its spaces."""
    if text.isascii():
        yield from (text[at : at + width] for at in range(0, len(text), width))
        return
    line, used = "", 0
    for char in text:
        cells = cell_len(char)
        if used + cells > width:
            yield line
            line, used = "", 0
        line, used = line + char, used + cells
    if line:
        yield line

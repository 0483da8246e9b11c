"""Events of a log laid out in rows: folded, unfolded, wrapped or cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field, replace
from itertools import zip_longest
from typing import NamedTuple

from engine.domain.events import Event, FilesChanged, Step, UsageCounted
from engine.domain.interaction import MessageChanged, TurnInterrupt
from engine.domain.record import mutable_record
from tui import formatting
from tui.models.output_tail import OutputTail
from tui.terminal.cells import wrap

FOLDED_PROSE = 6
"""Lines of a message that stay when folded."""
LIVE_LINES = 10
"""Lines of a running command's output that stay when folded."""

TITLE = "title"
"""The tone of titles within a message."""


class LogPosition(NamedTuple):
    """A line of the log that stays the same when events around it come or go."""

    seq: int
    row: int


class LogRow(NamedTuple):
    """A display line of an event: its text, its tone, and whether it hangs below the first."""

    text: str
    tone: str
    hangs: bool
    path: str = ""
    """The file of this line, as the event names it."""


@mutable_record
class WindowEntry:
    """An event of the window, laid out for the current width; `seq` is its number there."""

    seq: int
    run: str
    at: float
    line: formatting.EventLine
    answers: tuple[str, str] | None = None
    """The key of the step that ended here: it is shown instead of its beginning."""
    asks: tuple[str, str] | None = None
    is_open: bool = False
    is_answered: bool = False
    """True if another event is shown instead of this one."""
    is_usage: bool = False
    said: MessageChanged | TurnInterrupt | None = None
    """A message of the user, or an interrupt: later events of it change this one."""
    report: FilesChanged | None = None
    """The files that the watcher saw change, without edits of the agent."""
    rows: list[LogRow] = field(default_factory=list)
    live: OutputTail | None = None
    """The output of the command that runs here, as it comes."""
    is_ending: bool = False
    """True if that command has ended, although the event of its end is not here yet."""

    @property
    def said_id(self) -> tuple[str, str] | None:
        """The run and the id of the message or the interrupt."""
        match self.said:
            case MessageChanged(message=name) | TurnInterrupt(interrupt=name):
                return self.run, name
            case _:
                return None

    def follow_up(self, later: WindowEntry) -> None:
        """Show the phase of a later event of the same message or interrupt here."""
        if self.said and later.said:
            self.said = _with_phase(self.said, later.said)
            self.line = formatting.said_line(self.said)

    @property
    def is_running(self) -> bool:
        """Return whether a command began here, and its end is not known."""
        is_command = self.asks is not None and self.asks[0].endswith(" command")
        return is_command and not self.is_answered and not self.is_ending


def _with_phase(
    said: MessageChanged | TurnInterrupt, later: MessageChanged | TurnInterrupt
) -> MessageChanged | TurnInterrupt:
    if isinstance(said, MessageChanged) and isinstance(later, MessageChanged):
        return replace(said, phase=later.phase)
    if isinstance(said, TurnInterrupt) and isinstance(later, TurnInterrupt):
        return replace(said, phase=later.phase)
    return said


def entry_of(number: int, event: Event, prompt: str = "") -> WindowEntry:
    """Return the entry of an event; `prompt` stands for the first event of a run."""
    line = formatting.prompt_line(prompt) if prompt else formatting.event_line(event)
    entry = WindowEntry(number, event.run, event.at, line)
    body = event.body
    entry.is_usage = isinstance(body, UsageCounted)
    entry.said = body if isinstance(body, MessageChanged | TurnInterrupt) else None
    if isinstance(body, Step) and body.role == "tool":
        same = (f"{event.run} {body.kind}", body.command or body.text or repr(body.changes))
        if body.phase == "started":
            entry.asks = same
        else:
            entry.answers = same
    return entry


def lay_out(entry: WindowEntry, width: int, *, wraps: bool) -> None:
    """Set the rows of an entry for a width; with `wraps`, long lines are wrapped, not cut."""
    line = entry.line
    if entry.is_answered:
        entry.rows = []
    elif entry.live:
        entry.rows = [*_first(line, width, wraps=wraps or entry.is_open), *_live(entry, width)]
    elif entry.is_open:
        entry.rows = [*_first(line, width, wraps=True), *_rest(line, width)]
    elif line.prose:
        entry.rows = _folded_prose(line, width)
    else:
        entry.rows = [*_first(line, width, wraps=wraps), *_folded_output(line, width, wraps=wraps)]


def _first(line: formatting.EventLine, width: int, *, wraps: bool) -> Iterator[LogRow]:
    texts = wrap(line.text, width) if wraps and line.text else [line.text]
    path = line.paths[0] if len(line.paths) == 1 else ""
    tone = TITLE if 0 in line.titles else line.tone
    for index, text in enumerate(texts):
        yield LogRow(text, tone, index > 0, path)


def _rest(line: formatting.EventLine, width: int) -> Iterator[LogRow]:
    paths = line.paths if len(line.paths) == len(line.extra) else ()
    rest = zip_longest((*line.detail, *line.extra), paths, fillvalue="")
    for index, (text, path) in enumerate(rest, 1):
        tone = line.tone if line.prose else "dim"
        tone = TITLE if index in line.titles else tone
        for part in wrap(text, width) if text else [""]:
            yield LogRow(part, tone, True, path)


def _folded_prose(line: formatting.EventLine, width: int) -> list[LogRow]:
    whole = (*_first(line, width, wraps=True), *_rest(line, width))
    if len(whole) <= FOLDED_PROSE + 1:
        return list(whole)
    left_out = len(whole) - FOLDED_PROSE
    return [*whole[:FOLDED_PROSE], LogRow(_more(left_out), "dim", True)]


def _folded_output(line: formatting.EventLine, width: int, *, wraps: bool) -> Iterator[LogRow]:
    if not line.fold:
        return
    left_out = len(line.extra) - line.fold
    if left_out > 1:
        yield LogRow(_more(left_out), "dim", True)
    for text in line.extra[-line.fold if left_out > 1 else 0 :]:
        for part in wrap(text, width) if wraps and text else [text]:
            yield LogRow(part, "dim", True)


def _live(entry: WindowEntry, width: int) -> Iterator[LogRow]:
    """Yield the last lines of a running command's output; unfolded, all that are kept."""
    if entry.live is None:
        return
    if entry.is_open:
        for text in entry.line.detail:
            yield from (LogRow(part, "dim", True) for part in wrap(text, width))
    count = entry.live.line_count
    shown = count if entry.is_open else min(count, LIVE_LINES)
    if count > shown:
        yield LogRow(_more(count - shown), "dim", True)
    for text in entry.live.last(shown):
        for part in wrap(text, width) if entry.is_open and text else [text]:
            yield LogRow(part, "dim", True)


def _more(count: int) -> str:
    return f"{formatting.sign('…', '...')} {count} more line{'' if count == 1 else 's'} (enter)"

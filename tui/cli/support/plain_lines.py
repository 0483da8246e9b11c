"""Displays for pipes and scripts: plain stable lines, or one JSON object a line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from engine.domain.events import Event, Step, event_json
from engine.domain.model import Run
from tui import formatting
from tui.cli.support import output
from tui.cli.support.summaries import details, headline, together
from tui.formatting.events import lines as output_lines

if TYPE_CHECKING:
    from engine.engine import Changes


class JsonLines:
    """One event object a line on stdout, and nothing else there."""

    def __enter__(self) -> Self:
        """Show nothing yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Change nothing."""

    def show(self, events: list[Event], runs: dict[str, Run]) -> None:
        """Write the events."""
        output.say_json(*map(event_json, events))

    def tell(self, text: str) -> None:
        """Keep stdout clean."""
        output.say_aside(text)

    def warn(self, text: str) -> None:
        """Write a warning to stderr."""
        output.say_aside(text)

    def ask(self, question: str) -> None:
        """Keep stdout clean here too."""
        if question:
            output.say_aside(question)

    def finish(self, runs: dict[str, Run], changes: dict[str, Changes]) -> None:
        """Print nothing: the last events were the end."""


class PlainLines(JsonLines):
    """One event a line for people and grep; with several runs each line names its run."""

    def __init__(self, name: Callable[[Run], str] | None = None, *, full: bool = False) -> None:
        self._name = name
        self._full = full

    def show(self, events: list[Event], runs: dict[str, Run]) -> None:
        """Write the events."""
        lines: list[str] = []
        for event in events:
            if is_beginning(event):
                continue
            prefix = f"{self._name(runs[event.run])}  " if self._name else ""
            lines += [f"{prefix}{line}" for line in event_lines(event, full=self._full)]
        if lines:
            output.say("\n".join(lines))

    def tell(self, text: str) -> None:
        """Write a remark."""
        output.say(text)

    def finish(self, runs: dict[str, Run], changes: dict[str, Changes]) -> None:
        """Write how each run ended, and what to type next."""
        if len(runs) > 1:
            output.say("\n".join([*map(headline, runs.values()), *together(runs)]))
            return
        for run in runs.values():
            output.say("\n".join([headline(run), *details(run, changes.get(run.id))]))


def event_lines(event: Event, *, full: bool = False) -> list[str]:
    """Write an event as lines of text: when, what kind, what, and the rest indented."""
    line = look(event, full=full)
    kept, left_out = fold(line)
    first = f"{formatting.time_of_day(event.at)}  {line.kind:<8}  {line.text}".rstrip()
    if left_out and kept:
        kept = (f"… {left_out} lines before", *kept)
    return [first, *(f"{' ' * 20}{extra}".rstrip() for extra in kept)]


def look(event: Event, *, full: bool = False) -> formatting.EventLine:
    """Return an event as lines, with all of its output; `full`: with nothing folded."""
    line, body = formatting.event_line(event), event.body
    if isinstance(body, Step) and body.output:
        line = replace(line, extra=output_lines(body.output, len(body.output)))
    return replace(line, fold=len(line.extra)) if full else line


def is_beginning(event: Event) -> bool:
    """Return whether the event only announces another one; commands may take long."""
    body = event.body
    return isinstance(body, Step) and body.phase == "started" and body.kind != "command"


def fold(line: formatting.EventLine) -> tuple[tuple[str, ...], int]:
    """Return the extra lines to show and the number left out before them; prose stays whole."""
    left_out = 0 if line.prose else max(0, len(line.extra) - line.fold)
    return line.extra[left_out:], left_out

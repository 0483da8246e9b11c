"""Displays for pipes and scripts: plain stable lines, or one JSON object a line."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from engine.domain.cost import RunCost, no_cost
from engine.domain.events import Event, Step, event_json
from engine.domain.live import CommandEnded, CommandOutput, output_json
from engine.domain.model import Run
from tui import formatting
from tui.cli.support import output
from tui.cli.support.live_reports import RunReport, WholeLines
from tui.cli.support.open_requests import answer_hint, raised_by
from tui.cli.support.summaries import details, headline, together
from tui.formatting.events import lines as output_lines
from tui.models.log_events import LogFilter
from tui.models.output_tail import shown_line

PROMPT_LINES = 5
"""Lines of a prompt that are shown below its first one."""

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

    def show_live(self, reports: list[RunReport]) -> None:
        """Write the output as objects without a number."""
        outputs = ((run, one) for run, one in reports if isinstance(one, CommandOutput))
        now = time.time()
        output.say_json(*(output_json(run.id, run.attempt, now, one) for run, one in outputs))

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

    def __init__(
        self,
        name: Callable[[Run], str] | None = None,
        *,
        full: bool = False,
        has_bookkeeping: bool = False,
        colour: Callable[[str], str] | None = None,
        cost: RunCost = no_cost,
    ) -> None:
        self._name, self._colour = name, colour
        self._full, self._cost = full, cost
        self._filter = LogFilter(has_bookkeeping=has_bookkeeping)
        self._outputs = WholeLines()

    def show(self, events: list[Event], runs: dict[str, Run]) -> None:
        """Write the events."""
        lines: list[list[tuple[str, str | None]]] = []
        for event in self._filter.choose(events):
            if is_beginning(event):
                continue
            run = runs[event.run]
            name = f"{self._name(run)}  " if self._name else ""
            colour = self._colour(run.id) if self._colour else None
            shown = lines_of_run(event, run, full=self._full)
            lines += [[(name, colour), (line, None)] for line in shown]
        if lines:
            output.say_styled(lines)

    def show_live(self, reports: list[RunReport]) -> None:
        """Write the whole lines of the output."""
        written: list[list[tuple[str, str | None]]] = []
        now = formatting.time_of_day(time.time())
        for run, one in reports:
            if isinstance(one, CommandEnded):
                self._outputs.end(run.id, one.item)
            if not isinstance(one, CommandOutput):
                continue
            name = f"{self._name(run)}  " if self._name else ""
            colour = self._colour(run.id) if self._colour else None
            for line in self._outputs.add(run.id, one.item, one.text):
                text = f"{now}  {one.type:<8}  {shown_line(line)}"
                written.append([(name, colour), (text.rstrip(), None)])
        if written:
            output.say_styled(written)

    def tell(self, text: str) -> None:
        """Write a remark."""
        output.say(text)

    def finish(self, runs: dict[str, Run], changes: dict[str, Changes]) -> None:
        """Write how each run ended, and what to type next."""
        if len(runs) > 1:
            output.say("\n".join([*map(headline, runs.values()), *together(runs)]))
            return
        for run in runs.values():
            rest = details(run, changes.get(run.id), self._cost(run))
            output.say("\n".join([headline(run), *rest]))


def lines_of_run(event: Event, run: Run, *, full: bool) -> list[str]:
    """Return an event of a run as lines, with how to answer where it asks for something."""
    shown = event_lines(event, full=full, prompt=run.spec.prompt)
    if found := raised_by(event, run):
        shown.append(f"{' ' * 20}{answer_hint(found)}")
    return shown


def event_lines(event: Event, *, full: bool = False, prompt: str = "") -> list[str]:
    """Return an event as lines of text: time, kind and text, and the rest indented."""
    line = look(event, full=full, prompt=prompt)
    kept, left_out = fold(line)
    first = f"{formatting.time_of_day(event.at)}  {line.kind:<8}  {line.text}".rstrip()
    if left_out and kept:
        kept = (f"… {left_out} lines before", *kept)
    return [first, *(f"{' ' * 20}{extra}".rstrip() for extra in kept)]


def look(event: Event, *, full: bool = False, prompt: str = "") -> formatting.EventLine:
    """Return an event as lines, with all of its output; `full`: with nothing folded.

    The `prompt` of the run stands for its first event.
    """
    if event.seq == 1 and prompt:
        return _prompt(prompt, full=full)
    line, body = formatting.event_line(event), event.body
    if isinstance(body, Step) and body.output:
        line = replace(line, extra=output_lines(body.output, len(body.output)))
    return replace(line, fold=len(line.extra)) if full else line


def _prompt(prompt: str, *, full: bool) -> formatting.EventLine:
    line = formatting.prompt_line(prompt)
    left_out = 0 if full else len(line.extra) - PROMPT_LINES
    if left_out <= 1:
        return line
    return replace(line, extra=(*line.extra[:PROMPT_LINES], f"… {left_out} more lines"))


def is_beginning(event: Event) -> bool:
    """Return whether the event only announces another one; commands may take long."""
    body = event.body
    return isinstance(body, Step) and body.phase == "started" and body.kind != "command"


def fold(line: formatting.EventLine) -> tuple[tuple[str, ...], int]:
    """Return the extra lines to show and the number left out before them; prose stays whole."""
    left_out = 0 if line.prose else max(0, len(line.extra) - line.fold)
    return line.extra[left_out:], left_out

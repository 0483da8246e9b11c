"""Displays for pipes and scripts: plain stable lines, or one JSON object a line."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from engine.domain.activity import clock, elapsed_s
from engine.domain.events import Event, Step, event_json
from engine.domain.model import Run, Status
from tui import show
from tui.cli import output


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

    def ask(self, question: str) -> None:
        """Keep stdout clean here too."""
        if question:
            output.say_aside(question)

    def finish(self, runs: dict[str, Run]) -> None:
        """Say nothing: the last events have said it."""


class PlainLines(JsonLines):
    """One event a line for people and grep; with several runs each line says whose it is."""

    def __init__(self, name: Callable[[Run], str] | None = None) -> None:
        self._name = name

    def show(self, events: list[Event], runs: dict[str, Run]) -> None:
        """Write the events."""
        lines: list[str] = []
        for event in events:
            if is_beginning(event):
                continue
            prefix = f"{self._name(runs[event.run])}  " if self._name else ""
            lines += [f"{prefix}{line}" for line in event_lines(event)]
        if lines:
            output.say("\n".join(lines))

    def tell(self, text: str) -> None:
        """Write a remark."""
        output.say(text)

    def finish(self, runs: dict[str, Run]) -> None:
        """Write the summary of each run."""
        for run in runs.values():
            output.say("\n".join(summary(run)))


def event_lines(event: Event, *, full: bool = False) -> list[str]:
    """Write an event as lines of text: when, what kind, what, and the rest indented."""
    line = show.event_line(event)
    kept, left_out = (line.extra, 0) if full else fold(line)
    first = f"{show.time_of_day(event.at)}  {line.kind:<8}  {line.text}".rstrip()
    if left_out and kept:
        kept = (f"… {left_out} lines before", *kept)
    return [first, *(f"{' ' * 20}{extra}".rstrip() for extra in kept)]


def is_beginning(event: Event) -> bool:
    """Say whether the event only announces what another will tell; commands may take long."""
    body = event.body
    return isinstance(body, Step) and body.phase == "started" and body.kind != "command"


def fold(line: show.EventLine) -> tuple[tuple[str, ...], int]:
    """Give the extra lines to show and how many were left out before them; prose stays whole."""
    left_out = 0 if line.prose else max(0, len(line.extra) - line.fold)
    return line.extra[left_out:], left_out


def full_title(run: Run) -> str:
    """Give a run's title, with the label of a simulated one."""
    label = show.label(run)
    return f"{show.title(run)} ({label})" if label else show.title(run)


def summary(run: Run) -> list[str]:
    """Say how a run ended, where its files are and what to type next, in a few lines."""
    lines = [f"{run.id} {show.word(run.status)} after {clock(elapsed_s(run, run.last_event_at))}"]
    lines[0] += f" · {full_title(run)}"
    figures: list[str] = []
    if run.usage.input or run.usage.output:
        used = run.usage
        figures.append(f"{show.tokens(used.input)} tokens in · {show.tokens(used.output)} out")
    if run.changes.files:
        plural = "" if run.changes.files == 1 else "s"
        figures.append(f"{run.changes.files} file{plural} {show.changes(run.changes)}")
    if figures:
        lines.append(f"  {' · '.join(figures)}")
    if run.workspace:
        lines.append(f"  workspace: {run.workspace.path}")
    return [*lines, *(f"  next: {words}" for words in next_steps(run))]


def next_steps(run: Run) -> list[str]:
    """Give the commands that are of use now."""
    if run.status is Status.SUCCEEDED:
        return [f"swarm-tui show {run.id}"]
    if run.status is Status.CANCELLED:
        return [f"swarm-tui retry {run.id}"]
    crashed = run.error is not None and run.error.code == "AGENT_CRASHED"
    return [f"swarm-tui logs {run.id}{' --stderr' if crashed else ''}", f"swarm-tui retry {run.id}"]

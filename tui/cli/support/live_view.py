"""The live view on a terminal: what happened scrolls by, what is happening stands below."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Group
from rich.live import Live
from rich.text import Text

from engine.domain.activity import clock, elapsed_s
from engine.domain.events import ErrorRaised, Event, Progressed, StatusChanged, Step
from engine.domain.lifecycle import LIVE
from engine.domain.live import CommandEnded, CommandOutput
from engine.domain.model import Run, Status
from tui import formatting
from tui.cli.support import output
from tui.cli.support.changed_tree import TreeLeaf, tree
from tui.cli.support.failure import panel
from tui.cli.support.live_reports import RunReport
from tui.cli.support.plain_lines import fold, look
from tui.cli.support.run_names import RunNames
from tui.cli.support.summaries import details, full_title, headline, reason, together
from tui.formatting.interaction import visible_line
from tui.models.log_events import LogFilter
from tui.models.output_tail import OutputTail
from tui.terminal.cells import clean, crop, fit, wrap

if TYPE_CHECKING:
    from engine.engine import Changes
    from tui.cli.support.follow import RunFollower

STYLES = {
    "plain": "",
    "dim": "bright_black",
    "good": "green",
    "bad": "red",
    "warn": "yellow",
    "live": "blue",
    "busy": "cyan",
}
FRAMES_PER_S = 8
BAR = 24
KIND = 9
OUTPUT_LINES = 10
"""Lines of a running command's output."""
TREE_FILES = 12
"""Changed files that one event draws."""


class LiveView:
    """Live view of one or more runs; only the last lines of the screen are ever redrawn."""

    def __init__(
        self, follower: RunFollower, *, full: bool = False, has_bookkeeping: bool = False
    ) -> None:
        self._follower = follower
        self._full = full
        self._filter = LogFilter(has_bookkeeping=has_bookkeeping)
        self._question = ""
        self._tails: dict[str, OutputTail] = {}
        """The output of the running command, by run."""
        self._several = len(follower.runs) > 1
        self._names = RunNames(follower.runs.values())
        self._console = output.console(sys.stdout)
        self._live = Live(
            get_renderable=self._picture,
            console=self._console,
            refresh_per_second=FRAMES_PER_S,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the moving part away."""
        self._live.stop()

    def show(self, events: list[Event], runs: dict[str, Run]) -> None:
        """Add events above the moving part."""
        news = (event for event in self._filter.choose(events) if self._is_news(event))
        told = [line for event in news for line in self._lines(event)]
        if told:
            self._console.print(*told, sep="\n", no_wrap=True, overflow="ignore", crop=True)

    def show_live(self, reports: list[RunReport]) -> None:
        """Keep the last lines of what commands print, for the moving part."""
        for run, one in reports:
            if isinstance(one, CommandOutput):
                self._tails.setdefault(run.id, OutputTail()).add(one.text)
            elif isinstance(one, CommandEnded):
                self._tails.pop(run.id, None)

    def tell(self, text: str) -> None:
        """Add a remark above the moving part."""
        self._console.print(Text(clean(text), style="yellow"))

    def quote(self, lines: list[str]) -> None:
        """Add lines above the moving part, whole, with each character visible."""
        shown = [Text(visible_line(line), "yellow") for line in lines]
        self._console.print(*shown, sep="\n", soft_wrap=True)

    def warn(self, text: str) -> None:
        """Add a warning above the moving part."""
        self.tell(text)

    def ask(self, question: str) -> None:
        """Show a question below all else."""
        self._question = question
        self._live.refresh()

    def finish(self, runs: dict[str, Run], changes: dict[str, Changes]) -> None:
        """Print how each run ended, why it failed, and what to type next."""
        for run in runs.values():
            if run.error and not self._several:
                self._console.print(panel(run.error))
            ended = f"{formatting.glyph(run.status)} {headline(run)}"
            self._console.print(Text(ended, style=f"bold {STYLES[formatting.tone(run.status)]}"))
            rest = reason(run) if self._several else self._details(run, changes)
            self._say(rest)
        if self._several:
            self._say(together(runs))

    def _details(self, run: Run, changes: dict[str, Changes]) -> list[str]:
        return details(run, changes.get(run.id), self._follower.cost(run))

    def _say(self, lines: Iterable[str]) -> None:
        """Print lines as they are; one that is too long goes on below, to be copied whole."""
        for line in lines:
            self._console.print(Text(clean(line)), soft_wrap=True)

    # What stays

    def _is_news(self, event: Event) -> bool:
        """Return whether neither the moving part nor the end shows the event."""
        body = event.body
        if event.seq == 1:
            return True
        if isinstance(body, Step):
            return body.phase != "started"
        if isinstance(body, StatusChanged) and body.status is Status.QUEUED:
            return True  # the line at which another attempt begins
        return self._several or not isinstance(body, (StatusChanged, Progressed, ErrorRaised))

    def _lines(self, event: Event) -> list[Text]:
        line = self._look(event)
        head = Text(f"{formatting.time_of_day(event.at)} ", style=STYLES["dim"])
        if self._several:
            head.append(f"{self._names.short(event.run)} ", self._names.colour(event.run))
        style = STYLES[line.tone]
        head.append(f"{line.glyph} ", style).append(f"{fit(line.kind, KIND - 1)} ", STYLES["dim"])
        indent = " " * head.cell_len
        room = max(20, self._console.width - len(indent))
        kept, left_out = fold(line)
        wrapped = list(wrap(line.text, room)) if line.prose else [crop(line.text, room)]
        first = f"bold {style}" if 0 in line.titles else style
        lines = [head.append(wrapped[0] if wrapped else "", first)]
        lines += [Text(indent + more, first) for more in wrapped[1:]]
        if left_out and kept:
            lines.append(Text(f"{indent}… {left_out} lines before", STYLES["dim"]))
        for number, extra in enumerate(kept, 1):
            pieces = wrap(extra, room) if line.prose else [crop(extra, room)]
            tone = style if line.prose else STYLES["dim"]
            tone = f"bold {tone}" if number in line.titles else tone
            lines += [Text(indent + piece, tone) for piece in pieces]
        return lines

    def _look(self, event: Event) -> formatting.EventLine:
        """Return an event as a line; several files that were edited become a tree."""
        prompt = self._follower.runs[event.run].spec.prompt
        line, body = look(event, full=self._full, prompt=prompt), event.body
        if isinstance(body, StatusChanged) and body.status is Status.QUEUED and event.seq > 1:
            return replace(line, kind="attempt", text=f"{event.attempt} · {line.text}")
        if not isinstance(body, Step) or body.kind != "file_change" or len(body.changes or ()) < 2:
            return line
        leaves = [TreeLeaf(one.path, one.change) for one in body.changes or ()]
        drawn = tree(leaves, len(leaves) if self._full else TREE_FILES)
        return replace(line, text=f"{len(leaves)} files", extra=tuple(drawn), fold=len(drawn))

    # What moves

    def _picture(self) -> Group:
        now = self._follower.clock()
        runs = list(self._follower.runs.values())
        asked = [Text(self._question, "bold yellow")] if self._question else []
        if not self._several:
            header, progress = self._header(runs[0]), self._progress(runs[0], now)
            return Group(header, progress, *self._output(runs[0]), *asked)
        live = [run for run in runs if run.status in LIVE]
        above = self.above()
        shown = live[: max(1, self._console.height - 4 - len(above))]
        lines = [self._progress(run, now, name=True) for run in shown]
        if len(live) > len(shown):
            lines.append(Text(f"and {len(live) - len(shown)} more", STYLES["dim"]))
        return Group(*above, *lines, *asked)

    def _output(self, run: Run) -> list[Text]:
        """Draw the last lines of what the running command has printed."""
        tail = self._tails.get(run.id)
        room = max(1, min(OUTPUT_LINES, self._console.height // 3))
        lines = tail.last(room) if tail and run.status in LIVE else ()
        return [Text(f"  {crop(line, self._console.width - 3)}", STYLES["dim"]) for line in lines]

    def above(self) -> list[Text]:
        """Draw what several runs have in common; nothing, unless a subclass knows something."""
        return []

    def _header(self, run: Run) -> Text:
        style = STYLES[formatting.tone(run.status)]
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"{formatting.glyph(run.status)} {formatting.word(run.status)}  ", style)
        text.append(full_title(run), "bold").append(f"  {run.id}", STYLES["dim"])
        if run.attempt > 1:
            text.append(f" · attempt {run.attempt}")
        if run.usage.input:
            used = (
                f"{formatting.tokens(run.usage.input)} in {formatting.tokens(run.usage.output)} out"
            )
            text.append(f" · {used}", STYLES["dim"])
        return text

    def _progress(self, run: Run, now: float, *, name: bool = False) -> Text:
        style = STYLES[formatting.tone(run.status)]
        percent = formatting.figure(run)
        before, full, after = formatting.bar_parts(percent, BAR, beat=int(now * FRAMES_PER_S))
        text = Text(no_wrap=True, overflow="ellipsis")
        if name:
            text.append(f"{formatting.glyph(run.status)} ", style)
            text.append(f"{self._names.short(run.id)} ", self._names.colour(run.id))
        text.append(before, STYLES["dim"]).append(full, style).append(after, STYLES["dim"])
        text.append(f" {'' if percent is None else f'{percent}%':>4} ")
        text.append(f"{clock(elapsed_s(run, now))} ", "bold")
        if run.stage:
            text.append(f"{run.stage.value.replace('_', ' ')} · ", STYLES["dim"])
        return text.append(clean(self._follower.doing(run, now), 300))

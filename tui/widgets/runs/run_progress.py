"""How far the chosen run is: an honest bar, its stage, and what it is doing now."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content
from textual.widget import Widget

from engine.domain import lifecycle
from engine.domain.activity import clock, is_quiet, time_left_s
from engine.domain.model import Run, Stage, Status
from engine.domain.reasons import Occupation
from tui import formatting
from tui.terminal.cells import cells, clean
from tui.widgets.runs.pulse import Pulse
from tui.widgets.runs.run_columns import QueuePosition, words

Part = tuple[str, str]
WIDEST = 48
WORTH_TELLING_S = 5
"""Seconds left from which on they are told."""

_AT_WORK = (Status.RUNNING, Status.VERIFYING)
_STAGES = {
    Stage.WORKSPACE_PREP: "preparing",
    Stage.WORKSPACE_CLONED: "workspace ready",
    Stage.EXECUTING: "executing",
    Stage.VERIFYING: "verifying",
    Stage.EXTRACTING_PATTERNS: "learning",
    Stage.COMPLETE: "complete",
}


class RunProgress(Widget):
    """Two lines, three where a run failed: the bar, then the activity or the error's way out."""

    DEFAULT_CSS = """
    RunProgress { height: 2; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    RunProgress.-error { height: 3; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._run: Run | None = None
        self._now = 0.0
        self._wait = QueuePosition()
        self._pulse = Pulse()
        self._drawn = Content("")

    def show(self, run: Run | None, now: float, wait: QueuePosition) -> None:
        """Show `run` as it is at `now`, and what it waits for; draws only what differs."""
        self._run, self._now, self._wait = run, now, wait
        self.set_class(run is not None and run.error is not None, "-error")
        if not self._lines().is_same(self._drawn):
            self.refresh()

    def begin(self, times: Iterable[float]) -> None:
        """Begin with a run of which events happened at `times`."""
        self._pulse = Pulse()
        self._pulse.beat(times)

    def beat(self, times: Iterable[float]) -> None:
        """Take in when more of its events happened."""
        self._pulse.beat(times)

    def render(self) -> Content:
        """Draw the bar and the words below it."""
        self._drawn = self._lines()
        return self._drawn

    def _lines(self) -> Content:
        run = self._run
        if run is None:
            return Content("")
        width = max(10, min(WIDEST, self.size.width // 3))
        parts = [*_bar(run, width, self._now), ("  ", ""), *_figure(run, self._now)]
        if run.status in lifecycle.ACTIVE:
            room = self.size.width - sum(cells(text) for text, _ in parts) - 2
            parts += [("  ", ""), *self._pulse.draw(self._now, room)]
        return Content.assemble(*parts, "\n", *self._words(run))

    def _words(self, run: Run) -> list[Part]:
        if run.error:
            recovery = clean(run.error.recovery, 300)
            return [(clean(run.error.message, 300), "$error"), (f"\n{recovery}", "$secondary")]
        text = clean(words(run, self._now, self._wait), 300)
        if trouble := formatting.trouble(run, self._now):
            return [(f"{trouble[0]} {text}", "bold $warning")]
        if _is_timed(run, self._now):
            text = f"{text} for {clock(self._now - run.doing_since)}"
        return [(text, "$secondary" if run.status in lifecycle.FINISHED else "$foreground")]


def _is_timed(run: Run, now: float) -> bool:
    """Return whether the words lack how long the run has been at it."""
    has_time = run.occupation is Occupation.COMMAND or is_quiet(run, now)
    return run.status in _AT_WORK and not has_time


def _bar(run: Run, width: int, now: float) -> list[Part]:
    tone = formatting.TONES[formatting.run_tone(run)]
    before, filled, after = formatting.bar_parts(formatting.figure(run), width, beat=int(now))
    return [(before, "$panel"), (filled, tone), (after, "$panel")]


def _figure(run: Run, now: float) -> list[Part]:
    percent = formatting.figure(run)
    parts: list[Part] = []
    if percent is None:
        parts.append(("working", "$foreground"))
    elif run.status is not Status.QUEUED:
        parts.append((f"{percent:>3} %", "bold"))
        if run.status in lifecycle.ACTIVE and run.stage:
            parts.append((f"  {_STAGES.get(run.stage, run.stage)}", "$secondary"))
    if run.plan:
        done = sum(item.completed for item in run.plan)
        parts.append((f"  plan {done}/{len(run.plan)}", "$secondary"))
    left_s = time_left_s(run, now) or 0
    if left_s >= WORTH_TELLING_S:
        parts.append((f"  ~{formatting.age(left_s)} left", "$secondary"))
    return parts

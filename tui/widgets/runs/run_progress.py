"""Progress of the chosen run: a bar, its stage and its activity, or the cause of its failure."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content
from textual.widget import Widget

from engine.domain import lifecycle
from engine.domain.activity import clock, is_quiet, spoken, time_left_s
from engine.domain.failures import failure_text
from engine.domain.model import ErrorInfo, Run, Stage, Status
from engine.domain.reasons import Occupation
from tui import formatting
from tui.terminal.cells import cells, clean, crop, wrap
from tui.widgets.runs.pulse import Pulse
from tui.widgets.runs.run_activity import QueuePosition, words

Part = tuple[str, str]
WIDEST = 48
WORTH_SHOWING_S = 5
"""Seconds from which a time is shown."""
FAILURE_LINES = 3
"""Lines to which the text of a failure is wrapped."""

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
    """A bar and the activity of a live run; of a failed one the cause in up to three lines."""

    DEFAULT_CSS = """
    RunProgress { height: 2; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
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
        rows = self._rows()
        height = self.styles.height
        if height is None or height.value != len(rows):
            self.styles.height = len(rows)
        if not Content("\n").join(rows).is_same(self._drawn):
            self.refresh()

    def begin(self, times: Iterable[float]) -> None:
        """Begin with a run whose events happened at `times`."""
        self._pulse = Pulse()
        self._pulse.beat(times)

    def beat(self, times: Iterable[float]) -> None:
        """Add the times of more of its events."""
        self._pulse.beat(times)

    def render(self) -> Content:
        """Draw the rows."""
        self._drawn = Content("\n").join(self._rows())
        return self._drawn

    def _rows(self) -> list[Content]:
        run = self._run
        if run is None:
            return [Content("")]
        if run.error and run.status in lifecycle.FINISHED:
            return self._failure(run.error)
        words = Content.assemble(*self._words(run))
        if run.status in lifecycle.FINISHED:
            return [words]
        return [Content.assemble(*self._bar_parts(run)), words]

    def _failure(self, error: ErrorInfo) -> list[Content]:
        """Return the cause of a failure, wrapped, and the way to recover."""
        width = max(20, self.size.width)
        lines = [*wrap(clean(failure_text(error), 2_000), width)]
        if len(lines) > FAILURE_LINES:
            rest = " ".join(lines[FAILURE_LINES - 1 :])
            cut = crop(rest, width, formatting.sign("…", "~"))
            lines = [*lines[: FAILURE_LINES - 1], cut]
        recovery = Content.styled(clean(error.recovery, 300), "$secondary")
        return [*(Content.styled(line, "$error") for line in lines), recovery]

    def _bar_parts(self, run: Run) -> list[Part]:
        width = max(10, min(WIDEST, self.size.width // 3))
        parts = [*_bar(run, width, self._now), ("  ", ""), *_figure(run, self._now)]
        if run.status in lifecycle.ACTIVE:
            room = self.size.width - sum(cells(text) for text, _ in parts) - 2
            parts += [("  ", ""), *self._pulse.draw(self._now, room)]
        return parts

    def _words(self, run: Run) -> list[Part]:
        text = clean(words(run, self._now, self._wait), 300)
        if trouble := formatting.trouble(run, self._now):
            return [(f"{trouble[0]} {text}", "bold $warning")]
        if _is_timed(run, self._now):
            text = f"{text} for {clock(self._now - run.doing_since)}"
        return [(text, "$secondary" if run.status in lifecycle.FINISHED else "$foreground")]


def _is_timed(run: Run, now: float) -> bool:
    """Return whether the words lack the time of the activity, and it is worth showing."""
    has_time = run.occupation is Occupation.COMMAND or run.away_since is not None
    if has_time or is_quiet(run, now) or spoken(run):
        return False
    return run.status in _AT_WORK and now - run.doing_since >= WORTH_SHOWING_S


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
    if left_s >= WORTH_SHOWING_S:
        parts.append((f"  ~{formatting.age(left_s)} left", "$secondary"))
    return parts

"""The top lines: how many runs there are of each sort, slots, limits, and why nothing starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

from engine.domain import lifecycle
from engine.domain.activity import clock
from engine.domain.events import Event, LimitsSeen
from engine.domain.model import LimitWindow, Pause, Run, Status
from engine.domain.queue import paused
from engine.domain.record import record
from tui import formatting
from tui.models.list_options import needs_me
from tui.terminal.cells import clean

if TYPE_CHECKING:
    from engine.engine import DiskSpace

NAME = "swarm"
_COUNTED = (
    ("running", Status.RUNNING),
    ("queued", Status.QUEUED),
    ("needs you", Status.FAILED),
    ("done", Status.SUCCEEDED),
)
Part = tuple[str, str]


@record
class QueueState:
    """How the queue stands at `now`."""

    slots: int
    pause: Pause | None
    now: float
    fault: str = ""
    """What fails inside at the moment, in one line."""


class TopBar(Widget):
    """Counts that cost nothing for runs that did not change; a second line while it is paused."""

    DEFAULT_CSS = """
    TopBar { dock: top; height: 1; padding: 0 1; text-wrap: nowrap; background: $surface; }
    TopBar.-paused, TopBar.-faulty { height: 2; }
    TopBar.-paused.-faulty { height: 3; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._words: dict[str, tuple[str, bool]] = {}
        self._counts: Counter[str] = Counter()
        self._busy = 0
        self._queue = QueueState(0, None, 0.0)
        self._limits: tuple[LimitWindow, ...] = ()
        self._space: DiskSpace | None = None
        self._drawn = Content("")

    def count_all(self, runs: Mapping[str, Run]) -> None:
        """Count all runs anew, and take the limits of the one that told something last."""
        self._words.clear()
        self._counts.clear()
        self._busy = 0
        told = [run for run in runs.values() if run.limits]
        if told:
            self._limits = max(told, key=lambda run: run.last_event_at).limits
        self.count(runs, runs)

    def count(self, runs: Mapping[str, Run], ids: Iterable[str]) -> None:
        """Count the runs in `ids` anew."""
        for run_id in ids:
            if run_id in self._words:
                self._add(*self._words.pop(run_id), by=-1)
            if run_id in runs:
                self._words[run_id] = words = _words(runs[run_id])
                self._add(*words, by=1)

    def _add(self, word: str, busy: bool, by: int) -> None:
        self._counts[word] += by
        self._busy += by * busy

    def hear(self, events: Iterable[Event]) -> None:
        """Take in what runs tell of the plan's limits; the last one to tell knows best."""
        for event in events:
            if isinstance(event.body, LimitsSeen):
                self._limits = event.body.windows

    def tell(self, queue: QueueState) -> None:
        """Take in how the queue stands, and draw what differs."""
        self._queue = queue
        self.set_class(self._pause is not None, "-paused")
        self.set_class(bool(queue.fault), "-faulty")
        self._draw()

    def tell_space(self, space: DiskSpace | None) -> None:
        """Take in what is left on the disk."""
        self._space = space
        self._draw()

    def _draw(self) -> None:
        drawn = self._lines(self.size.width)
        if not drawn.is_same(self._drawn):
            self.refresh()

    @property
    def _pause(self) -> Pause | None:
        pause = self._queue.pause
        return pause if paused(pause, self._queue.now) else None

    def render(self) -> Content:
        """Draw the lines."""
        self._drawn = self._lines(self.size.width)
        return self._drawn

    def _lines(self, width: int) -> Content:
        """Write the counts on the left, limits and slots on the right; below, why all stands."""
        wide = width >= 100
        left: list[Part] = [(NAME, "bold $accent"), ("   " if wide else "  ", "")]
        for word, status in _COUNTED:
            left += self._count(word, status, "   " if wide else "  ")
        right = self._slots()
        fullest = sorted(self._limits, key=lambda window: -window.used_percent)[:1]
        for parts in ([*right, *self._disk()], self._disk_in_brief()):
            if parts and _width(left) + _width(parts) <= width:
                right = parts
                break
        for windows, brief in ((self._limits, False), (self._limits, True), (fullest, True)):
            parts = [*self._windows(windows, brief=brief), *right]
            if _width(left) + _width(parts) <= width:
                right = parts
                break
        gap = width - _width(left) - _width(right)
        return Content.assemble(
            *left, " " * max(1, gap), *right, *self._why_paused(width), *self._faulty()
        )

    def _count(self, word: str, status: Status, gap: str) -> list[Part]:
        number = self._counts[word]
        if not number:
            return [(f"{formatting.glyph(status)} 0 {word}{gap}", "$faint")]
        look = formatting.style(status)
        return [
            (f"{formatting.glyph(status)} ", look),
            (f"{number}", f"bold {look}" if status is Status.FAILED else "bold"),
            (f" {word}{gap}", "$secondary"),
        ]

    def _slots(self) -> list[Part]:
        slots = self._queue.slots
        look = "$foreground" if self._busy < slots else "$warning"
        return [(f"{self._busy}/{slots}", look), (" slots", "$secondary")]

    def _disk(self) -> list[Part]:
        if self._space is None:
            return []
        if self._space.is_over:
            used = f"{formatting.size(self._space.used_bytes)} used"
            budget = f" of {formatting.size(self._space.budget_bytes)}"
            return [(" · ", "$secondary 60%"), (used, "bold $warning"), (budget, "$secondary")]
        look = "bold $warning" if self._space.is_low else "$foreground"
        free = formatting.size(self._space.free_bytes)
        return [(" · ", "$secondary 60%"), (free, look), (" free", "$secondary")]

    def _disk_in_brief(self) -> list[Part]:
        """Give a warning for where there is little room, beside the slots."""
        if self._space is None or not (self._space.is_over or self._space.is_low):
            return []
        words = "over budget" if self._space.is_over else "disk low"
        return [self._slots()[0], (" · ", "$secondary 60%"), (words, "bold $warning")]

    def _windows(self, windows: Iterable[LimitWindow], *, brief: bool) -> list[Part]:
        parts: list[Part] = []
        for text, tone in formatting.limits(windows, self._queue.now, brief=brief):
            parts += [(text, formatting.TONES[tone]), (" · ", "$faint")]
        return parts

    def _faulty(self) -> list[Part]:
        fault = self._queue.fault
        return [("\nFAULT", "bold $error"), (f" {clean(fault, 160)}", "")] if fault else []

    def _why_paused(self, width: int) -> list[Part]:
        pause = self._pause
        if pause is None:
            return []
        reason = clean(pause.reason, 80).removeprefix("paused ")
        parts: list[Part] = [("\nPAUSED", "bold $warning"), (f" {reason}", "")]
        if pause.until is not None:
            parts.append((f" · goes on in {clock(pause.until - self._queue.now)}", "$warning"))
        way_out: Part = ("  p goes on now", "$secondary")
        return [*parts, way_out] if _width([*parts, way_out]) <= width else parts


def _words(run: Run) -> tuple[str, bool]:
    """Give what a run counts as, and whether it holds a slot."""
    busy = run.status in lifecycle.ACTIVE
    if needs_me(run):
        return "needs you", busy
    if busy:
        return "running", True
    if run.status is Status.CANCELLED:
        return "cancelled", False  # by the user, who knows
    return ("queued" if run.status is Status.QUEUED else "done"), False


def _width(parts: list[Part]) -> int:
    return sum(Content(text).cell_length for text, _ in parts)

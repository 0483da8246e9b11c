"""The top lines: the screens, counts of runs, slots, limits, and the cause of a pause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from textual import events
from textual.content import Content
from textual.widget import Widget

from engine.domain import lifecycle
from engine.domain.activity import clock
from engine.domain.attention import Attention, attention_of, is_asking
from engine.domain.events import Event, LimitsSeen
from engine.domain.model import LimitWindow, Pause, Run
from engine.domain.queue import paused
from engine.domain.record import record
from tui import formatting
from tui.formatting.attention import COUNTED, attention_glyph, attention_style
from tui.terminal.cells import clean
from tui.widgets.status.screen_tabs import ScreenTab, screen_tabs, tab_at, tab_parts
from tui.widgets.status.toast import app_of

if TYPE_CHECKING:
    from engine.engine import DiskSpace

Part = tuple[str, str]
WIDE = 100
SLOTS_ROOM = 10
"""Cells that tabs leave for the slots."""


@record
class QueueState:
    """The state of the queue at `now`."""

    slots: int
    pause: Pause | None
    now: float
    fault: str = ""
    """The part of the program that fails at the moment, in one line."""


class TopBar(Widget):
    """Tabs above counters; more lines while the queue is paused or a part of the program fails.

    Runs that did not change cost nothing.
    """

    DEFAULT_CSS = """
    TopBar { dock: top; height: 2; padding: 0 1; text-wrap: nowrap; background: $surface; }
    TopBar.-paused, TopBar.-faulty { height: 3; }
    TopBar.-paused.-faulty { height: 4; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[str, tuple[Attention, bool, bool]] = {}
        self._counts: Counter[Attention] = Counter()
        self._busy = self._asking = 0
        self._queue = QueueState(0, None, 0.0)
        self._limits: tuple[LimitWindow, ...] = ()
        self._space: DiskSpace | None = None
        self._tabs: Sequence[ScreenTab] = ()
        self.keymap: Mapping[str, str] = {}
        """The user's own keys by command."""
        self._drawn = Content("")

    @property
    def counts(self) -> Mapping[Attention, int]:
        """Return the number of runs of each kind."""
        return {kind: self._counts[kind] for kind in COUNTED}

    def count_all(self, runs: Mapping[str, Run]) -> None:
        """Count all runs again, and show the limits of the one that reported some last."""
        self._kinds.clear()
        self._counts.clear()
        self._busy = self._asking = 0
        limited = [run for run in runs.values() if run.limits]
        if limited:
            self._limits = max(limited, key=lambda run: run.last_event_at).limits
        self.count(runs, runs)

    def count(self, runs: Mapping[str, Run], ids: Iterable[str]) -> None:
        """Count the runs in `ids` again."""
        for run_id in ids:
            if run_id in self._kinds:
                self._add(*self._kinds.pop(run_id), by=-1)
            if run_id in runs:
                run = runs[run_id]
                is_busy = run.status in lifecycle.ACTIVE
                self._kinds[run_id] = kind = attention_of(run), is_busy, is_asking(run)
                self._add(*kind, by=1)

    def _add(self, kind: Attention, busy: bool, asking: bool, by: int) -> None:
        self._counts[kind] += by
        self._busy += by * busy
        self._asking += by * asking

    def hear(self, events: Iterable[Event]) -> None:
        """Show the limits of the plan that a run reported last."""
        for event in events:
            if isinstance(event.body, LimitsSeen):
                self._limits = event.body.windows

    def tell(self, queue: QueueState) -> None:
        """Show the state of the queue; draws only what differs."""
        self._queue = queue
        self.set_class(self._pause is not None, "-paused")
        self.set_class(bool(queue.fault), "-faulty")
        self._draw()

    def tell_space(self, space: DiskSpace | None) -> None:
        """Show the space that is left on the disk."""
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

    async def on_click(self, event: events.Click) -> None:
        """Show the screen of the tab that was clicked."""
        offset = event.get_content_offset(self)
        tab = tab_at(self._tabs, offset.x) if offset is not None and not offset.y else None
        if tab:
            await app_of(self).run_action(f"app.{tab.action}")

    def _lines(self, width: int) -> Content:
        """Return tabs and slots, then counters and limits; below, the cause of a pause."""
        mode = app_of(self).current_mode
        self._tabs = screen_tabs(mode, self.keymap, width - SLOTS_ROOM, self._asking)
        tabs = tab_parts(self._tabs)
        room = width - _width(tabs)
        choices = ([*self._slots(), *self._disk()], self._disk_in_brief(), self._slots())
        slots = _first_fitting(choices, room)
        counters = [part for kind in COUNTED for part in self._count(kind, width >= WIDE)]
        limits = self._fitting_limits(width - _width(counters))
        return Content.assemble(
            *_spread(tabs, slots, width),
            "\n",
            *_spread(counters, limits, width),
            *self._why_paused(width),
            *self._faulty(),
        )

    def _fitting_limits(self, room: int) -> list[Part]:
        fullest = sorted(self._limits, key=lambda window: -window.used_percent)[:1]
        choices = ((self._limits, False), (self._limits, True), (fullest, True))
        found = [self._windows(windows, brief=brief) for windows, brief in choices]
        return _first_fitting(found, room)

    def _count(self, kind: Attention, is_wide: bool) -> list[Part]:
        number, gap = self._counts[kind], "   " if is_wide else "  "
        sign = attention_glyph(kind)
        if not number:
            return [(f"{sign} 0 {kind}{gap}", "$faint")]
        style = attention_style(kind)
        strong = f"bold {style}" if kind is Attention.NEEDS_YOU else "bold"
        return [(f"{sign} ", style), (f"{number}", strong), (f" {kind}{gap}", "$secondary")]

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
        """Return a warning for narrow screens, beside the slots."""
        if self._space is None or not (self._space.is_over or self._space.is_low):
            return []
        words = "over budget" if self._space.is_over else "disk low"
        return [self._slots()[0], (" · ", "$secondary 60%"), (words, "bold $warning")]

    def _windows(self, windows: Iterable[LimitWindow], *, brief: bool) -> list[Part]:
        parts: list[Part] = []
        for text, tone in formatting.limits(windows, self._queue.now, brief=brief):
            parts += [(" · ", "$faint")] if parts else []
            parts.append((text, formatting.TONES[tone]))
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
        hint: Part = ("  p goes on now", "$secondary")
        return [*parts, hint] if _width([*parts, hint]) <= width else parts


def _first_fitting(choices: Sequence[list[Part]], room: int) -> list[Part]:
    """Return the first of the texts that has room, and is not empty."""
    fitting = [parts for parts in choices if parts and _width(parts) < room]
    return fitting[0] if fitting else []


def _spread(left: list[Part], right: list[Part], width: int) -> list[Part]:
    """Return a line with parts at both of its ends."""
    return [*left, (" " * max(1, width - _width(left) - _width(right)), ""), *right]


def _width(parts: list[Part]) -> int:
    return sum(Content(text).cell_length for text, _ in parts)

"""The top lines: the screens, counts of runs, slots, limits, and the cause of a pause."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING

from textual import events
from textual.content import Content
from textual.widget import Widget

from engine.domain.activity import clock, held_words
from engine.domain.attention import Attention
from engine.domain.events import Event
from engine.domain.model import LimitWindow, Pause, Run
from engine.domain.queue import paused
from engine.domain.record import record
from engine.domain.usage import LimitCycle
from tui import formatting
from tui.commands import first_key
from tui.formatting.attention import COUNTED, attention_glyph, attention_style
from tui.models.run_standings import RunCounts, counts_of
from tui.terminal.cells import clean
from tui.widgets.status.limit_forecast import ForecastReader
from tui.widgets.status.screen_tabs import ScreenTab, screen_tabs, tab_at, tab_parts
from tui.widgets.status.toast import app_of

if TYPE_CHECKING:
    from engine.engine import DiskSpace

Part = tuple[str, str]
WIDE = 100
SLOTS_ROOM = 10
"""Cells that tabs leave for the slots."""
SAME_RESET_S = 600.0
"""Reports of the same reset differ by less than this."""
MORE_LINES = 3
"""Lines that there may be below the counters: a pause, nodes that are away, and a fault."""
BRIEF_ROOM = 5
"""Cells that they leave for the figures of the slots alone."""


@record
class QueueState:
    """The state of the queue at `now`."""

    slots: int
    pause: Pause | None
    now: float
    fault: str = ""
    """The part of the program that fails at the moment, in one line."""
    holds: tuple[Pause, ...] = ()
    """Accounts whose queued runs wait, to keep a reserve or to spread starts."""
    away: str = ""
    """The nodes that do not answer, with the number of their runs."""


class TopBar(Widget):
    """Tabs above counters; more lines while the queue is paused or a part of the program fails.

    Runs that did not change cost nothing.
    """

    DEFAULT_CSS = """
    TopBar { dock: top; height: 2; padding: 0 1; text-wrap: nowrap; background: $surface; }
    TopBar.-lines-1 { height: 3; }
    TopBar.-lines-2 { height: 4; }
    TopBar.-lines-3 { height: 5; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._queue = QueueState(0, None, 0.0)
        self._cycles: tuple[LimitCycle, ...] = ()
        self.forecast = ForecastReader(self, self._show_cycles)
        self._space: DiskSpace | None = None
        self._tabs: Sequence[ScreenTab] = ()
        self.keymap: Mapping[str, str] = {}
        """The user's own keys by command."""
        self.has_cluster = False
        """True if a cluster is set: its nodes have a tab then."""
        self._drawn = Content("")

    @property
    def _counts(self) -> RunCounts:
        return counts_of(app_of(self))

    @property
    def counts(self) -> Mapping[Attention, int]:
        """Return the number of runs of each kind."""
        return {kind: self._counts.kinds[kind] for kind in COUNTED}

    @property
    def news_at(self) -> float:
        """Return the time of the last event of any run."""
        return self._counts.news_at

    def count_all(self, runs: Mapping[str, Run]) -> None:
        """Count the runs that changed since, and show the limits that they reported last."""
        if rest := self._counts.count_all(runs):
            self.run_worker(self._count_rest(runs, rest), group="count", exclusive=True)

    async def _count_rest(self, runs: Mapping[str, Run], ids: Sequence[str]) -> None:
        """Count the other runs of a home with very many; keys are read between."""
        from tui.models.slices import slices  # few homes have as many

        async for some in slices(ids):
            self._counts.count_more(runs, some)
            self._draw()

    def count(self, runs: Mapping[str, Run], ids: Iterable[str]) -> None:
        """Count the runs in `ids` again."""
        self._counts.count(runs, ids)

    def hear(self, events: Iterable[Event], runs: Mapping[str, Run]) -> None:
        """Show the limits of the plan that runs reported last."""
        if self._counts.limits.hear(events, runs):
            self.forecast.notify()

    def _show_cycles(self, cycles: tuple[LimitCycle, ...]) -> None:
        """Show when windows are full, where that is before they reset."""
        self._cycles = cycles
        self._draw()

    def tell(self, queue: QueueState) -> None:
        """Show the state of the queue; draws only what differs."""
        self._queue = queue
        is_held = self._pause is not None or bool(queue.holds)
        more = is_held + bool(queue.fault) + bool(queue.away)
        for lines in range(1, MORE_LINES + 1):
            self.set_class(lines == more, f"-lines-{lines}")
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
        self._tabs = screen_tabs(
            mode,
            self.keymap,
            width - SLOTS_ROOM,
            self._counts.asking,
            most=width - BRIEF_ROOM,
            has_cluster=self.has_cluster,
        )
        tabs = tab_parts(self._tabs)
        room = width - _width(tabs)
        slots = self._slots()
        choices = ([*slots, *self._disk()], self._disk_in_brief(), slots, slots[:1])
        slots = _first_fitting(choices, room)
        return Content.assemble(
            *_spread(tabs, slots, width),
            "\n",
            *self._counters_and_limits(width),
            *(
                Content.assemble("\n", Content.assemble(*parts).truncate(width, ellipsis=True))
                for parts in (self._why_paused(width), self._away(width), self._faulty())
                if parts
            ),
        )

    def _counters_and_limits(self, width: int) -> list[Part]:
        """Return the second line; counters make room for a limit that is full before its reset."""
        full_at = self._full_at()
        kinds = [kind for kind in COUNTED if self._counts.kinds[kind]]
        counters = [
            self._counters(COUNTED, width),
            self._counters(kinds, width),
            self._counters(kinds, width, has_words=False),
        ]
        for parts in counters if full_at else counters[:1]:
            if limits := self._fitting_limits(full_at, width - _width(parts)):
                return _spread(parts, limits, width)
        return _spread(counters[0], [], width)

    def _counters(
        self, kinds: Sequence[Attention], width: int, *, has_words: bool = True
    ) -> list[Part]:
        gap = "   " if width >= WIDE else "  "
        words = (f" {kind}{gap}" if has_words else gap for kind in kinds)
        return [
            part
            for kind, word in zip(kinds, words, strict=True)
            for part in self._count(kind, word)
        ]

    def _fitting_limits(self, full_at: Mapping[str, float], room: int) -> list[Part]:
        account, known = self._counts.limits.shown(self._queue.now)
        # The narrower the bar, the more the window counts that is full first.
        urgent = sorted(known, key=lambda it: (full_at.get(it.name, inf), -it.used_percent))[:1]
        choices = ((known, False), (known, True), (urgent, True))
        found = [self._windows(windows, full_at, brief=brief) for windows, brief in choices]
        name = [(f"{clean(account, 20)} ", "$secondary")] if account else []
        named = [[*name, *parts] if parts else [] for parts in found]
        return _first_fitting([*named, *found], room)

    def _full_at(self) -> dict[str, float]:
        """Return when the shown windows are full before their reset, by name."""
        _, known = self._counts.limits.shown(self._queue.now)
        shown = {window.name: window for window in known}
        return {
            cycle.name: cycle.full_at
            for cycle in self._cycles
            if cycle.full_at is not None and _is_same(shown.get(cycle.name), cycle)
        }

    def _count(self, kind: Attention, word: str) -> list[Part]:
        number = self._counts.kinds[kind]
        sign = attention_glyph(kind)
        if not number:
            return [(f"{sign} 0{word}", "$faint")]
        style = attention_style(kind)
        strong = f"bold {style}" if kind is Attention.NEEDS_YOU else "bold"
        return [(f"{sign} ", style), (f"{number}", strong), (word, "$secondary")]

    def _slots(self) -> list[Part]:
        slots = self._queue.slots
        look = "$foreground" if self._counts.busy < slots else "$warning"
        return [(f"{self._counts.busy}/{slots}", look), (" slots", "$secondary")]

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

    def _windows(
        self, windows: Iterable[LimitWindow], full_at: Mapping[str, float], *, brief: bool
    ) -> list[Part]:
        parts: list[Part] = []
        now = self._queue.now
        for text, tone in formatting.limits(windows, now, brief=brief, full_at=full_at):
            parts += [(" · ", "$faint")] if parts else []
            parts.append((text, formatting.TONES[tone]))
        return parts

    def _away(self, width: int) -> list[Part]:
        """Return which nodes do not answer, and the key of the screen that shows them."""
        away = self._queue.away
        if not away:
            return []
        parts: list[Part] = [("NODES", "bold $warning"), (f" {clean(away, 200)}", "")]
        key = first_key("screen.nodes", self.keymap)
        return _with_hint(parts, f"{key} shows them", width) if key else parts

    def _faulty(self) -> list[Part]:
        fault = self._queue.fault
        return [("FAULT", "bold $error"), (f" {clean(fault, 160)}", "")] if fault else []

    def _why_paused(self, width: int) -> list[Part]:
        pause = self._pause
        if pause is None:
            words = (held_words(hold, self._queue.now) for hold in self._queue.holds)
            held = "; ".join(dict.fromkeys(words))
            held_parts: list[Part] = [("HELD", "bold $warning"), (f" {clean(held, 200)}", "")]
            return _with_hint(held_parts, "& starts a run now", width) if held else []
        reason = clean(pause.reason, 80).removeprefix("paused ")
        parts: list[Part] = [("PAUSED", "bold $warning"), (f" {reason}", "")]
        if pause.until is not None:
            parts.append((f" · goes on in {clock(pause.until - self._queue.now)}", "$warning"))
        return _with_hint(parts, "p goes on now", width)


def _with_hint(parts: list[Part], hint: str, width: int) -> list[Part]:
    """Return a text with the key that ends its condition, where there is room for it."""
    hinted = [*parts, (f"  {hint}", "$secondary")]
    return hinted if _width(hinted) <= width else parts


def _is_same(window: LimitWindow | None, cycle: LimitCycle) -> bool:
    """Return whether a forecast is of the window that is shown, and not of another account's."""
    if window is None or window.resets_at is None or cycle.resets_at is None:
        return window is not None and window.resets_at == cycle.resets_at
    return abs(window.resets_at - cycle.resets_at) < SAME_RESET_S


def _first_fitting(choices: Sequence[list[Part]], room: int) -> list[Part]:
    """Return the first of the texts that has room, and is not empty."""
    fitting = [parts for parts in choices if parts and _width(parts) < room]
    return fitting[0] if fitting else []


def _spread(left: list[Part], right: list[Part], width: int) -> list[Part]:
    """Return a line with parts at both of its ends."""
    return [*left, (" " * max(1, width - _width(left) - _width(right)), ""), *right]


def _width(parts: list[Part]) -> int:
    return sum(Content(text).cell_length for text, _ in parts)

"""The reader's place in a log: at its end, which is followed, or at an event, which stays."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tui.widgets.log.event_feed import HistoryPage
from tui.widgets.log.window_entry import LogPosition, WindowEntry

if TYPE_CHECKING:
    from tui.widgets.log.event_log import EventLog


class ReadingPlace:
    """The place in one log while its window changes."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.following = True
        """True if the end stays in view as events come."""
        self._is_arranging = False

    @contextmanager
    def steady(self) -> Generator[None]:
        """Keep the place while the window changes: the end, or the lines in view."""
        log = self._log
        cursor, top = log.window.place(log.cursor_line), log.window.place(log.scroll_offset.y)
        yield
        window = log.window
        self._is_arranging = True
        if self.following:
            log.set_lines(window.line_count, cursor=window.line_count - 1, top=window.line_count)
        else:
            line, first = window.line_of(cursor), window.line_of(top)
            log.set_lines(window.line_count, cursor=line or 0, top=first or 0)
        self._is_arranging = False

    def follow(self, following: bool) -> None:
        """Follow the end from now on, or stay and count new events."""
        self.following = following
        if following:
            self._log.waiting = 0
        elif self._log.feed:
            self._log.feed.mark_read()

    def go_to_end(self) -> None:
        """Put view and cursor on the last known event."""
        with self.steady():
            if self._log.feed:
                self._log.feed.take(following=True)

    async def go_to(self, number: int) -> None:
        """Put the cursor on the event numbered `number`, on its highlighted line if it has one."""
        log = self._log
        if log.window.find(number) is None:
            log.window.revealed.add(number)
            await log.pages.load(HistoryPage.AROUND, number)
        entry = log.window.find(number)
        if entry is None:
            return
        self.follow(False)
        line = self._lit_line(entry)
        if line is None and not entry.is_open and log.window.can_unfold(entry):
            self.toggle(entry)
            line = self._lit_line(entry)
        line = (log.window.line_of(LogPosition(number, 0)) if line is None else line) or 0
        if line not in log.visible_lines():
            log.scroll_to(y=line - log.page // 3, animate=False, force=True)
        log.move_cursor(line)
        self.follow(False)  # even on the last line the reader stays at this event

    def toggle(self, entry: WindowEntry) -> None:
        """Unfold an event, or fold it."""
        self._log.paint.forget_strips()
        with self.steady():
            self._log.window.toggle(entry)

    def _lit_line(self, entry: WindowEntry) -> int | None:
        lit = self._log.lines_look.lit
        for index, row in enumerate(entry.rows if lit else ()):
            if lit and lit.search(row.text):
                return self._log.window.line_of(LogPosition(entry.seq, index))
        return None

    def scrolled(self) -> None:
        """Follow if the reader scrolled to the end, else stay."""
        log = self._log
        if self._is_arranging:
            return
        if self._update(log.pages.has_end and log.scroll_offset.y >= log.max_scroll_y):
            self.go_to_end()
        log.pages.near_edge()

    def cursor_moved(self) -> None:
        """Follow if the cursor is on the last line, else stay."""
        log = self._log
        self._update(log.pages.has_end and log.cursor_line == log.line_count - 1)
        log.pages.near_edge()

    def _update(self, is_end: bool) -> bool:
        """Follow or stay; return whether the end is followed from now on."""
        if is_end == self.following or (is_end and self._log.is_held):
            return False
        self.follow(is_end)
        return is_end

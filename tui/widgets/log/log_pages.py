"""Pages of a log: fetched as the reader comes near them, and live events put behind them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from engine.domain.errors import UserError
from engine.domain.events import Event
from tui.widgets.base.throttle import Throttle
from tui.widgets.log.event_feed import EventFeed, HistoryPage, HistorySource, Numbered
from tui.widgets.log.event_window import EventWindow, LogContents

if TYPE_CHECKING:
    from tui.widgets.log.event_log import EventLog

_NEW_WINDOW = (HistoryPage.FIRST, HistoryPage.LAST, HistoryPage.AROUND)


class LogPages:
    """The events that a log shows, page by page; `feed` has those in memory."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.feed: EventFeed | None = None
        self._no_window = EventWindow()
        self._left: EventWindow | None = None
        self._pace = Throttle(log, self._flush)

    @property
    def window(self) -> EventWindow:
        """The events in memory; until the first page of a log is there, those shown before."""
        return self._left or (self.feed.window if self.feed else self._no_window)

    @property
    def has_end(self) -> bool:
        """True if the window reaches to the latest event."""
        return self.feed is None or self.feed.has_end

    async def open(self, history: HistorySource, contents: LogContents) -> None:
        """Show the end of a log; the one shown before stays until its first page is there."""
        left = self.window
        self.close()
        self.feed = EventFeed(history, contents)
        self._left = left
        await self.load(HistoryPage.LAST)

    def close(self) -> None:
        """Show nothing."""
        log = self._log
        log.selection.end()
        self.feed = self._left = None
        log.place.follow(True)
        log.status.show("")

    def append(self, events: Iterable[Event]) -> None:
        """Add live events; known ones, and those that do not belong here, are skipped."""
        if self.feed is None:
            return
        self.feed.hear(events)
        if self.feed.has_news:
            self._pace.ask()

    def _flush(self) -> None:
        feed, place = self.feed, self._log.place
        if feed is None or feed.loading in _NEW_WINDOW:
            return  # the page's arrival does it
        with place.steady():
            is_whole = feed.take(following=place.following)
        self._count_waiting()
        if is_whole:
            self.near_edge()
            self._log.post_message(self._log.Grown())
        elif feed.loading is None:
            is_far = place.following and feed.is_direct
            self.fetch(HistoryPage.LAST if is_far else HistoryPage.NEWER)

    def _count_waiting(self) -> None:
        if self.feed and not self._log.place.following:
            self._log.waiting = self.feed.unread

    def fetch(self, page: HistoryPage, number: int = 0) -> None:
        """Load a page in the background."""
        self._log.run_worker(partial(self.load, page, number), group="event-log")

    async def load(self, page: HistoryPage, number: int = 0) -> None:
        """Load a page; `number` is the event that a page around an event is for."""
        feed = self.feed
        if feed is None:
            return
        try:
            found = await feed.fetch(page, number)
        except UserError as error:
            self._leave()
            self._log.status.show(f"{error.message} {error.recovery}")
            return
        if found is not None and feed is self.feed:
            self._arrived(feed, page, found)

    def _leave(self) -> None:
        """Drop the old log that is still shown."""
        if self._left:
            self._left = None
            self._log.paint.forget_strips()
            self._log.styles_changed()

    def _arrived(self, feed: EventFeed, page: HistoryPage, found: list[Numbered]) -> None:
        self._leave()
        place = self._log.place
        if page in _NEW_WINDOW:
            place.follow(page is HistoryPage.LAST)
        with place.steady():
            feed.arrived(page, found)
            is_later = page in (HistoryPage.LAST, HistoryPage.NEWER)
            if is_later and not feed.take(following=place.following) and feed.is_direct:
                feed.give_up_gap()
        if page is HistoryPage.FIRST:
            self._log.move_cursor(0)
        self._count_waiting()
        if feed.has_news:
            self._pace.ask()
        if place.following and not feed.has_end:
            self.fetch(HistoryPage.LAST)  # more events came than fit before the end
        else:
            self.near_edge()
        self._log.post_message(self._log.Grown())

    def near_edge(self) -> None:
        """Fetch the next page if the reader is near an end of the window."""
        feed, log = self.feed, self._log
        if feed is None or feed.loading or not feed.window.last_seq:
            return
        top = log.scroll_offset.y
        if not feed.has_start and top < log.page:
            self.fetch(HistoryPage.OLDER)
        elif not feed.has_end and top + 2 * log.page >= log.line_count:
            self.fetch(HistoryPage.NEWER)

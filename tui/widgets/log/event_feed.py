"""Source of a log's events: pages of the stored ones, and the live ones after them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto
from typing import Protocol

from engine.domain.events import Event
from engine.domain.kinds import EventKind
from tui.widgets.log.event_window import EventWindow, LogContents

PAGE = 400
"""Events fetched at a time."""

END = 2**62


Numbered = tuple[int, Event]
"""An event and its number: its seq, or its place among the events of all runs."""


class HistorySource(Protocol):
    """The stored events of a run, or of all, as `Engine.history` provides them."""

    run: str | None
    kind: EventKind

    async def page(
        self, *, after: int = 0, before: int | None = None, limit: int
    ) -> list[Numbered]:
        """Return the first events numbered above `after`, or the last ones below `before`."""
        ...

    async def matching(self, text: str, *, above: int, upto: int) -> list[int]:
        """Return the numbers of the events that contain `text`."""
        ...

    async def last(self) -> int:
        """Return the number of the newest event."""
        ...


class HistoryPage(Enum):
    """A part of the stored events, relative to the window."""

    FIRST = auto()
    LAST = auto()
    OLDER = auto()
    NEWER = auto()
    AROUND = auto()


class EventFeed:
    """A log's events: those in the window, and those that wait to go in.

    In the whole log of a run, live events are the next ones. In a choice from it, or in the log of
    all runs, they only show that there is something new in the store.
    """

    def __init__(self, history: HistorySource, contents: LogContents | None = None) -> None:
        self.run = history.run
        self.history = history
        self.window = EventWindow(contents)
        self.known = 0
        """The number of the latest known event."""
        self._read = self._unseen = 0
        """The latest known event when the reader left the end, and hidden ones after it."""
        self.has_start = self.has_end = True
        self.loading: HistoryPage | None = None
        self.is_direct = self.run is not None and not history.kind.sorts
        """True if live events go into the window as they are."""
        self._request = 0
        self._pending: list[Event] = []
        self._is_behind = False

    async def fetch(self, page: HistoryPage, number: int = 0) -> list[Numbered] | None:
        """Return a page; None when a later request replaced this one. Raises `UserError`.

        `number` is where the page around an event is.
        """
        self._request += 1
        request, self.loading = self._request, page
        self._is_behind = False
        try:
            found = await self._get(page, number)
        finally:
            if request == self._request:
                self.loading = None
        return found if request == self._request else None

    async def _get(self, page: HistoryPage, number: int) -> list[Numbered]:
        get = self.history.page
        match page:
            case HistoryPage.FIRST:
                return await get(after=0, limit=PAGE)
            case HistoryPage.LAST:
                return await get(before=END, limit=PAGE)
            case HistoryPage.OLDER:
                return await get(before=self.window.first_seq, limit=PAGE)
            case HistoryPage.NEWER:
                return await get(after=self.window.last_seq, limit=PAGE)
            case HistoryPage.AROUND:
                earlier = await get(before=number, limit=PAGE // 2)
                return earlier + await get(after=number - 1, limit=PAGE // 2)

    def arrived(self, page: HistoryPage, found: list[Numbered]) -> None:
        """Put a page into the window."""
        window, is_whole = self.window, len(found) < PAGE
        match page:
            case HistoryPage.OLDER:
                window.prepend(found)
                self.has_start = is_whole
                self.has_end = not window.trim_end() and self.has_end
                return
            case HistoryPage.NEWER:
                window.append(found)
                self.has_start = not window.trim_start() and self.has_start
                self.has_end = is_whole
            case HistoryPage.FIRST:
                window.replace(found)
                self.has_start, self.has_end = True, is_whole
            case HistoryPage.LAST:
                window.replace(found)
                self.has_start, self.has_end = is_whole or window.first_seq == 1, True
            case HistoryPage.AROUND:
                window.replace(found)
                self.has_start = self.has_end = False
        self.known = max(self.known, window.last_seq)

    def hear(self, events: Iterable[Event]) -> None:
        """Accept live events that belong here and are not known yet."""
        for event in events:
            if self.run not in (None, event.run):
                continue
            if not self.is_direct:
                self._is_behind = True
            elif event.seq > self.known:
                self.known = event.seq
                self._pending.append(event)
                self._unseen += not self.window.is_shown(event.seq, event)

    @property
    def has_news(self) -> bool:
        """True if a live event is not in the window yet, though it belongs there."""
        return bool(self._pending) or self._is_behind

    def mark_read(self) -> None:
        """Count as unread only events that come from now on."""
        self._read, self._unseen = self.known, 0

    @property
    def unread(self) -> int:
        """The number of events that came after the reader left the end."""
        if self.is_direct:
            return self.known - self._read - self._unseen
        return self.window.count_after(self._read)

    def take(self, *, following: bool) -> bool:
        """Put live events into the window; return False when a page has to be fetched first.

        A reader who is elsewhere keeps the window: events that do not fit are fetched later.
        """
        if self._is_behind:
            self.has_end = self.has_end and (following or not self.window.is_full)
            self._is_behind = self.has_end
            return not self.has_end
        pending = [event for event in self._pending if event.seq > self.window.last_seq]
        if pending and not following and self.window.is_full:
            self.has_end = False
        if not self.has_end:
            self._pending = []
            return True
        if pending and pending[0].seq != self.window.last_seq + 1:
            self._pending = pending
            return False
        self._pending = []
        if following and len(pending) > PAGE:
            self.window.replace((event.seq, event) for event in pending[-PAGE:])
            self.has_start = False
        else:
            self.window.append((event.seq, event) for event in pending)
        if following and self.window.trim_start():
            self.has_start = False
        return True

    def give_up_gap(self) -> None:
        """Accept that the events before the pending ones are missing."""
        self.window.replace((event.seq, event) for event in self._pending[-PAGE:])
        self._pending = []
        self.has_start, self.has_end = False, True

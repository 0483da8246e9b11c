"""Where a log's events come from: pages of the stored ones, and the live ones after them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto
from typing import Protocol

from engine.domain.events import Event
from tui.widgets.event_window import EventWindow

PAGE = 400
"""Events fetched at a time."""

END = 2**62


class Fetch(Protocol):
    """How a log gets a run's events: the signature of `Engine.events`."""

    async def __call__(
        self, run: str, *, after: int = 0, before: int | None = None, limit: int = -1
    ) -> list[Event]:
        """Give the events with seq > after, or the last `limit` with seq < before."""
        ...


class Page(Enum):
    """A stretch of the stored events, seen from the window."""

    FIRST = auto()
    LAST = auto()
    OLDER = auto()
    NEWER = auto()


class EventFeed:
    """One run's events: those in the window, those still waiting to go in, and what is missing."""

    def __init__(self, run: str, fetch: Fetch) -> None:
        self.run = run
        self.window = EventWindow()
        self.known = 0
        """The seq of the latest event heard of."""
        self.has_start = self.has_end = True
        self.loading: Page | None = None
        self._fetch = fetch
        self._request = 0
        self._pending: list[Event] = []

    async def fetch(self, page: Page) -> list[Event] | None:
        """Get a page; None when a later request made it pointless. Raises `UserError`."""
        self._request += 1
        request, self.loading = self._request, page
        try:
            found = await self._get(page)
        finally:
            if request == self._request:
                self.loading = None
        return found if request == self._request else None

    async def _get(self, page: Page) -> list[Event]:
        match page:
            case Page.FIRST:
                return await self._fetch(self.run, after=0, limit=PAGE)
            case Page.LAST:
                return await self._fetch(self.run, before=END, limit=PAGE)
            case Page.OLDER:
                return await self._fetch(self.run, before=self.window.first_seq, limit=PAGE)
            case Page.NEWER:
                return await self._fetch(self.run, after=self.window.last_seq, limit=PAGE)

    def arrived(self, page: Page, found: list[Event]) -> None:
        """Put a page into the window."""
        window, is_whole = self.window, len(found) < PAGE
        match page:
            case Page.OLDER:
                window.prepend(found)
                self.has_start = is_whole
                self.has_end = not window.trim_end() and self.has_end
                return
            case Page.NEWER:
                window.append(found)
                self.has_start = not window.trim_start() and self.has_start
                self.has_end = is_whole
            case Page.FIRST:
                window.replace(found)
                self.has_start, self.has_end = True, is_whole
            case Page.LAST:
                window.replace(found)
                self.has_start, self.has_end = is_whole or window.first_seq == 1, True
        self.known = max(self.known, window.last_seq)

    def hear(self, events: Iterable[Event]) -> None:
        """Take in live events of this run that are not known yet."""
        for event in events:
            if event.run == self.run and event.seq > self.known:
                self.known = event.seq
                self._pending.append(event)

    @property
    def has_news(self) -> bool:
        """Whether something heard is not in the window yet, though it belongs there."""
        return bool(self._pending)

    def take(self, *, following: bool) -> bool:
        """Put what was heard into the window; False when a page has to be fetched first.

        A reader who is elsewhere keeps the window as it is: what does not fit is fetched later.
        """
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
            self.window.replace(pending[-PAGE:])
            self.has_start = False
        else:
            self.window.append(pending)
        if following and self.window.trim_start():
            self.has_start = False
        return True

    def give_up_gap(self) -> None:
        """Accept that what is missing before the pending events is nowhere to be had."""
        self.window.replace(self._pending[-PAGE:])
        self._pending = []
        self.has_start, self.has_end = False, True

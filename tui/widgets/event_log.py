"""The log of one run: it follows the end until the reader scrolls up, and then stays."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from time import monotonic
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.reactive import reactive
from textual.strip import Strip

from engine.domain.errors import UserError
from engine.domain.events import Event
from tui import show
from tui.cells import clean
from tui.widgets.event_feed import EventFeed, Fetch, Page
from tui.widgets.event_window import EventWindow, Place
from tui.widgets.line_view import MOVES, LineView
from tui.widgets.log_line import segments, text_width

FLUSH_S = 0.1
"""Live events are painted at most this often."""


class EventLog(LineView):
    """The events of a run, a few pages of them at a time."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *MOVES,
        Binding("enter", "unfold", "unfold", tooltip="Unfold or fold the event", id="log.unfold"),
        Binding("F", "follow", "follow", show=False, id="log.follow"),
    ]

    waiting: reactive[int] = reactive(0)
    """Events that came since the reader left the end."""
    wrap: reactive[bool] = reactive(False)
    """Whether long lines are wrapped instead of cut."""

    def __init__(
        self,
        *,
        title: str = "Log",
        empty_text: str = "Nothing has happened yet.",
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(title=title, empty_text=empty_text, name=name, id=id, classes=classes)
        self._feed: EventFeed | None = None
        self._no_window = EventWindow()
        self._following = True
        self._read = 0
        self._arranging = False
        self._flushed_at = 0.0
        self._flush_is_due = False

    # The run shown

    @property
    def run_id(self) -> str | None:
        """The id of the run shown."""
        return self._feed.run if self._feed else None

    @property
    def following(self) -> bool:
        """Whether the end stays in view as events come."""
        return self._following

    @property
    def window(self) -> EventWindow:
        """The events in memory."""
        return self._feed.window if self._feed else self._no_window

    async def open(self, run_id: str, fetch: Fetch) -> None:
        """Show the end of a run's log; what is appended meanwhile is not lost."""
        self.close()
        self._feed = EventFeed(run_id, fetch)
        self.styles_changed()
        await self._load(Page.LAST)

    def close(self) -> None:
        """Show nothing."""
        self._feed = None
        self._follow(True)
        self.forget_strips()
        self.set_lines(0, cursor=0, top=0)

    def append(self, events: Iterable[Event]) -> None:
        """Take in what happened to the run; other runs' events and known ones are skipped."""
        if self._feed is None:
            return
        self._feed.hear(events)
        if not self._feed.has_news or self._flush_is_due:
            return
        since = monotonic() - self._flushed_at
        if since >= FLUSH_S:
            self._flush()
        else:
            self._flush_is_due = True
            self.set_timer(FLUSH_S - since, self._flush)

    def _flush(self) -> None:
        self._flush_is_due = False
        feed = self._feed
        if feed is None or feed.loading in (Page.FIRST, Page.LAST):
            return  # the page's arrival does it
        self._flushed_at = monotonic()
        if not self._following:
            self.waiting = feed.known - self._read
        with self._steady():
            is_whole = feed.take(following=self._following)
        if not is_whole:
            self._fetch(Page.LAST if self._following else Page.NEWER)

    # Pages

    def _fetch(self, page: Page) -> None:
        self.run_worker(self._load(page), group="event-log")

    async def _load(self, page: Page) -> None:
        feed = self._feed
        if feed is None:
            return
        try:
            found = await feed.fetch(page)
        except UserError as error:
            self._say(f"{error.message} {error.recovery}")
            return
        if found is None or feed is not self._feed:
            return
        if page in (Page.FIRST, Page.LAST):
            self._follow(page is Page.LAST)
        with self._steady():
            feed.arrived(page, found)
            if page in (Page.LAST, Page.NEWER) and not feed.take(following=self._following):
                feed.give_up_gap()
        if page is Page.FIRST:
            self.move_cursor(0)
        self._fetch_what_is_near()

    def _fetch_what_is_near(self) -> None:
        feed = self._feed
        if feed is None or feed.loading or not feed.window.entries:
            return
        top = self.scroll_offset.y
        if not feed.has_start and top < self.page:
            self._fetch(Page.OLDER)
        elif not feed.has_end and top + 2 * self.page >= self.line_count:
            self._fetch(Page.NEWER)

    # What is in view

    @contextmanager
    def _steady(self) -> Generator[None]:
        """Let the window change; what the reader looks at stays, or the end does."""
        window = self.window
        cursor, top = window.place(self.cursor_line), window.place(self.scroll_offset.y)
        yield
        count = window.line_count
        self._arranging = True
        if self._following:
            self.set_lines(count, cursor=count - 1, top=count)
        else:
            line, first = window.line_of(cursor), window.line_of(top)
            self.set_lines(count, cursor=line or 0, top=first or 0)
        self._arranging = False

    def _follow(self, following: bool) -> None:
        self._following = following
        if following:
            self.waiting = 0
        else:
            self._read = self._feed.known if self._feed else 0

    @property
    def _has_end(self) -> bool:
        return self._feed is None or self._feed.has_end

    def view_scrolled(self) -> None:
        """Follow where the reader reached the end, else stay, and fetch what comes into view."""
        if self._arranging:
            return
        is_end = self._has_end and self.scroll_offset.y >= self.max_scroll_y
        if is_end != self._following:
            self._follow(is_end)
            if is_end:
                self._to_end()
        self._fetch_what_is_near()

    def cursor_moved(self) -> None:
        """Follow where the cursor is on the last line, else stay."""
        is_end = self._has_end and self.cursor_line == self.line_count - 1
        if is_end != self._following:
            self._follow(is_end)

    def styles_changed(self) -> None:
        """Lay the events out for the width at hand."""
        if self.is_attached:
            with self._steady():
                width = text_width(self.scrollable_content_region.width)
                self.window.resize(width, wraps=self.wrap)

    def watch_wrap(self) -> None:
        """Lay the events out with their lines wrapped, or cut."""
        self.forget_strips()
        self.styles_changed()

    def watch_waiting(self, waiting: int) -> None:
        """Say in the border how much came since the reader left the end."""
        self._say(f"{waiting} new {show.sign('·', '-')} F follows" if waiting else "")

    def _say(self, text: str) -> None:
        self.border_subtitle = Content(clean(text, 300))

    # What the reader asks for

    def action_follow(self) -> None:
        """Go to the end and stay there."""
        if self._has_end:
            self._follow(True)
            self._to_end()
        else:
            self._fetch(Page.LAST)

    def _to_end(self) -> None:
        with self._steady():
            if self._feed:
                self._feed.take(following=True)

    def action_cursor_bottom(self) -> None:
        """Go to the end and follow it."""
        self.action_follow()

    def action_cursor_top(self) -> None:
        """Go to the run's first event."""
        if self._feed and not self._feed.has_start:
            self._fetch(Page.FIRST)
        else:
            super().action_cursor_top()

    def action_unfold(self) -> None:
        """Unfold the event under the cursor, or fold it."""
        if not self.line_count:
            return
        place = self.window.place(self.cursor_line)
        self.forget_strips()
        self._follow(False)
        with self._steady():
            self.window.toggle(self.cursor_line)
        first = self.window.line_of(Place(place.seq, 0)) if place else None
        self.move_cursor(self.cursor_line if first is None else first)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the click is; a double click unfolds."""
        line = self.line_at(event)
        if line is None:
            return
        self.move_cursor(line)
        if event.chain == 2:
            self.action_unfold()

    # Drawing

    def draw(self, line: int, width: int) -> Strip:
        """Draw one line of the window."""
        entry, row, place = self.window.at(line)
        cursor = line == self.cursor_line
        key = (place, width, cursor)
        return self.kept(key) or self.keep(
            key, self.strip(segments(self, entry, row, width, cursor=cursor), width, cursor=cursor)
        )

"""The log of one run: it follows the end until the reader scrolls up, and then stays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.strip import Strip

from engine.domain.errors import UserError
from engine.domain.events import Event
from tui import commands
from tui.widgets.event_feed import EventFeed, Fetch, Page
from tui.widgets.event_window import Place
from tui.widgets.line_view import MOVES
from tui.widgets.log_line import segments
from tui.widgets.pace import Pace
from tui.widgets.window_view import WindowView


class EventLog(WindowView):
    """The events of a run, a few pages of them at a time."""

    BINDINGS: ClassVar[list[BindingType]] = [*MOVES, *commands.bindings("log")]

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
        self._pace = Pace(self, self._flush)

    # The run shown

    @property
    def run_id(self) -> str | None:
        """The id of the run shown."""
        return self.feed.run if self.feed else None

    async def open(self, run_id: str, fetch: Fetch) -> None:
        """Show the end of a run's log; what is appended meanwhile is not lost."""
        self.close()
        self.feed = EventFeed(run_id, fetch)
        self.styles_changed()
        await self._load(Page.LAST)

    def close(self) -> None:
        """Show nothing."""
        self.feed = None
        self.follow_end(True)
        self.say("")
        self.forget_strips()
        self.set_lines(0, cursor=0, top=0)

    def append(self, events: Iterable[Event]) -> None:
        """Take in what happened to the run; other runs' events and known ones are skipped."""
        if self.feed is None:
            return
        self.feed.hear(events)
        if self.feed.has_news:
            self._pace.ask()

    def _flush(self) -> None:
        feed = self.feed
        if feed is None or feed.loading in (Page.FIRST, Page.LAST):
            return  # the page's arrival does it
        if not self.following:
            self.waiting = feed.known - self.read_seq
        with self.steady():
            is_whole = feed.take(following=self.following)
        if is_whole:
            self.near_edge()
        elif feed.loading is None:
            self._fetch(Page.LAST if self.following else Page.NEWER)

    # Pages

    def _fetch(self, page: Page) -> None:
        self.run_worker(self._load(page), group="event-log")

    async def _load(self, page: Page) -> None:
        feed = self.feed
        if feed is None:
            return
        try:
            found = await feed.fetch(page)
        except UserError as error:
            self.say(f"{error.message} {error.recovery}")
            return
        if found is None or feed is not self.feed:
            return
        if page in (Page.FIRST, Page.LAST):
            self.follow_end(page is Page.LAST)
        with self.steady():
            feed.arrived(page, found)
            if page in (Page.LAST, Page.NEWER) and not feed.take(following=self.following):
                feed.give_up_gap()
        if page is Page.FIRST:
            self.move_cursor(0)
        if feed.has_news:
            self._flush()
        self.near_edge()

    def near_edge(self) -> None:
        """Fetch the page the reader comes near to."""
        feed = self.feed
        if feed is None or feed.loading or not feed.window.entries:
            return
        top = self.scroll_offset.y
        if not feed.has_start and top < self.page:
            self._fetch(Page.OLDER)
        elif not feed.has_end and top + 2 * self.page >= self.line_count:
            self._fetch(Page.NEWER)

    # What the reader asks for

    def action_follow(self) -> None:
        """Go to the end and stay there."""
        if self.has_end:
            self.follow_end(True)
            self.go_to_end()
        else:
            self._fetch(Page.LAST)

    def action_cursor_bottom(self) -> None:
        """Go to the end and follow it."""
        self.action_follow()

    def action_cursor_top(self) -> None:
        """Go to the run's first event."""
        if self.feed and not self.feed.has_start:
            self._fetch(Page.FIRST)
        else:
            super().action_cursor_top()

    def action_unfold(self) -> None:
        """Unfold the event under the cursor, or fold it."""
        if not self.line_count:
            return
        entry, _, _ = self.window.at(self.here)
        if not self.window.can_unfold(entry):
            return
        self.forget_strips()
        self.follow_end(False)
        with self.steady():
            self.window.toggle(entry)
        self.move_cursor(self.window.line_of(Place(entry.seq, 0)) or 0)

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

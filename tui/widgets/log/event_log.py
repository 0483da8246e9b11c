"""A log of events: it follows the end until the reader scrolls up, and then stays."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.strip import Strip

from engine.domain.errors import UserError
from engine.domain.events import Event
from engine.domain.kinds import USUAL, EventKind
from tui import commands
from tui.widgets.base.line_view import MOVES
from tui.widgets.base.throttle import Throttle
from tui.widgets.log.event_feed import EventFeed, HistoryPage, HistorySource, Numbered
from tui.widgets.log.event_window import LogContents
from tui.widgets.log.log_line import segments
from tui.widgets.log.range_view import RangeView
from tui.widgets.log.window_entry import LogPosition

NOTHING = "Nothing has happened yet."


class EventLog(RangeView):
    """The events of a run, or of all, a few pages of them at a time."""

    BINDINGS: ClassVar[list[BindingType]] = [*MOVES, *commands.bindings("log")]

    class EventOpened(Message):
        """The reader asked for the file of an event, by the event's name for it."""

        def __init__(self, run: str, path: str) -> None:
            super().__init__()
            self.run, self.path = run, path

    class Grown(Message):
        """New events are in the log."""

    def __init__(
        self,
        *,
        title: str = "Log",
        empty_text: str = NOTHING,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(title=title, empty_text=empty_text, name=name, id=id, classes=classes)
        self._pace = Throttle(self, self._flush)
        self.has_bookkeeping = False
        """Whether the whole log shows stages, checkpoints, tokens and artifacts."""

    # Contents

    @property
    def run_id(self) -> str | None:
        """The id of the run shown; None too where it is all of them."""
        return self.feed.run if self.feed else None

    async def open(self, history: HistorySource) -> None:
        """Show the end of a log; events appended meanwhile are not lost.

        The old log stays until then: an empty one in between would only flicker.
        """
        left = self.window
        self._close()
        self.feed = EventFeed(history, self._contents(history.kind))
        self._left = left
        await self._load(HistoryPage.LAST)

    def _contents(self, kind: EventKind) -> LogContents:
        is_usual, runs = kind is USUAL, self.lines_look.runs
        return LogContents(
            has_bookkeeping=self.has_bookkeeping or not is_usual,
            folds_usage=is_usual,
            folds_edits=is_usual or bool(kind.sorts),
            prompt_of=runs.prompt if runs else None,
        )

    def show_bookkeeping(self, shown: bool) -> None:
        """Show or hide book-keeping; the reader stays at the same event."""
        self.has_bookkeeping = shown
        if feed := self.feed:
            feed.window.contents = self._contents(feed.history.kind)
            page = HistoryPage.LAST if self.following else HistoryPage.AROUND
            self.run_worker(partial(self._load, page, self.here_seq), group="event-log")

    def close(self) -> None:
        """Show nothing."""
        self._close()
        self.paint.forget_strips()
        self.set_lines(0, cursor=0, top=0)

    def _close(self) -> None:
        self.end_range()
        self.feed = self._left = None
        self.follow_end(True)
        self.say("")

    def _leave(self) -> None:
        """Drop the old log that is still shown."""
        if self._left:
            self._left = None
            self.paint.forget_strips()
            self.styles_changed()

    def append(self, events: Iterable[Event]) -> None:
        """Add live events; known ones, and those that do not belong here, are skipped."""
        if self.feed is None:
            return
        self.feed.hear(events)
        if self.feed.has_news:
            self._pace.ask()

    def _flush(self) -> None:
        feed = self.feed
        if feed is None or feed.loading in (
            HistoryPage.FIRST,
            HistoryPage.LAST,
            HistoryPage.AROUND,
        ):
            return  # the page's arrival does it
        with self.steady():
            is_whole = feed.take(following=self.following)
        self._count_waiting()
        if is_whole:
            self.near_edge()
            self.post_message(self.Grown())
        elif feed.loading is None:
            self._fetch(
                HistoryPage.LAST if self.following and feed.is_direct else HistoryPage.NEWER
            )

    def _count_waiting(self) -> None:
        if self.feed and not self.following:
            self.waiting = self.feed.unread

    # Pages

    def _fetch(self, page: HistoryPage) -> None:
        self.run_worker(partial(self._load, page), group="event-log")

    async def _load(self, page: HistoryPage, number: int = 0) -> None:
        feed = self.feed
        if feed is None:
            return
        try:
            found = await feed.fetch(page, number)
        except UserError as error:
            self._leave()
            self.say(f"{error.message} {error.recovery}")
            return
        if found is not None and feed is self.feed:
            self._arrived(feed, page, found)

    def _arrived(self, feed: EventFeed, page: HistoryPage, found: list[Numbered]) -> None:
        self._leave()
        if page in (HistoryPage.FIRST, HistoryPage.LAST, HistoryPage.AROUND):
            self.follow_end(page is HistoryPage.LAST)
        with self.steady():
            feed.arrived(page, found)
            is_later = page in (HistoryPage.LAST, HistoryPage.NEWER)
            if is_later and not feed.take(following=self.following) and feed.is_direct:
                feed.give_up_gap()
        if page is HistoryPage.FIRST:
            self.move_cursor(0)
        self._count_waiting()
        if feed.has_news:
            self._pace.ask()
        if self.following and not feed.has_end:
            self._fetch(HistoryPage.LAST)  # more events came than fit before the end
        else:
            self.near_edge()
        self.post_message(self.Grown())

    def near_edge(self) -> None:
        """Fetch the next page if the reader is near an end of the window."""
        feed = self.feed
        if feed is None or feed.loading or not feed.window.last_seq:
            return
        top = self.scroll_offset.y
        if not feed.has_start and top < self.page:
            self._fetch(HistoryPage.OLDER)
        elif not feed.has_end and top + 2 * self.page >= self.line_count:
            self._fetch(HistoryPage.NEWER)

    # Actions

    @property
    def here_seq(self) -> int:
        """The number of the event under the cursor; 0 where there is none."""
        place = self.window.place(self.cursor_line)
        return place.seq if place else 0

    async def go_to(self, number: int) -> None:
        """Put the cursor on the event numbered `number`, on its highlighted line if it has one."""
        if self.window.find(number) is None:
            self.window.revealed.add(number)
            await self._load(HistoryPage.AROUND, number)
        entry = self.window.find(number)
        if entry is None:
            return
        self.follow_end(False)
        line = self._lit_line(number)
        if line is None and not entry.is_open and self.window.can_unfold(entry):
            self.paint.forget_strips()
            with self.steady():
                self.window.toggle(entry)
            line = self._lit_line(number)
        line = (self.window.line_of(LogPosition(number, 0)) if line is None else line) or 0
        if line not in self.visible_lines():
            self.scroll_to(y=line - self.page // 3, animate=False, force=True)
        self.move_cursor(line)
        self.follow_end(False)  # even on the last line the reader stays at this event

    def _lit_line(self, number: int) -> int | None:
        entry, lit = self.window.find(number), self.lines_look.lit
        for index, row in enumerate(entry.rows if entry and lit else ()):
            if lit and lit.search(row.text):
                return self.window.line_of(LogPosition(number, index))
        return None

    def action_follow(self) -> None:
        """Go to the end and stay there."""
        self.end_range()
        if self.has_end:
            self.follow_end(True)
            self.go_to_end()
        else:
            self._fetch(HistoryPage.LAST)

    def action_cursor_bottom(self) -> None:
        """Go to the end and follow it."""
        if self.is_ranging and self.has_end:
            super().action_cursor_bottom()
        else:
            self.action_follow()

    def action_cursor_top(self) -> None:
        """Go to the first event."""
        if self.feed and not self.feed.has_start and not self.is_ranging:
            self._fetch(HistoryPage.FIRST)
        else:
            super().action_cursor_top()

    def action_unfold(self) -> None:
        """Open the file of the line; without one, unfold its event, or fold it."""
        if not self.line_count:
            return
        entry, row, _ = self.window.at(self.here)
        if row.path:
            self.post_message(self.EventOpened(entry.run, row.path))
            return
        if not self.window.can_unfold(entry):
            return
        self.paint.forget_strips()
        self.follow_end(False)
        with self.steady():
            self.window.toggle(entry)
        self.move_cursor(self.window.line_of(LogPosition(entry.seq, 0)) or 0)

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
        cursor, ranged = line == self.cursor_line, line in self.range_lines
        key = (place, width, cursor, ranged)
        bar = "busy" if ranged else "live" if cursor else ""
        drawn = segments(self, self.lines_look, entry, row, width, bar=bar)
        return self.paint.kept(key) or self.paint.keep(
            key, self.paint.strip(drawn, width, cursor=cursor or ranged)
        )

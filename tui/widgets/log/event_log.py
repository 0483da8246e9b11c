"""A log of events: it follows the end until the reader scrolls up, and then stays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip

from engine.domain.events import Event
from engine.domain.kinds import EventKind
from tui import commands, formatting
from tui.terminal.cells import clean
from tui.widgets.base.line_view import MOVES, LineView
from tui.widgets.log.event_feed import EventFeed, HistoryPage, HistorySource
from tui.widgets.log.event_window import EventWindow, LogContents, contents_of
from tui.widgets.log.live_tails import LiveTails
from tui.widgets.log.log_line import TIMES, LogStyle, segments
from tui.widgets.log.log_pages import LogPages
from tui.widgets.log.log_selection import LogSelection
from tui.widgets.log.log_status import LogStatus, joined
from tui.widgets.log.reading_place import ReadingPlace
from tui.widgets.log.window_entry import LogPosition
from tui.widgets.status.toast import app_of, tell

NOTHING = "Nothing has happened yet."


class EventLog(LineView):
    """The events of a run, or of all, a few pages of them at a time."""

    BINDINGS: ClassVar[list[BindingType]] = [*MOVES, *commands.bindings("log")]

    waiting: reactive[int] = reactive(0)
    """Events that came since the reader left the end."""
    wrap: reactive[bool] = reactive(False)
    """True if long lines are wrapped instead of cut."""
    lines_look: reactive[LogStyle] = reactive(LogStyle())
    """The columns of the lines, and highlighted words."""

    class EventOpened(Message):
        """The reader asked for the file of an event, by the event's name for it."""

        def __init__(self, run: str, path: str) -> None:
            super().__init__()
            self.run, self.path = run, path

    class Grown(Message):
        """New events are in the log."""

    def __init__(self, *, title: str = "Log", id: str | None = None) -> None:
        super().__init__(title=title, empty_text=NOTHING, id=id)
        self.pages = LogPages(self)
        self.place = ReadingPlace(self)
        self.selection = LogSelection(self)
        self.status = LogStatus(self)
        self.tails = LiveTails()
        """The output of the commands that run now."""
        self.has_bookkeeping = False
        """True if the whole log shows stages, checkpoints, tokens and artifacts."""

    # Contents

    @property
    def feed(self) -> EventFeed | None:
        """The events of the log; None where none is open."""
        return self.pages.feed

    @property
    def window(self) -> EventWindow:
        """The events in memory."""
        return self.pages.window

    @property
    def following(self) -> bool:
        """True while the end stays in view as events come."""
        return self.place.following

    async def open(self, history: HistorySource) -> None:
        """Show the end of a log; events appended meanwhile are not lost."""
        self.tails = LiveTails()
        await self.pages.open(history, self._contents(history.kind))

    def _contents(self, kind: EventKind) -> LogContents:
        runs = self.lines_look.runs
        prompt_of = runs.prompt if runs else None
        return contents_of(kind, has_bookkeeping=self.has_bookkeeping, prompt_of=prompt_of)

    def show_bookkeeping(self, shown: bool) -> None:
        """Show or hide book-keeping; the reader stays at the same event."""
        self.has_bookkeeping = shown
        if feed := self.feed:
            feed.window.contents = self._contents(feed.history.kind)
            page = HistoryPage.LAST if self.following else HistoryPage.AROUND
            self.pages.fetch(page, self.here_seq)

    def close(self) -> None:
        """Show nothing."""
        self.pages.close()
        self.paint.forget_strips()
        self.set_lines(0, cursor=0, top=0)

    def append(self, events: Iterable[Event]) -> None:
        """Add live events; known ones, and those that do not belong here, are skipped."""
        self.pages.append(events)

    # The reader's place

    @property
    def here(self) -> int:
        """The line from which the next move starts: the cursor's, or the nearest in view."""
        seen = self.visible_lines()
        return max(seen.start, min(self.cursor_line, seen.stop - 1))

    @property
    def here_seq(self) -> int:
        """The number of the event under the cursor; 0 where there is none."""
        place = self.window.place(self.cursor_line)
        return place.seq if place else 0

    @property
    def is_held(self) -> bool:
        """True while the reader marks lines or searches: the end is followed only on request."""
        return self.selection.is_active or self.lines_look.lit is not None

    def view_scrolled(self) -> None:
        """Follow the end or stay, and fetch the events that come into view."""
        self.place.scrolled()

    def cursor_moved(self) -> None:
        """Follow the end or stay, and extend the range."""
        self.place.cursor_moved()
        if self.selection.is_active:
            self.show_range()

    def resized(self) -> None:
        """Leave the reader at the same lines, even if the cursor is elsewhere."""

    def styles_changed(self) -> None:
        """Fit the events to the width."""
        if self.is_attached:
            with self.place.steady():
                width = self.lines_look.text_width(self.scrollable_content_region.width)
                self.window.resize(width, wraps=self.wrap)

    def watch_wrap(self) -> None:
        """Draw the events again, with long lines wrapped or cut."""
        self.paint.forget_strips()
        self.styles_changed()

    def watch_lines_look(self) -> None:
        """Draw the lines again, in the room that their columns leave."""
        self.watch_wrap()
        self.refresh()

    def watch_waiting(self) -> None:
        """Show how many events came since the reader left the end."""
        self.show_status()

    def show_status(self) -> None:
        """Show in the border the range, or the search and the number of new events."""
        dot = formatting.sign("·", "-")
        waits = f"{self.waiting} new {dot} F follows" if self.waiting else ""
        self.status.show(self.selection.summary or joined(self.status.note, waits))

    def show_range(self) -> None:
        """Draw the range as it is now."""
        self.show_status()
        self.refresh()

    # Actions

    async def go_to(self, number: int) -> None:
        """Put the cursor on the event numbered `number`, on its highlighted line if it has one."""
        await self.place.go_to(number)

    def action_follow(self) -> None:
        """Go to the end and stay there."""
        self.selection.end()
        if self.pages.has_end:
            self.place.follow(True)
            self.place.go_to_end()
        else:
            self.pages.fetch(HistoryPage.LAST)

    def action_cursor_bottom(self) -> None:
        """Go to the end and follow it."""
        if self.selection.is_active and self.pages.has_end:
            super().action_cursor_bottom()
        else:
            self.action_follow()

    def action_cursor_top(self) -> None:
        """Go to the first event."""
        if self.feed and not self.feed.has_start and not self.selection.is_active:
            self.pages.fetch(HistoryPage.FIRST)
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
        self.place.follow(False)
        self.place.toggle(entry)
        self.move_cursor(self.window.line_of(LogPosition(entry.seq, 0)) or 0)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the click is; a double click unfolds."""
        line = self.line_at(event)
        if line is None:
            return
        self.move_cursor(line)
        if event.chain == 2:
            self.action_unfold()

    def action_mark_range(self) -> None:
        """Start a range of lines, or end it."""
        if self.selection.is_active:
            self.selection.end()
        elif self.line_count:
            self.place.follow(False)
            self.selection.start()

    def action_copy(self) -> None:
        """Copy the marked lines, or the one under the cursor, uncut."""
        if texts := self.selection.texts:
            app_of(self).copy_to_clipboard("\n".join(texts))
            copied = clean(texts[0], 60) if len(texts) == 1 else f"{len(texts)} lines"
            tell(app_of(self), f"Copied {copied}")
            self.selection.end()

    def action_wrap(self) -> None:
        """Wrap long lines, or cut them."""
        self.wrap = not self.wrap

    def action_times(self) -> None:
        """Show the time of day, the time since the run's start, or neither."""
        times = TIMES[(TIMES.index(self.lines_look.times) + 1) % len(TIMES)]
        self.lines_look = replace(self.lines_look, times=times)

    # Drawing

    def draw(self, line: int, width: int) -> Strip:
        """Draw one line of the window."""
        entry, row, place = self.window.at(line)
        cursor, ranged = line == self.cursor_line, line in self.selection.lines
        key = (place, row, width, cursor, ranged)
        bar = "busy" if ranged else "live" if cursor else ""
        drawn = segments(self, self.lines_look, entry, row, width, bar=bar)
        return self.paint.kept(key) or self.paint.keep(
            key, self.paint.strip(drawn, width, cursor=cursor or ranged)
        )

    def render_line(self, y: int) -> Strip:
        """Draw the row at `y` of the view, under the texts of the status."""
        return self.status.over(super().render_line(y), y)

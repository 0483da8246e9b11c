"""Lines over a window of events: they follow the end until the reader leaves it, and then stay."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from rich.segment import Segment
from textual.content import Content
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip

from tui import formatting
from tui.terminal.cells import cells, clean, crop
from tui.widgets.base.line_view import LineView
from tui.widgets.log.event_feed import EventFeed
from tui.widgets.log.event_window import EventWindow
from tui.widgets.log.log_line import LogStyle


class WindowView(LineView):
    """What the reader sees of an `EventFeed`."""

    waiting: reactive[int] = reactive(0)
    """Events that came since the reader left the end."""
    wrap: reactive[bool] = reactive(False)
    """Whether long lines are wrapped instead of cut."""
    lines_look: reactive[LogStyle] = reactive(LogStyle())
    """What the lines show besides their text."""

    def __init__(
        self,
        *,
        title: str = "",
        empty_text: str = "",
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(title=title, empty_text=empty_text, name=name, id=id, classes=classes)
        self.feed: EventFeed | None = None
        self._no_window = EventWindow()
        self._left: EventWindow | None = None
        self._following = True
        self._arranging = False
        self._note = self._said = self._choice = ""

    @property
    def window(self) -> EventWindow:
        """The events in memory; until the first page of a log is there, those shown before."""
        return self._left or (self.feed.window if self.feed else self._no_window)

    @property
    def following(self) -> bool:
        """Whether the end stays in view as events come."""
        return self._following

    @property
    def is_held(self) -> bool:
        """Whether the reader looks at certain lines: then the end is followed only when asked."""
        return False

    def near_edge(self) -> None:
        """Do what follows when the reader may have come near an end of the window."""

    @contextmanager
    def steady(self) -> Generator[None]:
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

    def follow_end(self, following: bool) -> None:
        """Follow the end from now on, or stay and count what comes."""
        self._following = following
        if following:
            self.waiting = 0
        elif self.feed:
            self.feed.mark_read()

    @property
    def has_end(self) -> bool:
        """Whether the window reaches to the run's latest event."""
        return self.feed is None or self.feed.has_end

    def go_to_end(self) -> None:
        """Put view and cursor to the end of what is known."""
        with self.steady():
            if self.feed:
                self.feed.take(following=True)

    def view_scrolled(self) -> None:
        """Follow where the reader reached the end, else stay, and fetch what comes into view."""
        if self._arranging:
            return
        is_end = self.has_end and self.scroll_offset.y >= self.max_scroll_y
        if is_end != self._following and not (is_end and self.is_held):
            self.follow_end(is_end)
            if is_end:
                self.go_to_end()
        self.near_edge()

    def cursor_moved(self) -> None:
        """Follow where the cursor is on the last line, else stay."""
        is_end = self.has_end and self.cursor_line == self.line_count - 1
        if is_end != self._following and not (is_end and self.is_held):
            self.follow_end(is_end)
        self.near_edge()

    @property
    def here(self) -> int:
        """The line that the next move starts from: the cursor's, or the nearest in view."""
        seen = self.visible_lines()
        return max(seen.start, min(self.cursor_line, seen.stop - 1))

    def resized(self) -> None:
        """Leave the reader where they are, wherever the cursor is."""

    def styles_changed(self) -> None:
        """Lay the events out for the width at hand."""
        if self.is_attached:
            with self.steady():
                width = self.lines_look.text_width(self.scrollable_content_region.width)
                self.window.resize(width, wraps=self.wrap)

    def watch_wrap(self) -> None:
        """Lay the events out with their lines wrapped, or cut."""
        self.paint.forget_strips()
        self.styles_changed()

    def watch_lines_look(self) -> None:
        """Draw the lines anew, laid out for the room their columns leave."""
        self.paint.forget_strips()
        self.styles_changed()
        self.refresh()

    def watch_waiting(self, waiting: int) -> None:
        """Say in the border how much came since the reader left the end."""
        del waiting
        self.tell()

    def tell(self) -> None:
        """Say in the border how the reader stands."""
        dot = formatting.sign("·", "-")
        waits = f"{self.waiting} new {dot} F follows" if self.waiting else ""
        self.say(f" {dot} ".join(text for text in (self._note, waits) if text))

    def note(self, text: str) -> None:
        """Keep `text` in the lower border, before how much waits; empty: no more."""
        self._note = text
        self.tell()

    def say(self, text: str) -> None:
        """Write `text` into the lower border, or over the last line where there is none."""
        if clean(text, 300) == self._said:
            return
        self._said = clean(text, 300)
        self.border_subtitle = Content(self._said) if text else None
        self.refresh(Region(0, self.size.height - 1, self.size.width, 1))

    def name_choice(self, title: str, choice: str) -> None:
        """Say in the title what is chosen to be shown, or beside what there is to say."""
        self._choice = choice
        self.set_title(f"{title} {formatting.sign('·', '-')} {choice}" if choice else title)

    def render_line(self, y: int) -> Strip:
        """Draw the line at `y` of the view, and over the last one what there is to say."""
        strip = super().render_line(y)
        words = f" {formatting.sign('·', '-')} ".join(
            one for one in (self._choice, self._said) if one
        )
        if not words or y < self.page - 1 or self.styles.border_bottom[0]:
            return strip
        width = self.scrollable_content_region.width
        text = f" {crop(words, width - 2)} "
        said = Segment(text, self.paint.tone("warn") + self.paint.ground(cursor=True))
        return Strip([*strip.crop(0, width - cells(text)), said], width)

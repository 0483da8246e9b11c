"""A list of lines of which only the visible ones are ever drawn, with a cursor on one of them.

Stock list widgets are too slow for live data. Here a line is drawn when it is seen, and the number
of lines may change at any rate without a new layout of the screen.
"""

from __future__ import annotations

from typing import ClassVar, cast

from rich.segment import Segment
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.strip import Strip
from textual.widget import Widget

from tui import commands
from tui.terminal.cells import clean, wrap
from tui.widgets.base.own_keys import is_own_key
from tui.widgets.base.styled_scroll_view import StyledScrollView

MOVES = [
    binding
    for binding in commands.bindings("list")
    if (getattr(binding, "id", None) or "").startswith("move.")
]


class LineView(StyledScrollView, can_focus=True):
    """What every list of lines has in common: subclasses say how many there are and draw one."""

    BINDINGS: ClassVar[list[BindingType]] = MOVES
    ALLOW_SELECT = False

    def __init__(
        self,
        *,
        title: str = "",
        empty_text: str = "",
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._empty_text = empty_text
        self._count = 0
        self._cursor = 0
        self._titled = ""
        if title:
            self.set_title(title)

    def set_title(self, title: str) -> None:
        """Write `title` into the border, as plain text."""
        if title != self._titled:  # to say it again would draw everything anew
            self._titled = title
            self.border_title = Content(clean(title, 200))

    @property
    def empty_text(self) -> str:
        """What stands where there are no lines."""
        return self._empty_text

    @empty_text.setter
    def empty_text(self, text: str) -> None:
        self._empty_text = text
        if not self._count:
            self.refresh()

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Take the keys of this view's own commands before anybody else."""
        return is_own_key(self, self._bindings, key) or super().check_consume_key(key, character)

    # For subclasses

    def draw(self, line: int, width: int) -> Strip:
        """Draw one line, `width` cells wide."""
        raise NotImplementedError

    def cursor_moved(self) -> None:
        """Do what follows when the user moved the cursor to another line."""

    def view_scrolled(self) -> None:
        """Do what follows when other lines came into view."""

    # Lines

    @property
    def line_count(self) -> int:
        """How many lines there are."""
        return self._count

    @property
    def page(self) -> int:
        """How many lines are visible at a time."""
        return max(1, self.scrollable_content_region.height)

    def rows(self, count: int) -> int:
        """Give how many rows of the screen `count` lines take up."""
        return count

    def region_of(self, line: int) -> Region:
        """Give where a line would stand, the first row of all lines at 0."""
        return Region(0, line, self.size.width, 1)

    @property
    def cursor_line(self) -> int:
        """The line the cursor is on; 0 where there are none."""
        return self._cursor

    def set_lines(self, count: int, *, cursor: int, top: int | None = None) -> None:
        """Say how many lines there are now, where the cursor is and which row is on top.

        The virtual size is set behind the reactive's back: it would lay out the whole screen anew.
        """
        self._count = count
        self._cursor = max(0, min(cursor, count - 1))
        size = Size(self.scrollable_content_region.width, self.rows(count))
        self.set_reactive(cast("Reactive[Size]", Widget.virtual_size), size)
        if self.is_mounted and self.container_size:
            self._scroll_update(self.virtual_size)
            if top is not None:
                self.scroll_to(y=max(0, min(top, self.max_scroll_y)), animate=False, force=True)
        self.refresh(self.stretch(0, self.size.height))

    def visible_lines(self) -> range:
        """Give the lines that are in view."""
        top = self.scroll_offset.y
        return range(top, min(self._count, top + self.page))

    def repaint(self, *lines: int) -> None:
        """Draw these lines again, as far as they are in view."""
        top, seen = self.scroll_offset.y, self.visible_lines()
        regions = [self.region_of(line).translate((0, -top)) for line in lines if line in seen]
        if regions:
            width = self.size.width
            self.refresh(
                *(self.stretch(one.y, one.height) if one.width == width else one for one in regions)
            )

    def render_line(self, y: int) -> Strip:
        """Draw the line at `y` of the view."""
        width = self.inner_width or self.scrollable_content_region.width
        line = self.scroll_offset.y + y
        if line < self._count:
            return self.draw(line, width)
        if not self._count and self._empty_text:
            parts = self._empty_text.splitlines()
            texts = [text for part in parts for text in wrap(clean(part, 500), width - 2)]
            text = f" {texts[y]}" if y < len(texts) else ""
            return self.strip([Segment(text, self.look("dim"))], width)
        return Strip.blank(width, self.ground(cursor=False))

    # Cursor

    @property
    def here(self) -> int:
        """The line that the next move starts from."""
        return self._cursor

    def move_cursor(self, line: int) -> None:
        """Put the cursor on a line, as the user asked, and bring it into view."""
        line = max(0, min(line, self._count - 1))
        old, self._cursor = self._cursor, line
        if old != line:
            self.repaint(old, line)
        self.show_line(line)
        if self._count:
            self.cursor_moved()

    def show_line(self, line: int) -> None:
        """Scroll as little as is needed to have a line in view."""
        if not self.size.height:
            return  # not laid out yet; the first resize comes back here
        top, height = self.scroll_offset.y, max(1, self.scrollable_content_region.height)
        place = self.region_of(line)
        if place.y < top:
            self.scroll_to(y=place.y, animate=False, force=True)
        elif place.bottom > top + height:
            self.scroll_to(y=place.bottom - height, animate=False, force=True)

    def action_cursor_up(self) -> None:
        """Go one line up."""
        self.move_cursor(self.here - 1)

    def action_cursor_down(self) -> None:
        """Go one line down."""
        self.move_cursor(self.here + 1)

    def action_cursor_top(self) -> None:
        """Go to the first line."""
        self.move_cursor(0)

    def action_cursor_bottom(self) -> None:
        """Go to the last line."""
        self.move_cursor(self._count - 1)

    def action_page_up(self) -> None:
        """Go a page up."""
        self._page(-1)

    def action_page_down(self) -> None:
        """Go a page down."""
        self._page(1)

    def _page(self, direction: int) -> None:
        step, here = direction * max(1, self.page - 1), self.here
        self.scroll_to(y=self.scroll_offset.y + step, animate=False, force=True)
        self.move_cursor(here + step)

    def line_at(self, event: events.MouseEvent) -> int | None:
        """Give the line a mouse event is on."""
        offset = event.get_content_offset(self)
        if offset is None:
            return None
        line = self.scroll_offset.y + offset.y
        return line if line < self._count else None

    # Textual

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Follow the scroll position."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.view_scrolled()

    def on_resize(self) -> None:
        """Draw everything anew for the new width."""
        self.forget_strips()
        self.styles_changed()
        self.resized()

    def resized(self) -> None:
        """Keep the cursor in view."""
        self.show_line(self._cursor)

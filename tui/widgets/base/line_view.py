"""A list of lines of which only the visible ones are ever drawn, with a cursor on one of them.

Stock list widgets are too slow for live data. Here a line is drawn when it is seen, and the number
of lines may change at any rate without a new layout of the screen.
"""

from __future__ import annotations

from typing import ClassVar, Self, cast

from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.strip import Strip
from textual.widget import Widget

from tui import commands
from tui.keymap import is_own_key
from tui.terminal.cells import clean
from tui.widgets.base.line_paint import COMPONENT_CLASSES, TONES_CSS, LinePaint
from tui.widgets.base.painted_rows import PaintedRows
from tui.widgets.base.quiet_scroll_bar import QuietScrollBar
from tui.widgets.base.tile_layout import TileLayout
from tui.widgets.status.toast import app_of

MOVES = [
    binding
    for binding in commands.bindings("list")
    if (getattr(binding, "id", None) or "").startswith("move.")
]


class LineView(ScrollView, can_focus=True):
    """The base of every list of lines: a subclass sets how many there are and draws one."""

    BINDINGS: ClassVar[list[BindingType]] = MOVES
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = COMPONENT_CLASSES
    DEFAULT_CSS = f"""
    LineView {{
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        scrollbar-background: $background;
        border: round $border-blurred;
        border-title-color: $secondary;
        border-subtitle-color: $warning;
        padding: 0;
        &:focus {{ border: round $border; border-title-color: $foreground; }}
        {TONES_CSS}
    }}
    """

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
        self.paint = LinePaint(self)
        self.painted = PaintedRows(self)
        self.tiles = TileLayout()
        self._empty_text = empty_text
        self._count = 0
        self._cursor = 0
        self._titled = ""
        if title:
            self.set_title(title)

    def set_title(self, title: str) -> None:
        """Write `title` into the border, as plain text."""
        if title != self._titled:  # the same title again would draw everything
            self._titled = title
            self.border_title = Content(clean(title, 200))

    @property
    def empty_text(self) -> str:
        """The text that is shown where there are no lines."""
        return self._empty_text

    @empty_text.setter
    def empty_text(self, text: str) -> None:
        self._empty_text = text
        if not self._count:
            self.refresh()

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Return whether a key is a command of this view, which comes before all others."""
        return is_own_key(self, self._bindings, key) or super().check_consume_key(key, character)

    # For subclasses

    def draw(self, line: int, width: int) -> Strip:
        """Draw one line, `width` cells wide."""
        raise NotImplementedError

    def draw_row(self, line: int, row: int, width: int) -> Strip:
        """Draw one row of a tile, `width` cells wide."""
        raise NotImplementedError

    def cursor_moved(self) -> None:
        """Handle a move of the cursor by the user."""

    def view_scrolled(self) -> None:
        """Handle a change of the lines in view."""

    def styles_changed(self) -> None:
        """Handle a change of width or theme, which makes everything drawn invalid."""

    # Lines

    @property
    def line_count(self) -> int:
        """The number of lines."""
        return self._count

    @property
    def page(self) -> int:
        """The number of lines that are visible at a time."""
        return self.tiles.page(self.scrollable_content_region.height)

    def region_of(self, line: int) -> Region:
        """Return the region of a line, the first row of all lines at 0."""
        return self.tiles.region_of(line, self.scrollable_content_region.width)

    @property
    def cursor_line(self) -> int:
        """The line the cursor is on; 0 where there are none."""
        return self._cursor

    def set_lines(self, count: int, *, cursor: int, top: int | None = None) -> None:
        """Set the number of lines, the line of the cursor and the row on top.

        The virtual size is set without its reactive, which would lay out the whole screen again.
        """
        self._count = count
        self._cursor = max(0, min(cursor, count - 1))
        size = Size(self.scrollable_content_region.width, self.tiles.rows(count))
        self.set_reactive(cast("Reactive[Size]", Widget.virtual_size), size)
        if self.is_mounted and self.container_size:
            self._scroll_update(self.virtual_size)
            if top is not None:
                self.scroll_to(y=max(0, min(top, self.max_scroll_y)), animate=False, force=True)
        self.refresh(self.stretch(0, self.size.height))

    def visible_lines(self) -> range:
        """Return the lines that are in view, those cut off included."""
        height = self.scrollable_content_region.height
        return self.tiles.visible(self.scroll_offset.y, height, self._count)

    def repaint(self, *lines: int) -> None:
        """Draw these lines again, as far as they are in view."""
        top, seen = self.scroll_offset.y, self.visible_lines()
        regions = [self.region_of(line).translate((0, -top)) for line in lines if line in seen]
        if self.tiles.across == 1:
            regions = [self.stretch(one.y, one.height) for one in regions]
        if regions:
            self.refresh(*regions)

    def render_line(self, y: int) -> Strip:
        """Draw the row at `y` of the view."""
        return self.painted.row(self.scroll_offset.y + y)

    # Cursor

    @property
    def here(self) -> int:
        """The line from which the next move starts."""
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
        self.move_cursor(self.tiles.above(self.here))

    def action_cursor_down(self) -> None:
        """Go one line down."""
        self.move_cursor(self.tiles.below(self.here, self._count))

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
        rows = direction * self.tiles.page_rows(self.scrollable_content_region.height)
        here, top = self.here, self.scroll_offset.y + rows * self.tiles.tall
        self.scroll_to(y=top, animate=False, force=True)
        self.move_cursor(here + rows * self.tiles.across)

    def line_at(self, event: events.MouseEvent) -> int | None:
        """Return the line a mouse event is on."""
        offset = event.get_content_offset(self)
        if offset is None:
            return None
        width = self.scrollable_content_region.width
        return self.tiles.line_at(offset.x, self.scroll_offset.y + offset.y, width, self._count)

    # Painting

    def refresh(
        self,
        *regions: Region,
        repaint: bool = True,
        layout: bool = False,
        recompose: bool = False,
    ) -> Self:
        """Draw the view again, or those regions of what is inside the frame."""
        if repaint:
            self.painted.forget(regions)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def stretch(self, first: int, count: int) -> Region:
        """Return the region of rows inside the frame, edge to edge: whole lines paint faster."""
        return Region(-self.styles.gutter.left, first, self.region.width, count)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines of a region, frame included."""
        self.painted.inner_width = self.scrollable_content_region.width
        if self.opacity < 1 or self.region.height <= self.styles.gutter.height:
            return super().render_lines(crop)
        return self.painted.lines(crop)

    def frame_line(self, y: int) -> Strip:
        """Draw a line above or below what is inside the frame."""
        return super().render_lines(Region(0, y, self.region.width, 1))[0]

    def notify_style_update(self) -> None:
        """Draw everything again in the theme's new colours."""
        super().notify_style_update()
        self.painted.forget_frame()
        self.paint.forget_styles()
        self.styles_changed()

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        """The scroll bar, made at the first use."""
        if self._vertical_scrollbar is None:
            bar = QuietScrollBar(name="vertical", thickness=self.scrollbar_size_vertical)
            bar.display = False
            self._vertical_scrollbar = bar
            app_of(self)._start_widget(self, bar)  # pyright: ignore[reportPrivateUsage] as Textual does
        return self._vertical_scrollbar

    # Textual

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Follow the scroll position."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.view_scrolled()

    def on_resize(self) -> None:
        """Draw everything again for the new width."""
        self.paint.forget_strips()
        self.styles_changed()
        self.resized()

    def resized(self) -> None:
        """Keep the cursor in view."""
        self.show_line(self._cursor)

"""A list of lines of which only the visible ones are ever drawn, with a cursor on one of them.

Stock list widgets are too slow for live data. Here a line is drawn when it is seen, and the number
of lines may change at any rate without a new layout of the screen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, cast

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from tui import commands, show
from tui.cells import clean, crop

MAX_STRIPS = 2_000
"""Drawn lines that are remembered."""

MOVES = [
    binding
    for binding in commands.bindings("list")
    if (getattr(binding, "id", None) or "").startswith("move.")
]


class LineView(ScrollView, can_focus=True):
    """What every list of lines has in common: subclasses say how many there are and draw one."""

    BINDINGS: ClassVar[list[BindingType]] = MOVES
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"tone--{name}" for name in show.TONES} | {
        "tone--faint",
        "line--cursor",
        "line--strong",
    }
    DEFAULT_CSS = """
    LineView {
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        border: round $border-blurred;
        border-title-color: $secondary;
        border-subtitle-color: $warning;
        padding: 0;
        & > .tone--plain { color: $foreground; }
        & > .tone--dim { color: $secondary; }
        & > .tone--faint { color: $secondary 60%; }
        & > .tone--good { color: $success; }
        & > .tone--bad { color: $error; }
        & > .tone--warn { color: $warning; }
        & > .tone--live { color: $primary; }
        & > .tone--busy { color: $accent; }
        & > .line--strong { text-style: bold; }
        & > .line--cursor { background: $block-cursor-blurred-background; }
        &:focus {
            border: round $border;
            border-title-color: $foreground;
            & > .line--cursor { background: $block-cursor-background; }
        }
    }
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
        self._empty_text = empty_text
        self._count = 0
        self._cursor = 0
        self._styles_of: dict[str, Style] = {}
        self._strips: dict[object, Strip] = {}
        if title:
            self.set_title(title)

    def set_title(self, title: str) -> None:
        """Write `title` into the border, as plain text."""
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

    # For subclasses

    def draw(self, line: int, width: int) -> Strip:
        """Draw one line, `width` cells wide."""
        raise NotImplementedError

    def cursor_moved(self) -> None:
        """Do what follows when the user moved the cursor to another line."""

    def view_scrolled(self) -> None:
        """Do what follows when other lines came into view."""

    def styles_changed(self) -> None:
        """Do what follows when width or theme changed: everything drawn is void."""

    def look(self, tone: str) -> Style:
        """Give a tone's foreground; the background is the line's own."""
        style = self._styles_of.get(tone)
        if style is None:
            full = self.get_component_rich_style(f"tone--{tone}")
            style = self._styles_of[tone] = Style(color=full.color)
        return style

    def cursor_style(self) -> Style:
        """Give the background of the line the cursor is on."""
        style = self._styles_of.get("cursor")
        if style is None:
            full = self.get_component_rich_style("line--cursor")
            style = self._styles_of["cursor"] = Style(bgcolor=full.bgcolor)
        return style

    def strong(self) -> Style:
        """Give what makes text stand out."""
        return self.get_component_rich_style("line--strong", partial=True)

    def strip(self, segments: Iterable[Segment], width: int, *, cursor: bool) -> Strip:
        """Make a strip of exactly `width` cells; the cursor's line gets its background."""
        strip = Strip(segments).adjust_cell_length(width)
        return strip.apply_style(self.cursor_style()) if cursor else strip

    def kept(self, key: object) -> Strip | None:
        """Give the strip remembered under `key`."""
        return self._strips.get(key)

    def keep(self, key: object, strip: Strip) -> Strip:
        """Remember a strip."""
        if len(self._strips) >= MAX_STRIPS:
            self._strips.clear()
        self._strips[key] = strip
        return strip

    def forget_strips(self) -> None:
        """Forget everything drawn."""
        self._strips.clear()

    # Lines

    @property
    def line_count(self) -> int:
        """How many lines there are."""
        return self._count

    @property
    def page(self) -> int:
        """How many lines are visible at a time."""
        return max(1, self.scrollable_content_region.height)

    @property
    def cursor_line(self) -> int:
        """The line the cursor is on; 0 where there are none."""
        return self._cursor

    def set_lines(self, count: int, *, cursor: int, top: int | None = None) -> None:
        """Say how many lines there are now, where the cursor is and which line is on top.

        The virtual size is set behind the reactive's back: it would lay out the whole screen anew.
        """
        self._count = count
        self._cursor = max(0, min(cursor, count - 1))
        size = Size(self.scrollable_content_region.width, count)
        self.set_reactive(cast("Reactive[Size]", Widget.virtual_size), size)
        if self.is_mounted and self.container_size:
            self._scroll_update(self.virtual_size)
            if top is not None:
                self.scroll_to(y=max(0, min(top, self.max_scroll_y)), animate=False, force=True)
        self.refresh(self.size.region)

    def visible_lines(self) -> range:
        """Give the lines that are in view."""
        top = self.scroll_offset.y
        return range(top, min(self._count, top + self.page))

    def repaint(self, line: int) -> None:
        """Draw one line again, if it is in view."""
        if line in self.visible_lines():
            self.refresh(Region(0, line - self.scroll_offset.y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        """Draw the line at `y` of the view."""
        width = self.scrollable_content_region.width
        line = self.scroll_offset.y + y
        if line < self._count:
            return self.draw(line, width)
        if not self._count and y == 0 and self._empty_text:
            text = crop(f" {clean(self._empty_text, 500)}", width)
            return Strip([Segment(text, self.look("dim"))]).adjust_cell_length(width)
        return Strip.blank(width)

    # Cursor

    def move_cursor(self, line: int) -> None:
        """Put the cursor on a line, as the user asked, and bring it into view."""
        line = max(0, min(line, self._count - 1))
        old, self._cursor = self._cursor, line
        if old != line:
            self.repaint(old)
            self.repaint(line)
        self.show_line(line)
        if self._count:
            self.cursor_moved()

    def show_line(self, line: int) -> None:
        """Scroll as little as is needed to have a line in view."""
        top = self.scroll_offset.y
        if line < top:
            self.scroll_to(y=line, animate=False, force=True)
        elif line >= top + self.page:
            self.scroll_to(y=line - self.page + 1, animate=False, force=True)

    def action_cursor_up(self) -> None:
        """Go one line up."""
        self.move_cursor(self._cursor - 1)

    def action_cursor_down(self) -> None:
        """Go one line down."""
        self.move_cursor(self._cursor + 1)

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
        step = direction * max(1, self.page - 1)
        self.scroll_to(y=self.scroll_offset.y + step, animate=False, force=True)
        self.move_cursor(self._cursor + step)

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

    def notify_style_update(self) -> None:
        """Draw everything anew in the theme's new colours."""
        super().notify_style_update()
        self._styles_of.clear()
        self.forget_strips()
        self.styles_changed()

    def on_resize(self) -> None:
        """Draw everything anew for the new width, and keep the cursor in view."""
        self.forget_strips()
        self.styles_changed()
        self.show_line(self._cursor)

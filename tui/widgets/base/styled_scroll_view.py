"""What is drawn strip by strip: tones as theme colours, and a memory of what was drawn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui import formatting
from tui.terminal.cells import cells
from tui.widgets.base.cached_scroll_view import CachedScrollView

MAX_STRIPS = 256
"""Drawn lines that are remembered: a screenful or two, for each is a dozen objects."""


class StyledScrollView(CachedScrollView):
    """A scrolled view in the tones of `show`, each a component class of its own."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"tone--{name}" for name in formatting.TONES} | {
        "tone--faint",
        "line--cursor",
        "line--strong",
        "line--lit",
    }
    DEFAULT_CSS = """
    StyledScrollView {
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        scrollbar-background: $background;
        border: round $border-blurred;
        border-title-color: $secondary;
        border-subtitle-color: $warning;
        padding: 0;
        & > .tone--plain { color: $foreground; }
        & > .tone--dim { color: $secondary; }
        & > .tone--faint { color: $faint; }
        & > .tone--good { color: $success; }
        & > .tone--bad { color: $error; }
        & > .tone--warn { color: $warning; }
        & > .tone--live { color: $primary; }
        & > .tone--busy { color: $accent; }
        & > .line--strong { text-style: bold; }
        & > .line--lit { color: $background; background: $warning; }
        & > .line--cursor { background: $primary 10%; }
        &:focus {
            border: round $border;
            border-title-color: $foreground;
            & > .line--cursor { background: $primary 16%; }
        }
    }
    """

    def __init__(
        self, *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._styles_of: dict[str, Style] = {}
        self._strips: dict[object, Strip] = {}

    def look(self, tone: str) -> Style:
        """Give a tone's foreground; the background is the line's own."""
        style = self._styles_of.get(tone)
        if style is None:
            full = self.get_component_rich_style(f"tone--{tone}")
            style = self._styles_of[tone] = Style(color=full.color)
        return style

    def ground(self, *, cursor: bool) -> Style:
        """Give the background of a line; the cursor's line has one of its own."""
        name = "cursor" if cursor else "ground"
        style = self._styles_of.get(name)
        if style is None:
            full = self.get_component_rich_style("line--cursor") if cursor else self.rich_style
            style = self._styles_of[name] = Style(bgcolor=full.bgcolor)
        return style

    def strong(self) -> Style:
        """Give what makes text stand out."""
        return self.get_component_rich_style("line--strong", partial=True)

    def lit(self) -> Style:
        """Give the look of what was searched for."""
        return self.get_component_rich_style("line--lit")

    def strip(self, segments: Iterable[Segment], width: int, *, cursor: bool = False) -> Strip:
        """Make a strip of exactly `width` cells on the line's background."""
        ground = self.ground(cursor=cursor)
        parts: list[Segment] = []
        room = width
        for text, style, _ in segments:
            taken = cells(text)
            if taken > room:
                text, taken = set_cell_size(text, room), room
            parts.append(Segment(text, ground + style if style else ground))
            room -= taken
            if not room:
                break
        if room:
            parts.append(Segment(" " * room, ground))
        return Strip(parts, width)

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

    def styles_changed(self) -> None:
        """Do what follows when width or theme changed: everything drawn is void."""

    def notify_style_update(self) -> None:
        """Draw everything anew in the theme's new colours."""
        super().notify_style_update()
        self._styles_of.clear()
        self.forget_strips()
        self.styles_changed()

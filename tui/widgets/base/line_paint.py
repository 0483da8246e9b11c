"""Tones of a view as theme colours, strips in them, and a memory of the strips drawn."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from tui import formatting
from tui.terminal.cells import cells

COMPONENT_CLASSES = {f"tone--{name}" for name in formatting.TONES} | {
    "tone--faint",
    "line--cursor",
    "line--strong",
    "line--lit",
}
"""The classes whose styles a view draws its lines in."""

TONES_CSS = """
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
&:focus > .line--cursor { background: $primary 16%; }
"""
"""The styles of these classes, for the rule of the view."""

MAX_STRIPS = 256
"""Drawn lines that are remembered: a screenful or two, for each is a dozen objects."""


class LinePaint:
    """The styles of a view, and the strips drawn in them."""

    def __init__(self, view: Widget) -> None:
        self._view = view
        self.styles: dict[str, Style] = {}
        """Styles found so far; the theme's end clears them."""
        self._strips: dict[object, Strip] = {}

    def tone(self, tone: str) -> Style:
        """Return a tone's foreground; the background is the line's own."""
        style = self.styles.get(tone)
        if style is None:
            full = self._view.get_component_rich_style(f"tone--{tone}")
            style = self.styles[tone] = Style(color=full.color)
        return style

    def ground(self, *, cursor: bool) -> Style:
        """Return the background of a line; the cursor's line has its own."""
        name = "cursor" if cursor else "ground"
        style = self.styles.get(name)
        if style is None:
            view = self._view
            full = view.get_component_rich_style("line--cursor") if cursor else view.rich_style
            style = self.styles[name] = Style(bgcolor=full.bgcolor)
        return style

    def strong(self) -> Style:
        """Return the style of text that stands out."""
        return self._view.get_component_rich_style("line--strong", partial=True)

    def lit(self) -> Style:
        """Return the style of text that was searched for."""
        return self._view.get_component_rich_style("line--lit")

    def strip(self, segments: Iterable[Segment], width: int, *, cursor: bool = False) -> Strip:
        """Return a strip of exactly `width` cells on the line's background."""
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
        """Return the strip remembered under `key`."""
        return self._strips.get(key)

    def keep(self, key: object, strip: Strip) -> Strip:
        """Remember a strip."""
        if len(self._strips) >= MAX_STRIPS:
            self._strips.clear()
        self._strips[key] = strip
        return strip

    def forget_strips(self) -> None:
        """Forget all strips."""
        self._strips.clear()

    def forget_styles(self) -> None:
        """Forget all styles, and the strips drawn in them."""
        self.styles.clear()
        self._strips.clear()

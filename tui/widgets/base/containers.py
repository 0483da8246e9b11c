"""Containers that show nothing of their own."""

from __future__ import annotations

from textual.containers import Horizontal, Vertical
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


class TransparentContainer(Widget):
    """Leaves it to the screen to draw its background.

    Textual draws front to back, and for each frame has every container give all its lines, most of
    which its children cover.
    """

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw nothing."""
        del crop
        return []


class TransparentVertical(Vertical, TransparentContainer):
    """Its children below each other."""


class TransparentHorizontal(Horizontal, TransparentContainer):
    """Its children side by side."""

"""Containers that show nothing of their own."""

from __future__ import annotations

from textual.containers import Horizontal, Vertical
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


class TransparentContainer(Widget):
    """Container that leaves its background to the screen.

    Textual draws front to back, and for each frame asks every container for its lines, most of
    which its children cover.
    """

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw nothing."""
        del crop
        return []


class TransparentVertical(Vertical, TransparentContainer):
    """Container with its children below each other."""


class TransparentHorizontal(Horizontal, TransparentContainer):
    """Container with its children side by side."""

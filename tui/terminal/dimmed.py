"""The screen behind a dialog, tinted: the colors of each style are mixed once."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.renderables.background_screen import BackgroundScreen

STYLES = 4_096
"""Tinted styles that are kept; a screen has some dozen, most of them from frame to frame."""


class DimmedScreen(BackgroundScreen):
    """Textual's tint, which it makes again for each piece of text, at each paint of the dialog."""

    @classmethod
    def process_segments(cls, segments: Iterable[Segment], color: Color) -> Iterable[Segment]:
        """Return the segments with the tint applied, without links and meta data."""
        for segment in segments:
            text, style, control = segment
            yield segment if control else Segment(text, _tinted(style, color), control)


@lru_cache(STYLES)
def _tinted(style: Style | None, color: Color) -> Style:
    ((_, tinted, _),) = BackgroundScreen.process_segments([Segment(" ", style)], color)
    return tinted or Style()

"""Colours that distinguish the runs of a log, made from the theme's own."""

from __future__ import annotations

import colorsys

from rich.style import Style
from textual.color import Color

from tui.theme import TEXT_CONTRAST, contrast
from tui.widgets.base.line_view import LineView

COLOURS = 6
"""Colours before the first one comes again."""
_STEPS = 10
_TONES = ("live", "good", "warn", "busy", "plain", "dim")
"""The colours of a terminal that has only its own ones."""


def run_style(view: LineView, number: int) -> Style:
    """Return the style of the name of the run with this number."""
    key = f"run {number % COLOURS}"
    style = view.paint.styles.get(key)
    if style is None:
        style = view.paint.styles[key] = _style(view, number % COLOURS)
    return style


def _style(view: LineView, index: int) -> Style:
    first = view.paint.tone(_TONES[0])
    ground = view.background_colors[1]
    if first.color is None or first.color.triplet is None or ground.ansi is not None:
        return view.paint.tone(_TONES[index])
    hue, light, saturation = colorsys.rgb_to_hls(*(part / 255 for part in first.color.triplet))
    turned = colorsys.hls_to_rgb((hue + index / COLOURS) % 1, light, saturation)
    red, green, blue = (round(part * 255) for part in turned)
    return Style(color=_readable(Color(red, green, blue), ground).rich_color)


def _readable(colour: Color, ground: Color) -> Color:
    """Return the colour, blended with black or white until it can be read on the ground."""
    strongest = Color(0, 0, 0) if ground.brightness > 0.5 else Color(255, 255, 255)
    blends = (colour.blend(strongest, step / _STEPS) for step in range(_STEPS))
    return next((one for one in blends if contrast(one, ground) >= TEXT_CONTRAST), strongest)

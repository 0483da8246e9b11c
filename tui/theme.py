"""The two themes, calm surfaces, dim secondary text, one accent; and Textual's, made readable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from textual.color import Color
from textual.theme import Theme

DARK = Theme(
    name="swarm-dark",
    primary="#6cb6ff",
    secondary="#98a5b4",
    accent="#6cb6ff",
    foreground="#cdd6df",
    background="#0e1217",
    surface="#141a21",
    panel="#212a34",
    success="#7fc99a",
    warning="#e3b167",
    error="#ef7b83",
    dark=True,
    variables={
        "faint": "#8b98a8",
        "border": "#6cb6ff",
        "border-blurred": "#2b3642",
        "block-cursor-background": "#193048",
        "block-cursor-foreground": "#eaf2fa",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#1a222b",
        "block-hover-background": "#19212a",
        "input-selection-background": "#2d5680",
        "scrollbar": "#2b3642",
        "scrollbar-hover": "#3a4857",
        "scrollbar-active": "#6cb6ff",
        "scrollbar-background": "#0e1217",
        "scrollbar-background-hover": "#0e1217",
        "scrollbar-background-active": "#0e1217",
        "scrollbar-corner-color": "#0e1217",
        "button-color-foreground": "#0e1217",
        "button-focus-text-style": "bold",
    },
)

LIGHT = Theme(
    name="swarm-light",
    primary="#0b4fb0",
    secondary="#4c5560",
    accent="#0b4fb0",
    foreground="#1f2730",
    background="#fbfbfa",
    surface="#f1f2f2",
    panel="#e2e5e8",
    success="#18703d",
    warning="#705020",
    error="#b01e2e",
    dark=False,
    variables={
        "faint": "#5a636e",
        "border": "#0b4fb0",
        "border-blurred": "#cdd3d9",
        "block-cursor-background": "#cfe3f6",
        "block-cursor-foreground": "#10202f",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#e6eaee",
        "block-hover-background": "#eceff2",
        "input-selection-background": "#b9d6f2",
        "scrollbar": "#c3cad1",
        "scrollbar-hover": "#a9b3bd",
        "scrollbar-active": "#0b4fb0",
        "scrollbar-background": "#fbfbfa",
        "scrollbar-background-hover": "#fbfbfa",
        "scrollbar-background-active": "#fbfbfa",
        "scrollbar-corner-color": "#fbfbfa",
        "button-color-foreground": "#fbfbfa",
        "button-focus-text-style": "bold",
    },
)

THEMES = (DARK, LIGHT)


TEXT_CONTRAST = 4.5
"""Contrast that WCAG 2 asks of text (level AA)."""
_GROUNDS = ("background", "surface", "panel")
_TEXTS = ("primary", "secondary", "accent", "success", "warning", "error")
_DIM = 0.35
_STEPS = 20
_ROUNDING = 0.05
"""Contrast that may be lost where a colour is written as one of 256 steps a channel."""


def contrast(one: Color, other: Color) -> float:
    """Return the contrast ratio of two opaque colours, as WCAG 2 defines it: from 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: Color) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in color.normalized
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def readable(theme: Theme) -> Theme:
    """Return one of Textual's themes with colours that text can be written in.

    Their secondary colour is a fill; ours is dim text. Themes in the terminal's own colours stay.
    """
    if theme.name.startswith("ansi"):
        return theme
    colors = theme.to_color_system().generate()
    grounds = [Color.parse(colors[name]) for name in _GROUNDS]
    strongest = Color.parse("#ffffff" if theme.dark else "#000000")
    foreground = _lifted(Color.parse(colors["foreground"]), strongest, grounds)
    found = {name: Color.parse(colors[name]) for name in _TEXTS}
    found["secondary"] = foreground.blend(grounds[0], _DIM)
    lifted = {name: _lifted(color, strongest, grounds).hex for name, color in found.items()}
    fills = {name: color.hex for name, color in zip(_GROUNDS, grounds, strict=True)}
    faint = {"faint": lifted["secondary"]}
    return replace(
        theme,
        foreground=foreground.hex,
        variables={**theme.variables, **faint},
        **fills,
        **lifted,
    )


def _lifted(color: Color, strongest: Color, grounds: Sequence[Color]) -> Color:
    """Return the readable colour nearest to `color`, on its way to `strongest`."""
    for step in range(_STEPS):
        lifted = color.blend(strongest, step / _STEPS)
        if all(contrast(lifted, ground) >= TEXT_CONTRAST + _ROUNDING for ground in grounds):
            return lifted
    return strongest

"""The two themes: calm surfaces, dim secondary text, one accent."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="swarm-dark",
    primary="#6cb6ff",
    secondary="#8b98a8",
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
        "border": "#6cb6ff",
        "border-blurred": "#2b3642",
        "block-cursor-background": "#1d3a57",
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
    primary="#0b63b0",
    secondary="#5c6773",
    accent="#0b63b0",
    foreground="#1f2730",
    background="#fbfbfa",
    surface="#f1f2f2",
    panel="#e2e5e8",
    success="#1d7d46",
    warning="#9a6200",
    error="#b8303c",
    dark=False,
    variables={
        "border": "#0b63b0",
        "border-blurred": "#cdd3d9",
        "block-cursor-background": "#cfe3f6",
        "block-cursor-foreground": "#10202f",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#e6eaee",
        "block-hover-background": "#eceff2",
        "input-selection-background": "#b9d6f2",
        "scrollbar": "#c3cad1",
        "scrollbar-hover": "#a9b3bd",
        "scrollbar-active": "#0b63b0",
        "scrollbar-background": "#fbfbfa",
        "scrollbar-background-hover": "#fbfbfa",
        "scrollbar-background-active": "#fbfbfa",
        "scrollbar-corner-color": "#fbfbfa",
        "button-color-foreground": "#fbfbfa",
        "button-focus-text-style": "bold",
    },
)

THEMES = (DARK, LIGHT)

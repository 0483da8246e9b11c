"""Colours of the tones on the command line."""

COLOURS = {
    "good": "green",
    "bad": "red",
    "warn": "yellow",
    "live": "blue",
    "busy": "cyan",
    "dim": "bright_black",
}

BOLD = "bold"
"""Stands for the terminal's own colour in bold."""

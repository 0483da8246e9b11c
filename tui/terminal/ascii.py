"""The screen in ASCII, for terminals that cannot be trusted with more."""

from __future__ import annotations

import unicodedata

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_DRAWN = {
    "-": "─━╌╍┄┅┈┉═▔▁",
    "|": "│┃╎╏┆┇┊┋║▏▕▎▍",
    "+": "╭╮╰╯┌┐└┘├┤┬┴┼┏┓┗┛┣┫┳┻╋╔╗╚╝╠╣╦╩╬",
    "#": "█▉▊▋▌▐▓▒",
    " ": "▂▃▄▅▆▇▀░",
    "~": "…",
    ">": "›▸▶→»",
    "<": "‹◂◀←«",
    "v": "▾▼↓",
    "^": "▴▲↑",
    "*": "•·◆●",
    "x": "×✗",
    "'": "’‘",
    '"': "“”",
}
_TABLE = {ord(sign): plain for plain, signs in _DRAWN.items() for sign in signs}


def in_ascii(text: str) -> str:
    """Write `text` in ASCII, as wide as it was: what has no likeness becomes question marks."""
    if text.isascii():
        return text
    text = text.translate(_TABLE)
    return text if text.isascii() else "".join(map(_likeness, text))


def _likeness(char: str) -> str:
    if char.isascii():
        return char
    width = cell_len(char)
    base = unicodedata.normalize("NFKD", char)[:1]
    return base if width == 1 and base.isascii() and base.isprintable() else "?" * width


class AsciiFilter(LineFilter):
    """Filter that rewrites every line in ASCII on its way to the terminal, whatever drew it."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments in ASCII."""
        del background
        return [Segment(in_ascii(text), style, control) for text, style, control in segments]

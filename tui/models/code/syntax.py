"""The colours of code, by Pygments: some lines at a time, in a thread, at a bounded price."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pygments.lexer import Lexer
    from pygments.token import _TokenType  # pyright: ignore[reportPrivateUsage]  the library has no public way

    from tui.models.code.document import CodeDocument

CHUNK = 64
"""Lines that are coloured together."""
LEAD = 64
"""Lines read before them, so that what began there is known: a long string, a comment."""
MAX_CHARS = 16_000
"""Text that is read at a time: a lexer is made of regular expressions, and its input of anything.

They cannot be interrupted; over this length a hostile line could keep one busy for seconds.
"""

Tones = tuple[tuple[int, int, str], ...]
"""Spans of characters and the tone of each."""

_TONES = {
    "Comment": "comment",
    "Keyword": "keyword",
    "Name.Decorator": "number",
    "Name.Builtin": "keyword",
    "Name.Tag": "keyword",
    "Name.Attribute": "number",
    "Operator.Word": "keyword",
    "Literal.String": "string",
    "Literal.Number": "number",
    "Literal.Date": "number",
    "Generic.Heading": "keyword",
    "Generic.Subheading": "keyword",
}


def lexer_for(path: str) -> Lexer | None:
    """Return the lexer for a file, by its name; slow the first time."""
    from pygments.lexers import get_lexer_for_filename  # pyright: ignore[reportUnknownVariableType]  the library's type is partial
    from pygments.util import ClassNotFound

    try:
        name = path.rpartition("/")[2][-100:]
        return get_lexer_for_filename(name)
    except (ClassNotFound, ValueError):
        return None


def colour(lexer: Lexer, document: CodeDocument, chunk: int) -> dict[int, Tones]:
    """Return the tones of a chunk's lines; nothing for lines that cannot be parsed."""
    found: dict[int, Tones] = {}
    end = min(len(document.lines), (chunk + 1) * CHUNK)
    for first, start, stop in document.pieces(chunk * CHUNK, end, LEAD):
        for side in ("-", "+"):
            lines = document.lines
            shown = [i for i in range(first, stop) if lines[i].sign in (" ", side)]
            tones = _tones(lexer, [document.shown(i) for i in shown])
            for index, some in zip(shown, tones, strict=True):
                if index >= start and lines[index].sign in (side, " "):
                    found[index] = some
    return found


def _tones(lexer: Lexer, texts: Sequence[str]) -> list[Tones]:
    """Colour lines that follow each other."""
    tones: list[list[tuple[int, int, str]]] = [[] for _ in texts]
    text = "\n".join(texts)
    if texts and len(text) <= MAX_CHARS:
        try:
            _fill(tones, lexer.get_tokens_unprocessed(f"{text}\n"))
        except Exception:  # a lexer's own mistake costs the colours, not the view
            return [() for _ in texts]
    return [tuple(line) for line in tones]


def _fill(
    tones: list[list[tuple[int, int, str]]], tokens: Iterable[tuple[int, _TokenType, str]]
) -> None:
    line = column = 0
    for _, kind, value in tokens:
        tone = _tone(kind)
        for place, part in enumerate(value.split("\n")):
            if place:
                line, column = line + 1, 0
            if tone and part and line < len(tones):
                tones[line].append((column, column + len(part), tone))
            column += len(part)


@cache
def _tone(kind: _TokenType | None) -> str | None:
    while kind:
        found = _TONES.get(".".join(kind))
        if found:
            return found
        kind = kind.parent
    return None

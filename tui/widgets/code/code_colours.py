"""The colours of a document's lines: worked out in a thread, for what is in view and no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.widget import Widget

from tui.models.code.document import CodeDocument
from tui.models.code.syntax import CHUNK, Tones, colour, lexer_for

if TYPE_CHECKING:
    from pygments.lexer import Lexer

MAX_CHUNKS = 500
"""Chunks of lines whose colours are remembered."""


class CodeColours:
    """Colours of lines, computed on request; `seen` are the lines in view."""

    def __init__(
        self, widget: Widget, seen: Callable[[], set[int]], arrived: Callable[[], None]
    ) -> None:
        self._widget, self._seen, self._arrived = widget, seen, arrived
        self._path = ""
        self._document = CodeDocument()
        self._lexer: tuple[Lexer | None] | None = None
        """The lexer of the language, if there is one; None before it was chosen."""
        self._known: dict[int, dict[int, Tones]] = {}
        self._wanted: set[int] = set()
        self._is_busy = False

    def begin(self, path: str, document: CodeDocument) -> None:
        """Forget the document before, and colour this one; `path` determines the language."""
        if path != self._path:
            self._lexer = None
        self._path, self._document = path, document
        self._known, self._wanted = {}, set()

    def of(self, index: int) -> Tones:
        """Return a line's colours as far as they are known; the others come later."""
        chunk = index // CHUNK
        known = self._known.get(chunk)
        if known is not None:
            return known.get(index, ())
        if self._document.is_numbered:
            self._wanted.add(chunk)
            if not self._is_busy:
                self._is_busy = True
                self._widget.call_later(self._begin)
        return ()

    def _begin(self) -> None:
        self._widget.run_worker(self._work, group="colours")

    async def _work(self) -> None:
        """Colour what is asked for as long as it is in view, one chunk at a time."""
        try:
            while (chunk := self._next()) is not None:
                document, path, lexer = self._document, self._path, self._lexer
                if lexer is None:
                    lexer = (await asyncio.to_thread(lexer_for, path),)
                found: dict[int, Tones] = {}
                if lexer[0]:
                    found = await asyncio.to_thread(colour, lexer[0], document, chunk)
                if path == self._path:
                    self._lexer = lexer
                if document is self._document:
                    self._remember(chunk, found)
        finally:
            self._is_busy = False

    def _next(self) -> int | None:
        self._wanted &= {index // CHUNK for index in self._seen()}
        return self._wanted.pop() if self._wanted else None

    def _remember(self, chunk: int, found: dict[int, Tones]) -> None:
        if len(self._known) >= MAX_CHUNKS:
            self._known.clear()
        self._known[chunk] = found
        if found:
            self._arrived()

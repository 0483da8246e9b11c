"""Completion of the last word of a line, shown behind the cursor; `→` accepts it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from textual.suggester import Suggester

Words = Callable[[str], Iterable[str]]
"""Returns the words that the last word of a line may become, the best first."""


class WordSuggester(Suggester):
    """Suggester of the first word that begins with the last word of a line."""

    def __init__(self, words: Words) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._words = words

    async def get_suggestion(self, value: str) -> str | None:
        """Return the line with its last word completed; None where there is nothing to add."""
        before, space, last = value.rpartition(" ")
        found = (word for word in self._words(last) if word.startswith(last) and word != last)
        word = next(iter(found), None) if last else None
        return None if word is None else f"{before}{space}{word}"

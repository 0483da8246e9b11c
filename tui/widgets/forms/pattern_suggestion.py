"""Suggestion of the pattern that is nearest to the typed prompt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from textual.content import Content
from textual.widgets import Static

from engine.domain.errors import UserError
from engine.domain.pattern import StoredPattern
from tui.terminal.cells import clean, crop

PAUSE_S = 0.25
"""So long nothing is typed before patterns are looked for."""
GOAL = 90


class PatternSuggestion(Static):
    """A line below the prompt, there only while something is near; `near` finds it."""

    DEFAULT_CSS = """
    PatternSuggestion {
        height: 1; display: none; color: $secondary; text-wrap: nowrap; margin-bottom: 1;
    }
    """

    def __init__(self, near: Callable[[str], Awaitable[Sequence[StoredPattern]]], key: str) -> None:
        super().__init__(id="nearest")
        self._near, self._key = near, key
        self._prompt = self._chosen = ""
        self._found: Sequence[StoredPattern] = ()

    def follow(self, prompt: str, chosen: str) -> None:
        """Look for what is near to this prompt; `chosen` is what stands in the field by now."""
        self._chosen = chosen.strip()
        if prompt != self._prompt:
            self._prompt = prompt
            self.run_worker(self._look, group="near", exclusive=True)
        else:
            self._tell()

    def next(self) -> str:
        """Return the nearest, then the next one, and after the last None."""
        ids = [known.id for known in self._found]
        if self._chosen in ids:
            return ["", *ids][(ids.index(self._chosen) + 2) % (len(ids) + 1)]
        return ids[0] if ids else self._chosen

    async def _look(self) -> None:
        await asyncio.sleep(PAUSE_S)
        try:
            self._found = await self._near(self._prompt)
        except UserError:
            self._found = ()  # a suggestion may be missing
        self._tell()

    def _tell(self) -> None:
        self.display = bool(self._found)
        if not self._found:
            return
        known = next((one for one in self._found if one.id == self._chosen), None)
        shown = known or self._found[0]
        runs = f"{len(shown.runs)} run{'' if len(shown.runs) == 1 else 's'}"
        told = f"{crop(clean(shown.pattern.goal), GOAL)} ({runs})"
        words = "Learns from: " if known else "Done before: "
        tone = "$foreground" if known else "$secondary"
        self.update(Content.assemble((self._key, "$accent"), f" {words}", (told, tone)))

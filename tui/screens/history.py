"""The prompts of earlier runs, to begin from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.content import Content
from textual.widgets.option_list import Option

from engine.domain.model import Run
from engine.domain.text import one_line
from tui.screens.search import SearchDialog
from tui.terminal.cells import clean, crop

LIMIT = 200
WIDTH = 68


def prompts(runs: Iterable[Run]) -> list[str]:
    """Return the prompts of runs, the latest first, each once."""
    found: dict[str, None] = {}
    for run in sorted(runs, key=lambda run: run.created_at, reverse=True):
        found[run.spec.prompt] = None
        if len(found) == LIMIT:
            break
    return list(found)


class PromptHistory(SearchDialog[str]):
    """Answers with a prompt, or None."""

    PLACEHOLDER = "Words of the prompt"
    TITLE_TEXT = "Earlier prompts"

    def __init__(self, prompts: Sequence[str]) -> None:
        super().__init__()
        self._prompts = prompts

    def entries(self) -> Sequence[tuple[str, str]]:
        """Return the prompts by their places."""
        return [(str(place), text[:2_000]) for place, text in enumerate(self._prompts)]

    def answer(self, id: str) -> str:
        """Return the prompt."""
        return self._prompts[int(id)]

    def option(self, id: str) -> Option:
        """Draw the first line that is not empty, and the number of lines after it."""
        text = self._prompts[int(id)]
        more = len(text.strip().splitlines()) - 1
        shown = crop(clean(one_line(text, 300)), WIDTH - 12)
        note = f"  +{more} line{'' if more == 1 else 's'}" if more else ""
        return Option(Content.assemble((shown, "$foreground"), (note, "$secondary")), id=id)

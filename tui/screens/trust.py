"""The question whether what a repository asks for is to be trusted."""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.widgets import Static

from engine.engine import Consent
from tui.formatting import trust_request as shown
from tui.screens.confirm import ConfirmChoice, ConfirmDialog

ROWS, COLUMNS = 7, 70
"""Room for a page: the dialog fits a terminal of 24 rows, its buttons included."""


class TrustQuestion(ConfirmDialog):
    """Question about the listed settings, a page at a time; Space shows the next page."""

    def __init__(self, consent: Consent, choices: list[ConfirmChoice]) -> None:
        self._consent, self._page = consent, 0
        self._pages = shown.pages(consent, ROWS, COLUMNS)
        title = "Trust what the repository asks for?"
        super().__init__(self._words(), choices, keep="Back", title=title)

    def _words(self) -> str:
        where = shown.place(self._pages, self._page)
        more = f"\n  ({where}; space: next page)" if where else ""
        asked = "\n".join(f"  {line}" for line in self._pages[self._page])
        parts = (f"{shown.heading(self._consent)}\n{asked}{more}", shown.AS_YOU)
        return "\n".join((*parts, self._consent.note()))

    def on_key(self, event: events.Key) -> None:
        """Show the next page, or answer."""
        if event.key == "space" and len(self._pages) > 1:
            event.stop()
            event.prevent_default()
            self._page = (self._page + 1) % len(self._pages)
            self.query_one("#question", Static).update(Content(self._words()))
            return
        super().on_key(event)


def question(consent: Consent, *, may_go_without: bool = True) -> ConfirmDialog:
    """Make the dialog; its answers are `trust`, `without` and None."""
    choices = [
        ConfirmChoice("trust", "t", "Trust and start"),
        ConfirmChoice("without", "w", "Start without it"),
    ]
    if not may_go_without:
        del choices[1]
    return TrustQuestion(consent, choices)

"""The question whether a repository's own settings are to be trusted."""

from __future__ import annotations

from engine.domain.text import printable_name
from engine.engine import Consent
from tui.screens.confirm import Choice, Confirm

SHOWN_CHARACTERS = 600


def question(consent: Consent, *, may_go_without: bool = True) -> Confirm:
    """Make the dialog; its answers are `trust`, `without`, and `back` or None."""
    asked = "\n".join(f"  {line}" for line in consent.lines())
    if len(asked) > SHOWN_CHARACTERS:
        asked = f"{asked[:SHOWN_CHARACTERS]}…\n  and more: read the file first."
    text = (
        f"{printable_name(consent.file)} is not trusted as it is now. It\n{asked}\n"
        "Its commands run as you, outside Codex's sandbox."
    )
    choices = [
        Choice("trust", "t", "trust it and start"),
        Choice("without", "w", "start without it"),
        Choice("back", "b", "back"),
    ]
    if not may_go_without:
        del choices[1]
    return Confirm("Trust the repository's settings?", text, choices)

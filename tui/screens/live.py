"""What a screen has to offer to be told what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.dom import DOMNode
from textual.screen import Screen

from engine.domain.errors import UserError

if TYPE_CHECKING:
    from engine.engine import Batch


class LiveScreen(Screen[None]):
    """A screen of its own mode: the app hands it every batch while its mode is shown."""

    def take(self, batch: Batch) -> None:
        """Take in what happened."""
        raise NotImplementedError

    def expect(self, run_id: str) -> None:
        """Choose a run as soon as the engine tells of it."""

    def why_not(self, command_id: str) -> UserError | None:
        """Say why a command cannot act now, where there is more to say than its grey shows."""
        del command_id

    def carrier(self, scope: str) -> DOMNode | None:
        """Give who carries out the commands of a scope here."""
        del scope

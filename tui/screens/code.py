"""Base of the screens that show code of a run: the run, moving sideways, the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import getters
from textual.binding import BindingType
from textual.dom import DOMNode

from engine.domain.model import Run
from tui import commands, formatting
from tui.screens.live import LiveScreen
from tui.terminal.cells import clean, crop
from tui.widgets.code.code_view import CodeView
from tui.widgets.status.toast import app_of

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort


class CodeScreen(LiveScreen):
    """A screen of one run's code, opened again for each document."""

    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("code")
    has_flat_toasts = True

    code = getters.query_one(CodeView)

    def __init__(self, engine: EnginePort, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self.run_id = ""
        self.came_from = "runs"
        """The mode that the way back leads to."""

    def open(self, run_id: str, path: str | None) -> None:
        """Show something of a run."""
        raise NotImplementedError

    @property
    def run(self) -> Run | None:
        """The run as it is now."""
        return self.engine.view.runs.get(self.run_id)

    @property
    def run_title(self) -> str:
        """The run's title, short."""
        return crop(clean(formatting.title(self.run)), 50) if self.run else self.run_id

    def carrier(self, scope: str) -> DOMNode | None:
        """Return the object that carries out the commands of a scope here."""
        return self if scope == "code" else None

    def action_right(self) -> None:
        """Show what lies further to the right."""
        self.code.step_sideways(1)

    def action_left(self) -> None:
        """Go back to the left."""
        self.code.step_sideways(-1)

    def action_refresh(self) -> None:
        """Look again."""
        raise NotImplementedError

    async def action_back(self) -> None:
        """Go back to where the user came from."""
        await self.leave()

    async def leave(self) -> None:
        """Show the screen that the user came from."""
        await app_of(self).switch_mode(self.came_from)

"""The screen in the place of one that cannot be shown: what failed, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from tui.widgets.status.toast import app_of


class FaultScreen(Screen[None]):
    """Screen that shows why another one was closed; the runs continue."""

    DEFAULT_CSS = """
    FaultScreen { align: center middle; }
    FaultScreen Static { width: auto; max-width: 90%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back to the runs"),
        Binding("q", "leave_program", "quit"),
    ]

    def __init__(self, text: Callable[[], str]) -> None:
        super().__init__()
        self._why = text

    def compose(self) -> ComposeResult:
        """Compose the text."""
        yield Static()

    def on_screen_resume(self) -> None:
        """Show what failed last."""
        self.query_one(Static).update(
            Content(
                f"A screen cannot be shown:\n{self._why()}\n\n"
                "The runs go on. The log file in the home has the details.\n"
                "esc  back to the runs   q  quit"
            )
        )

    async def action_leave(self) -> None:
        """Open the runs again."""
        await app_of(self).switch_mode("runs")

    async def action_leave_program(self) -> None:
        """Quit as from every other screen."""
        await app_of(self).run_action("app.quit")

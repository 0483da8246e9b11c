"""A Textual app with nothing of ours: as quick to start as Textual is."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static


class Plain(App[None]):
    """One line; asked for it, a folder as a DirectoryTree."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("d", "tree")]

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def compose(self) -> ComposeResult:
        """Show the line."""
        yield Static("ready")

    async def action_tree(self) -> None:
        """Show the folder."""
        from textual.widgets import DirectoryTree

        await self.mount(DirectoryTree(self._folder))


if __name__ == "__main__":
    Plain(Path()).run()

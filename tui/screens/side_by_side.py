"""The runs of one task side by side, the best on the left, with the files that each changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from engine.domain.errors import UserError
from engine.domain.ranking import RankedTask
from tui.formatting import batches
from tui.screens.dialog import Dialog
from tui.widgets.runs.run_table import RunTable

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort


class RunComparison(Dialog[None]):
    """Table of runs; the changes of each run are read one after the other."""

    DEFAULT_CSS = """
    RunComparison {
        .box { width: 100%; height: 90%; padding: 0; border: none; }
        RunTable { height: 1fr; background: $surface; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("equals_sign,q", "leave", "back", show=False),
        Binding("left", "aside(-1)", "column before", show=False),
        Binding("right", "aside(1)", "next column", show=False),
    ]

    table = getters.query_one(RunTable)

    def __init__(self, engine: EnginePort, task: RankedTask, clock: Callable[[], float]) -> None:
        super().__init__()
        self._engine, self._compared, self._clock = engine, task, clock
        self._files: dict[str, dict[str, str]] = {}

    def compose(self) -> ComposeResult:
        """Compose the table."""
        with Vertical(classes="box"):
            yield RunTable()

    def on_mount(self) -> None:
        """Show what is known, and look up the rest."""
        self.table.set_title(f"Side by side · {batches.given(self._compared)}")
        self.table.focus()
        self._show()
        self.run_worker(self._look, group="look")

    def _show(self) -> None:
        self.table.show(batches.side_by_side(self._compared, self._files, self._clock()))

    async def _look(self) -> None:
        for run in self._compared.runs:
            try:
                changed = await self._engine.workspaces.changes(run.id)
            except UserError:  # it has no workspace, or no longer
                continue
            self._files[run.id] = batches.lines_of(changed.files)
            self._show()

    def action_aside(self, by: int) -> None:
        """Show other columns."""
        self.table.move_aside(by)

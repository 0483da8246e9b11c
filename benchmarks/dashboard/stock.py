"""The code that one would write first: Textual's own list and log, fed with the same events."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import on, work
from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.widgets import DataTable, Log

from engine.domain.activity import activity
from tui import formatting

if TYPE_CHECKING:
    from engine.domain.model import Run
    from engine.engine import Engine

COLUMNS = ("title", "status", "percent", "activity")


class Stock(App[None]):
    """The runs in a DataTable, of which the changed cells are set; the chosen run's Log."""

    CSS = """
    DataTable { width: 80; & > .datatable--cursor { background: #010203; } }
    Log { width: 1fr; }
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine
        self._chosen: str | None = None

    def compose(self) -> ComposeResult:
        """Put list and log side by side."""
        with Horizontal():
            yield DataTable(cursor_type="row")
            yield Log(max_lines=2000)

    def on_mount(self) -> None:
        """Fill the list, and follow."""
        table = cast("DataTable[str]", self.query_one(DataTable))
        for name in COLUMNS:
            table.add_column(name, key=name)
        runs = self._engine.view.runs.values()
        for run in sorted(runs, key=lambda run: run.id, reverse=True):
            table.add_row(*_cells(run), key=run.id)
        table.focus()
        self._follow()

    @on(DataTable.RowHighlighted)
    def _highlighted(self, event: DataTable.RowHighlighted) -> None:
        self._chosen = event.row_key.value
        self.query_one(Log).clear()

    @work
    async def _follow(self) -> None:
        table = cast("DataTable[str]", self.query_one(DataTable))
        log = self.query_one(Log)
        async for batch in self._engine.batches():
            for run_id in batch.runs:
                cells = _cells(self._engine.view.runs[run_id])
                for name, text in zip(COLUMNS, cells, strict=True):
                    table.update_cell(run_id, name, text)
            for event in batch.events:
                if event.run == self._chosen:
                    log.write_line(formatting.event_line(event).text)


def _cells(run: Run) -> tuple[str, str, str, str]:
    doing = activity(run, run.last_event_at)[:40]
    return run.spec.title, run.status, f"{run.percent}%", doing

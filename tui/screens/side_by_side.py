"""Runs side by side, the best on the left: choose one, read it, compare it, apply it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from engine.domain.errors import UserError
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run
from engine.domain.ranking import RankedTask, ranked
from tui import commands
from tui.formatting import batches, comparison
from tui.formatting.comparison import ComparedRun
from tui.keymap import checked_keymap
from tui.screens.allowed import allows
from tui.screens.dialog import Dialog
from tui.screens.live import CodeRequested, RunDiffRequested
from tui.widgets.runs.run_table import RunTable
from tui.widgets.status.toast import app_of

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

REFRESH_S = 1.0


class RunComparison(Dialog[None]):
    """Comparison of the runs of one task, or of any runs; the columns keep their order."""

    DEFAULT_CSS = """
    RunComparison {
        .box { width: 100%; height: 100%; padding: 0; border: none; }
        RunTable { height: 1fr; background: $surface; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *commands.bindings("compare"),
        Binding("equals_sign,q", "leave", "back", show=False),
    ]

    table = getters.query_one(RunTable)

    def __init__(
        self, engine: EnginePort, task: RankedTask, clock: Callable[[], float], place: str
    ) -> None:
        super().__init__()
        self._engine, self._clock, self._place = engine, clock, place
        self._ranking = task
        self._order = [run.id for run in task.runs]
        self._compared: dict[str, ComparedRun] = {}
        self._read: dict[str, tuple[object, ...]] = {}
        """The state of each run in which its files and its message were read."""

    def compose(self) -> ComposeResult:
        """Compose the table."""
        with Vertical(classes="box"):
            yield RunTable(self._ranking, self._engine.costs.known)

    def on_mount(self) -> None:
        """Show what is known, and read the rest."""
        self.table.hints = commands.hints("compare", checked_keymap(self._engine.config.ui.keys)[0])
        self.table.focus()
        self._show()
        self.call_after_refresh(self._read_visible)
        self.set_interval(REFRESH_S, self._refresh)

    def on_screen_resume(self) -> None:
        """Show what changed while a diff was read."""
        self._refresh()

    # What is shown

    @property
    def _runs(self) -> Sequence[Run]:
        known = {run.id: run for run in self._ranking.runs}
        return [known[run_id] for run_id in self._order]

    def _show(self) -> None:
        if not self.is_mounted:
            return
        task = self._ranking
        about = batches.given(task) if task.given else f"{len(task.runs)} runs"
        self.table.set_title(f"Compare · {about} · {comparison.merit_words(task)}")
        self.table.show(task, self._runs, self._compared, self._clock())

    def _refresh(self) -> None:
        """Take in what happened to the runs; a run that was forgotten stays as it was."""
        known = self._engine.view.runs
        runs = [known.get(run.id, run) for run in self._ranking.runs]
        is_changed = any(new is not old for new, old in zip(runs, self._ranking.runs, strict=True))
        if is_changed or any(run.status not in FINISHED for run in runs):
            self._ranking = ranked(runs, self._ranking.given)
            self._show()
            self._read_visible()

    def _read_visible(self) -> None:
        """Read the files and messages of the runs in view that are not known as they are now."""
        self.run_worker(self._read_runs, group="read", exclusive=True)

    async def _read_runs(self) -> None:
        for run in self.table.visible_runs:
            state = (run.status, run.attempt, run.changes, run.in_trash)
            if self._read.get(run.id) != state:
                self._compared[run.id] = await self._read_run(run)
                self._read[run.id] = state
                self._show()
        await self._engine.costs.load()
        self._show()

    async def _read_run(self, run: Run) -> ComparedRun:
        workspaces = self._engine.workspaces
        try:
            message = (await workspaces.message(run.id)).partition("\n\n")[2]
            changes = await workspaces.changes(run.id)
        except UserError as error:
            return ComparedRun(problem=error.message)
        return ComparedRun(comparison.lines_of(changes.files), message)

    # What the user asks for

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey what the chosen run does not allow."""
        del parameters
        if not self.is_mounted:
            return True
        run = self.table.chosen
        if action == "apply":
            return True if allows(run, "apply_run") else None
        if action == "open":
            return True if run.workspace else None
        if action == "diff":
            return True if len(self._order) > 1 else None
        return True

    def action_aside(self, by: int) -> None:
        """Choose another run."""
        self.table.choose(by)
        self.refresh_bindings()
        self._read_visible()

    def action_left(self) -> None:
        """Choose the run on the left."""
        self.action_aside(-1)

    def action_right(self) -> None:
        """Choose the run on the right."""
        self.action_aside(1)

    def action_mark(self) -> None:
        """Mark the chosen run as the one to compare with, or unmark it."""
        chosen = self.table.chosen.id
        self.table.marked = "" if self.table.marked == chosen else chosen
        self._show()

    def action_open(self) -> None:
        """Show what the chosen run changed; the way back leads here."""
        self.post_message(CodeRequested("changes", self.table.chosen.id))

    def action_diff(self) -> None:
        """Show how the chosen run differs from the marked one, or else from the best."""
        self.post_message(RunDiffRequested(self.table.chosen.id, self._other().id))

    def _other(self) -> Run:
        """Return the run to compare with: the marked, the best or the next one."""
        chosen, runs = self.table.chosen, self._ranking.runs
        marked = [run for run in runs if run.id == self.table.marked]
        return next(run for run in (*marked, *runs) if run.id != chosen.id)

    def action_apply(self) -> None:
        """Apply the changes of the chosen run, after a preview."""
        from tui.screens.undoing import ask_apply

        ask_apply(app_of(self), self._engine, [self.table.chosen], self._place)

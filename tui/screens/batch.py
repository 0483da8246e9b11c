"""A batch: where it stands, its runs ranked, and what can be done with them as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import getters, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.dom import DOMNode

from engine.domain.batch import Batch, standing
from engine.domain.errors import UserError, user_error
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run
from engine.domain.queue import dependents
from engine.domain.ranking import RankedTask, tasks
from engine.domain.text import printable_name
from tui import commands
from tui.formatting import questions
from tui.models.named_paths import absolute, here
from tui.models.review_queue import ReviewQueue
from tui.screens.allowed import allows
from tui.screens.deleting import WorkspaceDeletion
from tui.screens.live import CodeRequested, LiveScreen, stop_work
from tui.screens.undoing import UndoActions, ask_apply
from tui.widgets.base.throttle import Throttle
from tui.widgets.base.too_small import COLUMNS, ROWS, TooSmall
from tui.widgets.runs.batch_runs import BatchHead, BatchRuns
from tui.widgets.status.key_bar import KeyBar
from tui.widgets.status.toast import app_of, attempt, tell
from tui.widgets.status.top_bar import TopBar

if TYPE_CHECKING:
    from engine.engine import EventBatch
    from engine.ports.engine import EnginePort


class BatchScreen(LiveScreen):
    """Screen of one batch at a time; `open` chooses it."""

    DEFAULT_CSS = """
    BatchScreen {
        background: $background;
        BatchRuns { height: 1fr; }
        &.-tiny, &.-short {
            TopBar, BatchHead, BatchRuns, KeyBar { display: none; }
            TooSmall { display: block; }
        }
    }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (COLUMNS, "-wide")]  # noqa: RUF012  Textual declares it without ClassVar
    VERTICAL_BREAKPOINTS = [(0, "-short"), (ROWS, "-tall")]  # noqa: RUF012  Textual declares it without ClassVar
    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("batch")

    head = getters.query_one(BatchHead)
    listed = getters.query_one(BatchRuns)

    def __init__(self, engine: EnginePort, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self.came_from = "runs"
        """The mode to go back to: the runs, or the usage."""
        self._swarm: Batch | None = None
        self._pace = Throttle(self, self._show)
        self._deleting = WorkspaceDeletion(self, self._show, self._place)
        self._undoing = UndoActions(
            self, partial(self.run_worker, group="undo"), lambda _: self._show()
        )

    def compose(self) -> ComposeResult:
        """Compose the screen."""
        yield TopBar()
        yield BatchHead()
        yield BatchRuns()
        yield TooSmall()
        yield KeyBar()

    def on_screen_resume(self) -> None:
        """Catch up."""
        super().on_screen_resume()
        self.listed.focus()
        self._show()
        self.run_worker(self._show_costs, group="costs", exclusive=True)

    async def _show_costs(self) -> None:
        await self.engine.costs.load()
        self._show()

    def carrier(self, scope: str) -> DOMNode | None:
        """Return the object that carries out the commands of a scope here."""
        return self if scope == "batch" else None

    # What is shown

    def open(self, batch: str) -> None:
        """Show this batch."""
        self._swarm = Batch(batch, batch)
        self._show()
        self._look(batch)

    @work(group="look", exclusive=True)
    async def _look(self, batch: str) -> None:
        """Find out what was asked for; a label that no batch has is shown as it is."""
        try:
            self._swarm = await self.engine.swarms.find(batch)
        except UserError:
            return
        self._show()

    def take(self, batch: EventBatch) -> None:
        """Take in what happened."""
        super().take(batch)
        runs, swarm = self.engine.view.runs, self._swarm
        if swarm and any(runs[run_id].spec.batch == swarm.id for run_id in batch.runs):
            self._pace.ask()

    def tick(self) -> None:
        """Advance the clocks, while something is at work."""
        super().tick()
        if self.is_current and any(run.status not in FINISHED for run in self._runs):
            self._show()

    @property
    def _runs(self) -> Sequence[Run]:
        return self.engine.view.batch(self._swarm.id) if self._swarm else []

    @property
    def _tasks(self) -> list[RankedTask]:
        return tasks(self._runs)

    def _show(self) -> None:
        if self._swarm is None or not self.is_mounted:
            return
        now, cost = self.clock(), self.engine.costs.known
        self.head.show(self._swarm, standing(self._runs, now, self.engine.slots, cost))
        self.listed.show(self._tasks, now, cost)
        self.refresh_bindings()

    # What is allowed

    @property
    def _chosen_task(self) -> RankedTask | None:
        """The task of the chosen run."""
        chosen = self.listed.chosen
        return next((task for task in self._tasks if chosen in task.runs), None)

    @property
    def _winners(self) -> list[Run]:
        won = [task.winner for task in self._tasks]
        return [run for run in won if run and run.changes.files and not run.is_applied]

    def _allowed(self) -> dict[str, bool]:
        runs, chosen = self._runs, self.listed.chosen
        return {
            "open": bool(runs),
            "changes": bool(chosen and chosen.workspace),
            "compare": self._chosen_task is not None,
            "apply": bool(chosen and allows(chosen, "apply_run")),
            "apply_best": bool(self._winners),
            "drop": any(not run.in_trash for task in self._tasks for run in task.rest),
            "retry": any(run.status in ("failed", "interrupted") for run in runs),
            "cancel": any(run.status not in FINISHED for run in runs),
        }

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey what the batch does not allow."""
        del parameters
        return True if self._allowed().get(action, True) else None

    def why_not(self, command_id: str) -> UserError | None:
        """Return why the batch does not allow it."""
        told = {
            "batch.changes": ("The run has no workspace yet.", "Wait until it has started."),
            "batch.compare": ("There is nothing to compare yet.", "Wait until a run is there."),
            "batch.apply": (
                "The run has no changes that can be applied to a source.",
                "Wait until it has started; `swarm-tui apply --to DIR` applies to any folder.",
            ),
            "batch.apply_best": (
                "No task has a best run with changes yet.",
                "A task has a best run when all its runs have ended and one has succeeded.",
            ),
            "batch.drop": (
                "No task has a best run yet.",
                "Wait until all runs of a task have ended.",
            ),
            "batch.retry": ("No run of the batch has failed.", "Nothing to do."),
            "batch.cancel": ("No run of the batch is live.", "r retries failed runs."),
        }
        message, way_out = told.get(command_id, ("", ""))
        return user_error("INPUT_INVALID", message, way_out) if message else None

    # What can be done

    async def action_open(self) -> None:
        """Go to the run in the list of runs."""
        if run := self.listed.chosen:
            await app_of(self).run_action("app.runs")
            screen = app_of(self).screen
            if isinstance(screen, LiveScreen):
                screen.expect(run.id)

    def action_changes(self) -> None:
        """Review the changes of the run; those of the batch follow, as they are ranked."""
        if run := self.listed.chosen:
            order = [each.id for task in self._tasks for each in task.runs]
            batch = run.spec.batch
            runs = self.engine.view.runs
            queue = ReviewQueue.of_list(runs, order, lambda each: each.spec.batch == batch)
            self.post_message(CodeRequested("changes", run.id, queue=queue))

    def action_compare(self) -> None:
        """Show the runs of the task side by side."""
        from tui.screens.side_by_side import RunComparison

        if task := self._chosen_task:
            app_of(self).push_screen(RunComparison(self.engine, task, self.clock, self._place()))

    def action_apply(self) -> None:
        """Apply the changes of the chosen run, after a preview."""
        if run := self.listed.chosen:
            self._apply([run])

    def action_apply_best(self) -> None:
        """Apply the changes of the best run of each task, after a preview."""
        if winners := self._winners:
            self._apply(winners)

    def _apply(self, runs: Sequence[Run]) -> None:
        ask_apply(app_of(self), self.engine, runs, self._place())

    def _place(self) -> str:
        return f"batch {self._swarm.id if self._swarm else ''}"

    def action_drop(self) -> None:
        """Delete the workspaces of the runs that did not win, after a question."""
        won = [task for task in self._tasks if task.winner]
        rest = [run.id for task in won for run in task.rest if not run.in_trash]
        self._deleting.ask(rest)

    def action_undo(self) -> None:
        """Undo the last change of this dashboard; without one, restore a deleted workspace."""
        if not self._undoing.undo(self._place()):
            self._deleting.undo()

    def action_retry(self) -> None:
        """Retry the failed runs, and those that waited for them."""
        if self._swarm:
            self._retry(self._swarm.id)

    @work(group="ask")
    async def _retry(self, batch: str) -> None:
        found = await attempt(app_of(self), self.engine.swarms.to_retry(batch)) or []
        for run in found:
            await attempt(app_of(self), self.engine.retry(run.id))
        tell(app_of(self), f"Retried {_counted(len(found))}")

    def action_cancel(self) -> None:
        """Cancel what is live, after a question."""
        from tui.screens.cancelling import cancel_now
        from tui.screens.confirm import ConfirmChoice, confirm

        live = [run for run in self._runs if run.status not in FINISHED]
        if not live:
            return

        def cancel() -> None:
            cancel_now(self, [run.id for run in live])

        waiting = dependents(self.engine.view, [run.id for run in live])
        choice = ConfirmChoice("cancel", "x", f"Cancel {_counted(len(live))}", is_danger=True)
        confirm(app_of(self), questions.cancel(live, waiting), choice, cancel)

    def action_export(self) -> None:
        """Write the results into a file: Markdown, CSV or JSON, by its ending."""
        from tui.screens.write import WriteDialog, WriteRequest

        swarm = self._swarm
        if swarm is None:
            return

        async def export(name: str) -> None:
            path = Path(absolute(name))
            kind = path.suffix.removeprefix(".").lower()
            if kind not in ("md", "csv", "json"):
                raise user_error("INPUT_INVALID", "The file's name must end in .md, .csv or .json.")
            await self.engine.swarms.export(swarm, kind, path, self.engine.slots)
            tell(app_of(self), f"Wrote {printable_name(str(path))}")

        hint = f"A file that ends in .md, .csv or .json, as a path from {here()}."
        writing = WriteRequest(
            "Export the results", f"{swarm.id}.md", hint, "Write it", export, is_line=True
        )
        app_of(self).push_screen(WriteDialog(writing))

    def action_older(self) -> None:
        """Show the batch before this one."""
        self._step(1)

    def action_newer(self) -> None:
        """Show the batch after this one."""
        self._step(-1)

    @work(group="step", exclusive=True)
    async def _step(self, by: int) -> None:
        known = [each.id for each in await attempt(app_of(self), self.engine.swarms.all()) or []]
        if self._swarm and self._swarm.id in known:
            place = known.index(self._swarm.id) + by
            if 0 <= place < len(known):
                self.open(known[place])

    async def action_back(self) -> None:
        """Stop what goes on, or go back to the runs, or to the usage."""
        if stop_work(self):
            return
        await app_of(self).switch_mode(self.came_from)


def _counted(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"

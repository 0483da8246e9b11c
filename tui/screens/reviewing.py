"""A review: one run after the other, their header, and what was decided."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engine.domain.errors import UserError, user_error
from tui.formatting.updates import behind
from tui.models.grouped_runs import GroupedRuns
from tui.models.list_options import ListOptions
from tui.models.review_queue import ReviewQueue
from tui.screens.review_decisions import ReviewDecisions
from tui.widgets.runs.review_header import ReviewHeader, ReviewProgress
from tui.widgets.status.toast import app_of, tell

if TYPE_CHECKING:
    from engine.engine import EventBatch
    from tui.screens.changes import ChangesScreen

DECISIONS = frozenset({"apply", "apply_as", "reject_run", "dismiss_run", "undo_decision"})
REVIEW_ACTIONS = DECISIONS | {"next_run", "last_run"}
"""Actions that the review allows or not."""
_ACTIONS = {
    "changes.apply": "apply",
    "changes.apply_as": "apply_as",
    "changes.reject": "reject_run",
    "changes.dismiss": "dismiss_run",
    "changes.undo": "undo_decision",
    "changes.run": "next_run",
    "changes.run_before": "last_run",
}
"""The actions of commands whose reasons are known here."""


class Review:
    """The queue of one screen of changes, the place in it, and the decisions made."""

    def __init__(self, screen: ChangesScreen) -> None:
        self._screen = screen
        self._engine = screen.engine
        self.queue = ReviewQueue.of_chosen({}, (), ())
        self.decisions = ReviewDecisions(screen, self)
        self._message_of: tuple[str, int] | None = None
        self._behind: dict[str, str] = {}
        """Distance of runs behind their base, as of when they were shown."""

    @property
    def _header(self) -> ReviewHeader:
        return self._screen.query_one(ReviewHeader)

    def begin(self, queue: ReviewQueue | None) -> None:
        """Review the runs of a queue, else all that wait for it."""
        runs = self._engine.view.runs
        if queue is None:
            order = GroupedRuns(ListOptions(), runs, self._screen.clock()).ids()
            queue = ReviewQueue.of_list(runs, order)
        self.queue = queue
        self.decisions.begin_review()

    # What is shown

    def show(self) -> None:
        """Show the run, its place in the queue and what is being done."""
        if not self._screen.query(ReviewHeader):
            return  # the dashboard ends
        run = self._screen.run
        queue, run_id = self.queue, self._screen.run_id
        progress = ReviewProgress(
            queue.place(run_id), len(queue.ids), len(queue.undecided), self._behind.get(run_id, "")
        )
        self._header.show(run, progress, self.decisions.busy)
        self._screen.refresh_bindings()
        read = (run_id, run.attempt if run and run.finished_at else 0)
        if run and read != self._message_of:
            self._message_of = read
            self._header.show_message(run.message)
            self._screen.run_worker(self._read_message(run_id), group="message", exclusive=True)
            self.read_behind()

    def read_behind(self) -> None:
        """Show how far the run is behind its base."""
        work = partial(self._read_behind, self._screen.run_id)
        self._screen.run_worker(work, group="behind", exclusive=True)

    async def _read_behind(self, run_id: str) -> None:
        found = await self._engine.updates.behind(run_id)
        words = behind(found) if found else ""
        if words != self._behind.get(run_id, ""):
            self._behind[run_id] = words
            self.show()

    async def _read_message(self, run_id: str) -> None:
        """Show the whole last message; its first line is known with the run."""
        try:
            text = await self._engine.workspaces.message(run_id)
        except UserError:
            return  # without a message the header has none
        said = text.partition("\n\n")[2]
        if said and run_id == self._screen.run_id:
            self._header.show_message(said)

    def take(self, batch: EventBatch) -> None:
        """Take in runs that ended, and what became of this one."""
        self.queue.update(batch.runs - self.decisions.ending)
        if batch.runs:
            self.show()
        self.decisions.reject_ended(set(batch.runs))

    def toggle_message(self) -> None:
        """Show the whole message, or its beginning."""
        header = self._header
        header.show_whole(not header.is_whole)

    # From run to run

    def preload(self) -> None:
        """Compare the next run, so that it is shown at once."""
        following = self.queue.step(self._screen.run_id, 1)
        if following:
            self._screen.comparisons.preload(following)

    def step(self, by: int) -> None:
        """Go to the next run to review (1), or to the one before (-1)."""
        found = self.queue.step(self._screen.run_id, by)
        if found:
            self.go_to(found)
        else:
            tell(app_of(self._screen), f"No run to review {'follows' if by > 0 else 'before'}.")

    def go_to(self, run_id: str) -> None:
        """Show a run."""
        if run_id != self._screen.run_id:
            self._screen.show_run(run_id)
        else:
            self.show()

    def go_on(self, decided: str) -> None:
        """Go on to the next run that waits for a decision, if the decided one is still shown."""
        following = self.queue.next_undecided(decided)
        if decided != self._screen.run_id:
            self.show()
        elif following:
            self.go_to(following)
        else:
            self.show()
            tell(app_of(self._screen), "No run is left to review: esc goes back.", stays=True)

    # What is allowed

    def check(self, action: str) -> bool | None:
        """Return whether an action is possible; None greys its key."""
        if action in ("next_run", "last_run"):
            by = 1 if action == "next_run" else -1
            return True if self.queue.step(self._screen.run_id, by) else None
        return True if self.decisions.allows(action) else None

    def why_not(self, command_id: str) -> UserError | None:
        """Return why a command is not possible."""
        action = _ACTIONS.get(command_id)
        if action in DECISIONS:
            return self.decisions.why_not(action)
        if action:
            where = "after" if action == "next_run" else "before"
            message = f"There is no run to review {where} this one."
            return user_error("RUN_NOT_FOUND", message, "esc goes back to the list.")
        return None

"""What can be asked of the chosen run, on whatever screen it is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import work

from engine.domain import lifecycle
from engine.domain.errors import UserError, user_error
from engine.domain.model import Run, Status
from tui.screens.live import LiveScreen
from tui.toast import app_of, attempt, tell

if TYPE_CHECKING:
    from engine.engine import Engine

_ALLOWED = {
    "cancel_run": lifecycle.CANCELLABLE,
    "kill_run": lifecycle.CANCELLABLE | {Status.CANCELLING},
    "retry_run": lifecycle.FINISHED,
    **dict.fromkeys(("copy_id", "log", "files", "follow"), frozenset(Status)),
}
"""In which status a run has to be for each action."""


class RunActions(LiveScreen):
    """A screen on which a run is chosen."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = engine

    @property
    def run(self) -> Run | None:
        """The chosen run as it is now."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey what the chosen run does not allow."""
        del parameters
        if action not in _ALLOWED:
            return True
        return True if self.run and self.run.status in _ALLOWED[action] else None

    def why_not(self, command_id: str) -> UserError | None:
        """Say why the chosen run does not allow it."""
        run = self.run
        if run is None:
            return user_error("RUN_NOT_FOUND", "No run is chosen.", "Press n to start one.")
        if command_id in ("run.cancel", "run.kill"):
            message = f"The run {run.id} is {run.status}."
            stopping = run.status is Status.CANCELLING
            way_out = "X kills it now." if stopping else "r starts its next attempt."
            return user_error("RUN_NOT_CANCELLABLE", message, way_out)
        if command_id == "run.retry":
            return user_error("RUN_NOT_RETRYABLE", f"The run {run.id} is {run.status}.")
        return None

    def action_cancel_run(self) -> None:
        """Cancel the run."""
        if run := self.run:
            self.run_worker(attempt(app_of(self), self.engine.cancel(run.id)), group="ask")

    @work(group="dialog")
    async def action_kill_run(self) -> None:
        """Kill the run, after a question."""
        from tui.screens.confirm import Choice, Confirm

        run = self.run
        if run is None:
            return
        choices = [Choice("kill", "k", "kill now", is_danger=True), Choice("stay", "s", "stay")]
        text = f"{run.id} gets no time to finish what it writes. Its workspace stays."
        if await app_of(self).push_screen_wait(Confirm("Kill now?", text, choices)) == "kill":
            await attempt(app_of(self), self.engine.cancel(run.id, kill=True))

    def action_retry_run(self) -> None:
        """Start the run's next attempt."""
        if run := self.run:
            self.run_worker(attempt(app_of(self), self.engine.retry(run.id)), group="ask")

    def action_copy_id(self) -> None:
        """Copy the run's id."""
        if run := self.run:
            app_of(self).copy_to_clipboard(run.id)
            tell(app_of(self), f"Copied {run.id}")

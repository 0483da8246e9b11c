"""What can be asked of the chosen run, on whatever screen it is chosen."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

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

    def _ask(self, asked: Awaitable[Run]) -> None:
        """Let the engine take its time over what it was asked for."""
        self.run_worker(attempt(app_of(self), asked), group="ask")

    def action_cancel_run(self) -> None:
        """Cancel the run."""
        if run := self.run:
            self._ask(self.engine.cancel(run.id))

    def action_kill_run(self) -> None:
        """Kill the run, after a question."""
        from tui.screens.confirm import Choice, Confirm

        run = self.run
        if run is None:
            return

        def answered(choice: str | None) -> None:
            if choice == "kill":
                self._ask(self.engine.cancel(run.id, kill=True))

        choices = [Choice("kill", "k", "kill now", is_danger=True), Choice("stay", "s", "stay")]
        text = f"{run.id} gets no time to finish what it writes. Its workspace stays."
        app_of(self).push_screen(Confirm("Kill now?", text, choices), answered)

    def action_retry_run(self) -> None:
        """Start the run's next attempt."""
        if run := self.run:
            self._ask(self.engine.retry(run.id))

    def action_copy_id(self) -> None:
        """Copy the run's id."""
        if run := self.run:
            app_of(self).copy_to_clipboard(run.id)
            tell(app_of(self), f"Copied {run.id}")

"""What can be asked of the chosen run, or of all that are marked, wherever they are shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from engine.domain import lifecycle
from engine.domain.errors import UserError, user_error
from engine.domain.model import Run, Status
from tui import show
from tui.cells import clean, crop
from tui.screens.deleting import Deleting
from tui.screens.live import LiveScreen
from tui.toast import app_of, attempt, tell

if TYPE_CHECKING:
    from engine.engine import Engine
    from tui.screens.write import Writing

_KILLABLE = lifecycle.CANCELLABLE | {Status.CANCELLING}
_ALLOWED = {
    "cancel_run": lifecycle.CANCELLABLE,
    "kill_run": _KILLABLE,
    **dict.fromkeys(("retry_run", "edit_run", "resume_run", "fresh_run"), lifecycle.FINISHED),
    "delete_workspace": lifecycle.FINISHED,
    **dict.fromkeys(("copy_id", "log", "files", "follow"), frozenset(Status)),
}
"""In which status a run has to be for each action."""

_OF_MARKS = frozenset({"cancel_run", "kill_run", "retry_run", "delete_workspace"})


class RunActions(LiveScreen):
    """A screen on which runs are chosen."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self._writings: dict[tuple[str, str], Writing] = {}
        """What was written for runs and not sent yet."""
        self._deleting = Deleting(self, self.deleting, lambda: None)

    @property
    def run(self) -> Run | None:
        """The chosen run as it is now."""
        raise NotImplementedError

    def marked(self) -> Sequence[Run]:
        """Give the marked runs as they are now."""
        raise NotImplementedError

    def unmark(self) -> None:
        """Take the marks away: what they were for is done."""
        raise NotImplementedError

    def deleting(self, words: str) -> None:
        """Say how far the deleting of workspaces is; empty when there is nothing to say."""

    # What is allowed

    def _targets(self, action: str) -> list[Run]:
        """Give the runs an action would apply to now: the marked ones, else the chosen one."""
        marked = self.marked() if action in _OF_MARKS else ()
        chosen = marked or ([self.run] if self.run else [])
        return [run for run in chosen if run.status in _ALLOWED[action]]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey what the chosen runs do not allow."""
        del parameters
        if action not in _ALLOWED:
            return True
        targets = self._targets(action)
        if action == "resume_run":
            targets = [run for run in targets if run.thread_id]
        return True if targets else None

    def why_not(self, command_id: str) -> UserError | None:
        """Say why the chosen run does not allow it."""
        run = self.run
        if run is None:
            return user_error("RUN_NOT_FOUND", "No run is chosen.", "Press n to start one.")
        which = "None of the marked runs is" if self.marked() else f"The run {run.id} is"
        if command_id in ("run.cancel", "run.kill"):
            message = f"{which} live." if self.marked() else f"{which} {run.status}."
            stopping = run.status is Status.CANCELLING
            way_out = "X kills it now." if stopping else "r starts its next attempt."
            return user_error("RUN_NOT_CANCELLABLE", message, way_out)
        if command_id == "run.retry" and self.marked():
            return user_error("RUN_NOT_RETRYABLE", f"{which} finished.")
        if command_id in ("run.retry", "run.edit", "run.resume", "run.fresh"):
            if run.status in lifecycle.FINISHED:
                message = f"The run {run.id} never got a Codex thread."
                return user_error("THREAD_NOT_FOUND", message, "r retries it, e edits its prompt.")
            return user_error("RUN_NOT_RETRYABLE", f"The run {run.id} is {run.status}.")
        return None

    # Asking

    def _ask(self, runs: Sequence[Run], ask: Callable[[str], Awaitable[Run]]) -> None:
        """Ask for the same of each run, and let the engine take its time over it."""
        ids = [run.id for run in runs]

        async def each() -> None:
            for run_id in ids:
                await attempt(app_of(self), ask(run_id))

        if self.marked():
            self.unmark()
        self.run_worker(each, group="ask")

    def _confirm(
        self, title: str, text: str, yes: tuple[str, str], act: Callable[[], None]
    ) -> None:
        from tui.screens.confirm import Choice, Confirm

        def answered(choice: str | None) -> None:
            if choice == "yes":
                act()

        key, label = yes
        choices = [Choice("yes", key, label, is_danger=True), Choice("stay", "s", "stay")]
        app_of(self).push_screen(Confirm(title, text, choices), answered)

    def action_cancel_run(self) -> None:
        """Cancel the run; more than one only after a question."""
        runs = self._targets("cancel_run")

        def cancel() -> None:
            self._ask(runs, self.engine.cancel)

        if len(runs) > 1:
            text = f"{_names(runs)}. Their workspaces stay as they are."
            self._confirm(f"Cancel {len(runs)} runs?", text, ("c", "cancel them"), cancel)
        elif runs:
            cancel()

    def action_kill_run(self) -> None:
        """Kill the run, after a question."""
        runs = self._targets("kill_run")

        def kill() -> None:
            self._ask(runs, lambda run_id: self.engine.cancel(run_id, kill=True))

        one = len(runs) == 1
        title = "Kill now?" if one else f"Kill {len(runs)} runs now?"
        text = f"{_names(runs)}: no time to finish what is being written. Workspaces stay."
        if runs:
            self._confirm(title, text, ("k", "kill now"), kill)

    def action_retry_run(self) -> None:
        """Start the next attempt from the last good state."""
        self._ask(self._targets("retry_run"), self.engine.retry)

    def action_fresh_run(self) -> None:
        """Start over in a new workspace, after a question."""
        runs = self._targets("fresh_run")

        def start_over() -> None:
            self._ask(runs, lambda run_id: self.engine.retry(run_id, fresh=True))

        if runs:
            folder = runs[0].workspace
            stays = f"The old workspace stays: {clean(folder.path, 300)}" if folder else ""
            text = f"{_names(runs)} starts over: new workspace, new thread. {stays}".strip()
            self._confirm("Retry from scratch?", text, ("f", "start over"), start_over)

    # Writing

    def action_edit_run(self) -> None:
        """Edit the prompt, then retry."""

        def words(run: Run) -> tuple[str, str, str]:
            hint = "It starts a new thread in the workspace as it stands."
            return (run.spec.prompt, hint, "Retry")

        self._write("Edit and retry", words, lambda run, text: self.engine.retry(run, prompt=text))

    def action_resume_run(self) -> None:
        """Continue the run's thread with a message."""

        def words(run: Run) -> tuple[str, str, str]:
            del run
            return ("", "It goes on in its thread and its workspace.", "Resume")

        self._write("Resume", words, self.engine.resume)

    def _write(
        self,
        title: str,
        words: Callable[[Run], tuple[str, str, str]],
        send: Callable[[str, str], Awaitable[Run]],
    ) -> None:
        from tui.screens.write import Write, Writing

        run = self.run
        if run is None:
            return
        key = (title, run.id)
        if key not in self._writings:
            text, hint, button = words(run)
            heading = f"{title} · {crop(show.title(run), 60)}"
            self._writings[key] = Writing(
                heading, text, hint, button, lambda said: send(run.id, said)
            )

        def answered(text: str | None) -> None:
            if text is not None:
                self._writings.pop(key, None)

        app_of(self).push_screen(Write(self._writings[key]), answered)

    def action_delete_workspace(self) -> None:
        """Delete the workspace, after a question."""
        self._deleting.ask([run.id for run in self._targets("delete_workspace")])

    def action_undo_delete(self) -> None:
        """Bring back the workspace that was deleted last."""
        self._deleting.undo()

    def action_copy_id(self) -> None:
        """Copy the run's id."""
        if run := self.run:
            app_of(self).copy_to_clipboard(run.id)
            tell(app_of(self), f"Copied {run.id}")


def _names(runs: Sequence[Run], limit: int = 3) -> str:
    names = ", ".join(crop(show.title(run), 40) for run in runs[:limit])
    return f"{names} and {len(runs) - limit} more" if len(runs) > limit else names

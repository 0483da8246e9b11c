"""Actions on the chosen run, or on all marked runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from engine.domain.errors import UserError, user_error
from engine.domain.model import Run, Status
from engine.domain.queue import dependents
from tui import formatting
from tui.formatting import questions
from tui.screens import allowed
from tui.screens.allowed import OF_MARKS, STATUSES
from tui.screens.live import LiveScreen
from tui.terminal.cells import crop
from tui.widgets.status.toast import app_of, attempt, tell

if TYPE_CHECKING:
    from tui.screens.deleting import WorkspaceDeletion
    from tui.screens.run_browser import RunBrowser
    from tui.screens.write import WriteRequest


class RunActions:
    """Actions of a screen on its chosen runs, and the rules that allow them."""

    def __init__(self, screen: LiveScreen, chosen: RunBrowser) -> None:
        self._screen, self._chosen = screen, chosen
        self._engine = screen.engine
        self._writings: dict[tuple[str, str], WriteRequest] = {}
        """Texts that were written for runs and not sent yet."""

    @cached_property
    def _deleting(self) -> WorkspaceDeletion:
        from tui.screens.deleting import WorkspaceDeletion

        return WorkspaceDeletion(self._screen, _show_nothing, self._chosen.unmark)

    # Rules

    def _meant(self, action: str) -> Sequence[Run]:
        """Return the marked runs, those under the heading, or the chosen one."""
        several = (self._chosen.marked() or self._chosen.headed()) if action in OF_MARKS else ()
        return several or ([self._chosen.run] if self._chosen.run else [])

    def targets(self, action: str) -> list[Run]:
        """Return the runs that an action would apply to now, in the list's order."""
        found = (run for run in self._meant(action) if allowed.allows(run, action))
        return sorted(found, key=self._chosen.place)

    def check(self, action: str) -> bool | None:
        """Return whether the chosen runs allow an action; None greys its key."""
        if action not in STATUSES:
            return True
        return True if any(allowed.allows(run, action) for run in self._meant(action)) else None

    def why_not(self, command_id: str) -> UserError | None:
        """Return the reason why the chosen run does not allow a command."""
        run = self._chosen.run
        if command_id == "view.changes" and run:
            message = f"The run {run.id} has no workspace yet."
            return user_error("WORKSPACE_MISSING", message, "Wait until it has started.")
        if command_id == "run.undo":
            recovery = "2 shows the disk, and all there is in the trash."
            return user_error("INPUT_INVALID", "No run's workspace was deleted.", recovery)
        return allowed.why_not(
            command_id, run, len(self._chosen.marked()), len(self._chosen.headed())
        )

    # Asking

    def _ask(self, runs: Sequence[Run], ask: Callable[[str], Awaitable[Run]]) -> None:
        """Request the same of each run, in the background."""
        ids = [run.id for run in runs]

        async def each() -> None:
            for run_id in ids:
                await attempt(app_of(self._screen), ask(run_id))

        if self._chosen.marked():
            self._chosen.unmark()
        self._screen.run_worker(each, group="ask")

    def _confirm(
        self, question: str, answer: tuple[str, str], act: Callable[[], None], keep: str = "Keep"
    ) -> None:
        from tui.screens.confirm import ConfirmChoice, confirm

        choice = ConfirmChoice("yes", *answer, is_danger=True)
        confirm(app_of(self._screen), question, choice, act, keep=keep)

    def cancel_run(self) -> None:
        """Cancel the run; ask first if there are several, or if others wait for it."""
        runs = self.targets("cancel_run")
        waiting = self._waiting_for(runs)

        def cancel() -> None:
            self._ask(runs, self._engine.cancel)

        if len(runs) > 1 or (runs and waiting):
            label = "Cancel it" if len(runs) == 1 else f"Cancel {len(runs)} runs"
            self._confirm(questions.cancel(runs, waiting), ("x", label), cancel)
        elif runs:
            cancel()

    def kill_run(self) -> None:
        """Kill the run, after a question."""
        runs = self.targets("kill_run")

        def kill() -> None:
            self._ask(runs, lambda run_id: self._engine.cancel(run_id, kill=True))

        if runs:
            question = questions.cancel(runs, self._waiting_for(runs), kill=True)
            self._confirm(question, ("X", "Kill now"), kill)

    def _waiting_for(self, runs: Sequence[Run]) -> list[Run]:
        return dependents(self._engine.view, [run.id for run in runs])

    def retry_run(self) -> None:
        """Start the next attempt from the last good state.

        A question comes first for a whole group, and where a run has succeeded: the attempt
        changes a workspace that may have been reviewed.
        """
        runs = self.targets("retry_run")

        def retry() -> None:
            self._ask(runs, self._engine.retry)

        succeeded = any(run.status is Status.SUCCEEDED for run in runs)
        if succeeded or (len(runs) > 1 and not self._chosen.marked()):
            label = "Retry it" if len(runs) == 1 else f"Retry {len(runs)} runs"
            self._confirm(questions.retry(runs), ("r", label), retry)
        else:
            retry()

    def fresh_run(self) -> None:
        """Start over in a new workspace, after a question."""
        runs = self.targets("fresh_run")

        def start_over() -> None:
            self._ask(runs, lambda run_id: self._engine.retry(run_id, fresh=True))

        if runs:
            self._confirm(questions.start_over(runs), ("r", "Start over"), start_over)

    # Writing

    def edit_run(self) -> None:
        """Edit the prompt, then retry."""

        def words(runs: Sequence[Run]) -> tuple[str, str, str]:
            prompts = {run.spec.prompt for run in runs}
            one = len(runs) == 1
            which = "It starts" if one else f"Each of the {len(runs)} runs starts"
            hint = f"{which} a new thread in {'the' if one else 'its'} workspace as it stands."
            return (prompts.pop() if len(prompts) == 1 else "", hint, "Retry")

        self._write("edit_run", "Edit and retry", words, self._edit)

    async def _edit(self, run: str, prompt: str) -> Run:
        return await self._engine.retry(run, prompt=prompt)

    def resume_run(self) -> None:
        """Continue the run's thread with a message; of several runs, each with the same."""

        def words(runs: Sequence[Run]) -> tuple[str, str, str]:
            one = len(runs) == 1
            hint = "It continues" if one else f"Each of the {len(runs)} runs continues"
            return ("", f"{hint} in its thread and its workspace.", "Resume")

        self._write("resume_run", "Resume", words, self._engine.resume)

    def _write(
        self,
        action: str,
        title: str,
        words: Callable[[Sequence[Run]], tuple[str, str, str]],
        send: Callable[[str, str], Awaitable[Run]],
    ) -> None:
        from tui.screens.write import WriteDialog, WriteRequest

        runs = self.targets(action)
        if not runs:
            return
        key = (title, " ".join(run.id for run in runs))
        if key not in self._writings:
            text, hint, button = words(runs)
            which = formatting.title(runs[0]) if len(runs) == 1 else f"{len(runs)} runs"
            waiting = [run.id for run in runs]

            async def to_each(said: str) -> None:
                while waiting:  # what one of them refused is sent again to those that are left
                    await send(waiting[0], said)
                    waiting.pop(0)

            heading = f"{title} · {crop(which, 60)}"
            replaces = len(runs) > 1
            self._writings[key] = WriteRequest(
                heading, text, hint, button, to_each, replaces=replaces
            )

        def answered(text: str | None) -> None:
            if text is not None:
                self._writings.pop(key, None)
                if self._chosen.marked():
                    self._chosen.unmark()

        app_of(self._screen).push_screen(WriteDialog(self._writings[key]), answered)

    # Applying, details

    def apply_run(self) -> None:
        """Apply the changes, after a preview."""
        from tui.screens.apply import ApplyDialog

        if runs := self.targets("apply_run"):

            def closed(is_done: bool | None) -> None:
                if is_done:
                    self._chosen.unmark()

            app_of(self._screen).push_screen(ApplyDialog(self._engine, runs), closed)

    def details(self) -> None:
        """Show the details of the run."""
        from tui.screens.details import RunDetails

        if run := self._chosen.run:
            app_of(self._screen).push_screen(RunDetails(self._engine, run.id, self._screen.clock))

    def delete_workspace(self) -> None:
        """Delete the workspace, after a question."""
        self._deleting.ask([run.id for run in self.targets("delete_workspace")])

    def undo_delete(self) -> None:
        """Restore the run's workspace, or the last one deleted."""
        run = self._chosen.run
        self._deleting.undo(run=run.id if run and run.in_trash else None)

    def copy_id(self) -> None:
        """Copy the run's id."""
        if run := self._chosen.run:
            app_of(self._screen).copy_to_clipboard(run.id)
            tell(app_of(self._screen), f"Copied {run.id}")


def _show_nothing(words: str, percent: float | None = None) -> None:
    """Ignore the progress of a deletion: toasts report its end."""
    del words, percent

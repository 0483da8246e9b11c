"""What can be asked of the chosen run, or of all that are marked, wherever they are shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from engine.domain.errors import UserError
from engine.domain.model import Run
from engine.domain.queue import dependents
from tui import formatting
from tui.formatting import questions
from tui.screens import allowed
from tui.screens.allowed import OF_MARKS, STATUSES
from tui.screens.live import LiveScreen
from tui.terminal.cells import crop
from tui.widgets.status.toast import app_of, attempt, tell

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort
    from tui.screens.deleting import WorkspaceDeletion
    from tui.screens.write import WriteRequest


class RunActions(LiveScreen):
    """A screen on which runs are chosen."""

    def __init__(self, engine: EnginePort, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self._writings: dict[tuple[str, str], WriteRequest] = {}
        """What was written for runs and not sent yet."""

    @property
    def run(self) -> Run | None:
        """The chosen run as it is now."""
        raise NotImplementedError

    def marked(self) -> Sequence[Run]:
        """Give the marked runs as they are now, in no order."""
        raise NotImplementedError

    def headed(self) -> Sequence[Run]:
        """Give the runs under the heading that the cursor is on."""
        raise NotImplementedError

    def place(self, run: Run) -> int:
        """Give the place of a run in the list."""
        raise NotImplementedError

    def unmark(self) -> None:
        """Take the marks away: what they were for is done."""
        raise NotImplementedError

    def deleting(self, words: str, percent: float | None = None) -> None:
        """Say how far the deleting of workspaces is; empty when there is nothing to say."""

    @cached_property
    def _deleting(self) -> WorkspaceDeletion:
        from tui.screens.deleting import WorkspaceDeletion

        return WorkspaceDeletion(self, self.deleting, self.unmark)

    # What is allowed

    def _meant(self, action: str) -> Sequence[Run]:
        """Give the runs meant now: the marked ones, those under the heading, or the chosen one."""
        several = (self.marked() or self.headed()) if action in OF_MARKS else ()
        return several or ([self.run] if self.run else [])

    def _targets(self, action: str) -> list[Run]:
        """Give the runs an action would apply to now, in the list's order."""
        found = (run for run in self._meant(action) if allowed.allows(run, action))
        return sorted(found, key=self.place)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey what the chosen runs do not allow."""
        del parameters
        if action not in STATUSES:
            return True
        return True if any(allowed.allows(run, action) for run in self._meant(action)) else None

    def why_not(self, command_id: str) -> UserError | None:
        """Say why the chosen run does not allow it."""
        return allowed.why_not(command_id, self.run, len(self.marked()), len(self.headed()))

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
        self, question: str, answer: tuple[str, str], act: Callable[[], None], keep: str = "Keep"
    ) -> None:
        from tui.screens.confirm import ConfirmChoice, confirm

        choice = ConfirmChoice("yes", *answer, is_danger=True)
        confirm(app_of(self), question, choice, act, keep=keep)

    def action_cancel_run(self) -> None:
        """Cancel the run; ask first if there are several, or if others wait for it."""
        runs = self._targets("cancel_run")
        waiting = self._waiting_for(runs)

        def cancel() -> None:
            self._ask(runs, self.engine.cancel)

        if len(runs) > 1 or (runs and waiting):
            label = "Cancel it" if len(runs) == 1 else f"Cancel {len(runs)} runs"
            self._confirm(questions.cancel(runs, waiting), ("x", label), cancel)
        elif runs:
            cancel()

    def action_kill_run(self) -> None:
        """Kill the run, after a question."""
        runs = self._targets("kill_run")

        def kill() -> None:
            self._ask(runs, lambda run_id: self.engine.cancel(run_id, kill=True))

        if runs:
            question = questions.cancel(runs, self._waiting_for(runs), kill=True)
            self._confirm(question, ("X", "Kill now"), kill)

    def _waiting_for(self, runs: Sequence[Run]) -> list[Run]:
        return dependents(self.engine.view, [run.id for run in runs])

    def action_retry_run(self) -> None:
        """Start the next attempt from the last good state; of a whole group after a question."""
        runs = self._targets("retry_run")

        def retry() -> None:
            self._ask(runs, self.engine.retry)

        if len(runs) > 1 and not self.marked():
            self._confirm(questions.retry(runs), ("r", f"Retry {len(runs)} runs"), retry)
        else:
            retry()

    def action_fresh_run(self) -> None:
        """Start over in a new workspace, after a question."""
        runs = self._targets("fresh_run")

        def start_over() -> None:
            self._ask(runs, lambda run_id: self.engine.retry(run_id, fresh=True))

        if runs:
            self._confirm(questions.start_over(runs), ("r", "Start over"), start_over)

    # Writing

    def action_edit_run(self) -> None:
        """Edit the prompt, then retry."""

        def words(runs: Sequence[Run]) -> tuple[str, str, str]:
            prompts = {run.spec.prompt for run in runs}
            one = len(runs) == 1
            which = "It starts" if one else f"Each of the {len(runs)} runs starts"
            hint = f"{which} a new thread in {'the' if one else 'its'} workspace as it stands."
            return (prompts.pop() if len(prompts) == 1 else "", hint, "Retry")

        self._write("edit_run", "Edit and retry", words, self._edit)

    async def _edit(self, run: str, prompt: str) -> Run:
        return await self.engine.retry(run, prompt=prompt)

    def action_resume_run(self) -> None:
        """Continue the run's thread with a message; of several runs, each with the same."""

        def words(runs: Sequence[Run]) -> tuple[str, str, str]:
            one = len(runs) == 1
            hint = "It continues" if one else f"Each of the {len(runs)} runs continues"
            return ("", f"{hint} in its thread and its workspace.", "Resume")

        self._write("resume_run", "Resume", words, self.engine.resume)

    def _write(
        self,
        action: str,
        title: str,
        words: Callable[[Sequence[Run]], tuple[str, str, str]],
        send: Callable[[str, str], Awaitable[Run]],
    ) -> None:
        from tui.screens.write import WriteDialog, WriteRequest

        runs = self._targets(action)
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
                if self.marked():
                    self.unmark()

        app_of(self).push_screen(WriteDialog(self._writings[key]), answered)

    # Taking home, looking closely

    def action_apply_run(self) -> None:
        """Take the changes home, after a look at what would come."""
        from tui.screens.apply import ApplyDialog

        if runs := self._targets("apply_run"):

            def closed(is_done: bool | None) -> None:
                if is_done:
                    self.unmark()

            app_of(self).push_screen(ApplyDialog(self.engine, runs), closed)

    def action_details(self) -> None:
        """Show all about the run."""
        from tui.screens.details import RunDetails

        if run := self.run:
            app_of(self).push_screen(RunDetails(self.engine, run.id, self.clock))

    def action_delete_workspace(self) -> None:
        """Delete the workspace, after a question."""
        self._deleting.ask([run.id for run in self._targets("delete_workspace")])

    def action_undo_delete(self) -> None:
        """Bring back the run's workspace, or what was deleted last."""
        run = self.run
        self._deleting.undo(run=run.id if run and run.in_trash else None)

    def action_copy_id(self) -> None:
        """Copy the run's id."""
        if run := self.run:
            app_of(self).copy_to_clipboard(run.id)
            tell(app_of(self), f"Copied {run.id}")

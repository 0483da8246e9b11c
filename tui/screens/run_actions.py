"""Actions on the chosen run, or on all marked runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from engine.domain.errors import UserError, user_error
from engine.domain.model import Run, Status
from tui import formatting
from tui.formatting import questions
from tui.models.undo_history import history_of
from tui.screens import allowed
from tui.screens.allowed import OF_MARKS, STATUSES
from tui.screens.live import LiveScreen, works_of
from tui.terminal.cells import crop
from tui.widgets.status.toast import app_of, attempt, tell

if TYPE_CHECKING:
    from tui.screens.annotating import AnnotationActions, PutAside
    from tui.screens.comparing import RunComparer
    from tui.screens.deleting import WorkspaceDeletion
    from tui.screens.run_browser import RunBrowser
    from tui.screens.undoing import UndoActions
    from tui.screens.write import WriteRequest


LOOKED_AT = 64
"""Marked runs of which each is asked for what it allows; of more, statuses alone count.

A key may then do nothing, with the reason, where it is not grey: 50,000 older runs under one
heading are asked for twenty actions whenever the keys are shown.
"""
PLACE = "runs"
"""The name of the list of runs in the history of changes."""


def _place() -> str:
    return PLACE


def _no_option(runs: Sequence[Run]) -> str:
    del runs
    return ""


class RunActions:
    """Actions of a screen on its chosen runs, and the rules that allow them."""

    def __init__(self, screen: LiveScreen, chosen: RunBrowser) -> None:
        self._screen, self._chosen = screen, chosen
        self._engine = screen.engine
        self._writings: dict[tuple[str, str], WriteRequest] = {}
        """Texts that were written for runs and not sent yet."""

    @cached_property
    def annotations(self) -> AnnotationActions:
        """Changes of tags, notes, dismissed and archived."""
        from tui.screens.annotating import AnnotationActions

        return AnnotationActions(self._screen, _place)

    @cached_property
    def _deleting(self) -> WorkspaceDeletion:
        from tui.screens.deleting import WorkspaceDeletion

        return WorkspaceDeletion(self._screen, self._chosen.unmark, _place)

    @cached_property
    def _undoing(self) -> UndoActions:
        from tui.screens.undoing import UndoActions

        def run(work: Callable[[], Awaitable[None]]) -> None:
            self._screen.run_worker(work, group="undo")

        return UndoActions(self._screen, run, lambda one: self._screen.expect(one.runs[0]))

    @cached_property
    def _comparer(self) -> RunComparer:
        from tui.screens.comparing import RunComparer

        return RunComparer(self._screen, self._chosen, PLACE)

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
        if action == "compare":
            run = self._chosen.run
            return True if self._chosen.several > 1 or (run and run.spec.batch) else None
        if action not in STATUSES:
            return True
        if action in OF_MARKS and self._chosen.several > LOOKED_AT:
            return True if self._chosen.have_any(STATUSES[action]) else None
        return True if any(allowed.allows(run, action) for run in self._meant(action)) else None

    def why_not(self, command_id: str) -> UserError | None:
        """Return the reason why the chosen run does not allow a command."""
        run = self._chosen.run
        if command_id == "run.compare":
            return self._comparer.why_not()
        if command_id == "view.changes" and run:
            message = f"The run {run.id} has no workspace yet."
            return user_error("WORKSPACE_MISSING", message, "Wait until it has started.")
        if command_id == "run.undo":
            recovery = "2 shows the disk, and all there is in the trash."
            message = "Nothing was changed here that can be undone."
            return user_error("INPUT_INVALID", message, recovery)
        marked = len(self._chosen.marked())
        return allowed.why_not(command_id, run, marked, self._chosen.several - marked)

    # Asking

    def _ask(self, runs: Sequence[Run], ask: Callable[[str], Awaitable[Run]]) -> None:
        """Request the same of each run, in the background."""
        ids = [run.id for run in runs]

        async def each() -> None:
            with works_of(self._screen).going("asking", len(ids)) as work:
                for done, run_id in enumerate(ids):
                    if work.is_stopped:
                        words = f"Stopped: {done} asked, {len(ids) - done} left as they were."
                        tell(app_of(self._screen), words, is_warning=True)
                        break
                    await attempt(app_of(self._screen), ask(run_id))
                    work.tell(done + 1)

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
        """Cancel the run; ask first if others are concerned."""
        from tui.screens.cancelling import cancel_runs

        cancel_runs(self._screen, self.targets("cancel_run"), self._unmark)

    def kill_run(self) -> None:
        """Kill the run, after a question."""
        from tui.screens.cancelling import cancel_runs

        cancel_runs(self._screen, self.targets("kill_run"), self._unmark, kill=True)

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

    async def _edit(self, run: str, prompt: str, wanted: WriteRequest) -> Run:
        return await self._engine.retry(run, prompt=prompt, change=wanted.change)

    def resume_run(self) -> None:
        """Continue the run's thread with a message; of several runs, each with the same.

        The open comments on a run are sent along, unless the user chooses otherwise.
        """
        from tui.formatting.comments import option_label

        def words(runs: Sequence[Run]) -> tuple[str, str, str]:
            one = len(runs) == 1
            hint = "It continues" if one else f"Each of the {len(runs)} runs continues"
            return ("", f"{hint} in its thread and its workspace.", "Resume")

        self._write("resume_run", "Resume", words, self._resume, option_label)

    async def _resume(self, run: str, text: str, wanted: WriteRequest) -> Run:
        from tui.screens.resuming import resume_with

        return await resume_with(self._engine, run, text, wanted)

    def _write(
        self,
        action: str,
        title: str,
        words: Callable[[Sequence[Run]], tuple[str, str, str]],
        send: Callable[[str, str, WriteRequest], Awaitable[Run]],
        option_label: Callable[[Sequence[Run]], str] = _no_option,
    ) -> None:
        from tui.screens.mode_option import mode_option
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
                    await send(waiting[0], said, self._writings[key])
                    waiting.pop(0)

            heading = f"{title} · {crop(which, 60)}"
            replaces = len(runs) > 1
            self._writings[key] = WriteRequest(
                heading, text, hint, button, to_each, replaces=replaces, mode=mode_option(runs)
            )
        self._writings[key].option.label = option_label(runs)

        def answered(text: str | None) -> None:
            if text is not None:
                self._writings.pop(key, None)
                if self._chosen.marked():
                    self._chosen.unmark()

        app_of(self._screen).push_screen(WriteDialog(self._writings[key]), answered)

    # Applying, details

    def apply_run(self) -> None:
        """Apply the changes, after a preview."""
        from tui.screens.undoing import ask_apply

        if runs := self.targets("apply_run"):
            app = app_of(self._screen)
            ask_apply(app, self._engine, runs, PLACE, lambda _: self._chosen.unmark())

    def update_run(self) -> None:
        """Move the workspace onto the newest commit of its base."""
        from tui.screens.updating import WorkspaceUpdates

        runs = self.targets("update_run")
        self._unmark()
        WorkspaceUpdates(self._screen, _place).update(runs)

    def push_run(self) -> None:
        """Push the branch of the run, after a dialog."""
        from tui.screens.push import PushDialog

        for run in self.targets("push_run"):
            app_of(self._screen).push_screen(PushDialog(self._engine, run))

    def compare(self) -> None:
        """Compare the marked runs, or those of the run's task."""
        self._comparer.open()

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

    # Annotations

    def dismiss_run(self) -> None:
        """Dismiss the run, or revert it; the cursor goes on to the next."""
        from tui.screens.annotating import DISMISSED

        self._put_aside(DISMISSED, self.targets("dismiss_run"))

    def archive_run(self) -> None:
        """Archive the run, or revert it; the cursor goes on to the next."""
        from tui.screens.annotating import ARCHIVED

        self._put_aside(ARCHIVED, self.targets("archive_run"))

    def _put_aside(self, way: PutAside, runs: Sequence[Run]) -> None:
        self.annotations.put_aside(way, runs, self._chosen.follow_on(runs))

    def start_run(self) -> None:
        """Start the queued runs although a reserve is kept or starts are spread."""
        self.annotations.start_past_pace(self.targets("start_run"), self._unmark)

    def tag_run(self) -> None:
        """Edit the tags of the run."""
        self.annotations.tag(self.targets("tag_run"), self._unmark)

    def note_run(self) -> None:
        """Edit the note of the run."""
        self.annotations.note(self.targets("note_run"), self._unmark)

    # Forking and forgetting

    def fork_run(self) -> None:
        """Start a run on copies of the run's workspace and thread."""
        from tui.screens.forking import fork_run

        for run in self.targets("fork_run"):
            fork_run(self._screen, run)

    def forget_run(self) -> None:
        """Forget the run, after a question; the cursor goes on to the next."""
        from tui.screens.forgetting import forget_runs

        forget_runs(self._screen, self.targets("forget_run"), self._unmark)

    def _unmark(self) -> None:
        if self._chosen.marked():
            self._chosen.unmark()

    def undo(self) -> None:
        """Undo the last change of this dashboard; without one, restore a deleted workspace."""
        if not self._undoing.undo(PLACE):
            self.undo_delete()

    @property
    def can_undo(self) -> bool:
        """Return whether there is anything to undo."""
        is_known = history_of(app_of(self._screen)).last is not None
        return is_known or bool(self._engine.view.deleted)

    def copy_id(self) -> None:
        """Copy the run's id."""
        if run := self._chosen.run:
            app_of(self._screen).copy_to_clipboard(run.id)
            tell(app_of(self._screen), f"Copied {run.id}")

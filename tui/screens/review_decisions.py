"""Decisions about the run that is reviewed: applied, rejected, dismissed; and their undo."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from engine.domain.attention import conflicts_left, is_dismissed
from engine.domain.errors import UserError, user_error
from engine.domain.hosts import path_here
from engine.domain.lifecycle import FINISHED, status_words
from engine.domain.model import Run, WorkspaceKind
from tui import formatting
from tui.formatting.apply_rows import source_words
from tui.formatting.questions import counted
from tui.models.undo_history import ChangeKind, UndoableChange, history_of
from tui.screens.allowed import allows
from tui.screens.allowed import why_not as why_not_of_runs
from tui.screens.live import works_of
from tui.screens.undoing import UndoActions, ask_apply
from tui.widgets.status.toast import app_of, report, tell

if TYPE_CHECKING:
    from engine.engine import ApplyResult
    from tui.screens.changes import ChangesScreen
    from tui.screens.reviewing import Review

STOPPED = "Stopped: nothing was applied."
NEWER = "The workspace has changed since it was compared: read the changes, then repeat it."


class ReviewDecisions:
    """Decisions of one review, one at a time."""

    def __init__(self, screen: ChangesScreen, review: Review) -> None:
        self._screen, self._review = screen, review
        self._engine = screen.engine
        self._undoing = UndoActions(screen, lambda work: self._run("Undoing …", work), self._undone)
        self._count = 0
        self.ending: set[str] = set()
        """Runs at work that are rejected as soon as they have ended."""
        self.busy = ""
        """The work in progress, in words."""

    @property
    def place(self) -> str:
        """The name of this review in the history of changes."""
        return f"review {self._count}"

    def begin_review(self) -> None:
        """Begin another review."""
        self._count += 1

    # Which are possible

    def allows(self, action: str) -> bool:
        """Return whether the present run allows a decision."""
        return self.why_not(action) is None

    def why_not(self, action: str) -> UserError | None:
        """Return why the present run does not allow a decision."""
        run = self._screen.run
        if self.busy:
            return user_error("INPUT_INVALID", f"{self.busy} One at a time.", "Wait for its end.")
        if action == "undo_decision":
            recovery = "`apply --undo`, `update --undo` and the trash undo older decisions."
            message = "Nothing was changed here that can be undone."
            return None if self._undoing.last else user_error("INPUT_INVALID", message, recovery)
        if run is None:
            return user_error("RUN_NOT_FOUND")
        if action == "dismiss_run":
            return _why_not_dismissed(run)
        if run.workspace is None or run.in_trash:
            recovery = "] goes to the next run, u undoes a rejection of this review."
            return user_error("WORKSPACE_MISSING", "", recovery)
        if action == "reject_run":
            return _why_not_rejected(run)
        return None if allows(run, "apply_run") else why_not_of_runs("run.apply", run, 0, 0)

    # One at a time

    def _begin(self, action: str, busy: str, work: Callable[[Run], Awaitable[None]]) -> None:
        run = self._screen.run
        if reason := self.why_not(action):
            report(app_of(self._screen), reason)
        elif run:
            self._run(busy, lambda: work(run))

    def _run(self, busy: str, work: Callable[[], Awaitable[None]]) -> None:
        self._say(busy)

        async def whole() -> None:
            try:
                await work()
            except UserError as error:
                report(app_of(self._screen), error)
            finally:
                self._say("")

        self._screen.run_worker(whole, group="decide")

    def _say(self, busy: str) -> None:
        self.busy = busy
        self._review.show()

    def _decided(self, kind: ChangeKind, run: Run, words: str, *, is_warning: bool = False) -> None:
        self._remember(kind, run.id)
        text = f"{formatting.title(run)}: {words} u undoes."
        tell(app_of(self._screen), text, is_warning=is_warning, stays=True)
        self._say("")
        self._review.go_on(run.id)

    def _remember(self, kind: ChangeKind, run: str) -> None:
        change = UndoableChange(kind, (run,), self.place)
        history_of(app_of(self._screen)).add(change)

    # Applied

    def apply(self) -> None:
        """Apply the changes as edits, if they fit; else show why not."""
        self._begin("apply", "Applying …", self._apply)

    def apply_as(self) -> None:
        """Show the changes that would be applied, and ask how."""
        self._begin("apply_as", "Comparing …", self._apply_as)

    async def _apply_as(self, run: Run) -> None:
        try:
            if await self._shows_newer():
                return
        except UserError:
            pass  # the dialog shows the reason
        self._ask(run)

    async def _shows_newer(self) -> bool:
        """Show changes that were not shown yet; return whether there are any."""
        is_newer = await self._screen.compared.has_changed()
        if is_newer:
            tell(app_of(self._screen), NEWER, is_warning=True)
        return is_newer

    async def _apply(self, run: Run) -> None:
        from engine.engine import ApplyMode

        workspaces = self._engine.workspaces
        if conflicts_left(run):
            self._ask(run)
            return
        if await self._shows_newer():
            return
        if run.status not in FINISHED:
            self._ask(run)
            return
        try:
            found = await workspaces.apply(run.id, ApplyMode.EDITS, check=True)
            if not found.fits or found.links_left:
                self._ask(run)
                return
            done = await self._apply_edits(run)
        except UserError:
            self._ask(run)  # which shows the reason, and other ways
            return
        if done:
            self._show_applied(run, done)

    async def _apply_edits(self, run: Run) -> ApplyResult | None:
        """Apply a run; return None where the user stops it."""
        from engine.engine import ApplyMode

        with works_of(self._screen).going("applying") as work:
            return await work.unless_stopped(
                self._engine.workspaces.apply(run.id, ApplyMode.EDITS, looked=work.looked()),
                lambda: tell(app_of(self._screen), STOPPED, is_warning=True),
            )

    def _show_applied(self, run: Run, done: ApplyResult) -> None:
        source = source_words(run)
        words = f"{counted(len(done.files), 'file')} edited in {source}; nothing is committed."
        if not done.files:
            text = f"{formatting.title(run)}: nothing new, all of it is in {source} already."
            tell(app_of(self._screen), text, stays=True)
            self._review.go_on(run.id)
            return
        if done.left_out:
            words += f" {counted(len(done.left_out), 'file')} could not be read."
        self._decided(ChangeKind.APPLIED, run, words, is_warning=bool(done.left_out))

    def _ask(self, run: Run) -> None:
        def applied(runs: Sequence[str]) -> None:
            for one in runs:
                self._review.go_on(one)

        ask_apply(app_of(self._screen), self._engine, [run], self.place, applied)

    # Rejected

    def reject(self) -> None:
        """Move the workspace to the trash; ask first if the run is still at work."""
        run = self._screen.run
        if run is None or run.status in FINISHED or self.why_not("reject_run"):
            self._begin("reject_run", "Moving the workspace to the trash …", self._reject)
            return
        from tui.screens.confirm import ConfirmChoice, confirm

        def end() -> None:
            self.ending.add(run.id)
            self._run("Cancelling the run …", lambda: self._cancel(run.id))

        question = f"The run {status_words(run.status)}. Cancel it and reject its changes?"
        choice = ConfirmChoice("yes", "x", "Cancel and reject", is_danger=True)
        confirm(app_of(self._screen), question, choice, end)

    async def _cancel(self, run_id: str) -> None:
        await self._engine.cancel(run_id)

    def reject_ended(self, changed: set[str]) -> None:
        """Reject the runs that have ended, where that was decided before."""
        runs = self._engine.view.runs
        for run_id in changed & self.ending:
            run = runs.get(run_id)
            if run is None or run.status in FINISHED:
                self.ending.discard(run_id)
                if run:
                    self._run("Moving the workspace to the trash …", _call(self._reject, run))

    async def _reject(self, run: Run) -> None:
        from engine.engine import CleanupFilter

        path = path_here(run)
        wish = CleanupFilter(
            runs=frozenset({run.id}), paths=frozenset({path}), including_unsaved=True
        )
        disk = self._engine.disk
        plan = await disk.plan(wish)
        if not plan.take:
            why = plan.keep[0].why if plan.keep else "there is no workspace"
            raise user_error("WORKSPACE_MISSING", f"The workspace stays: {why}.")
        done = await disk.clean(plan, wish)
        for one in done.cleaned:
            if one.failure:
                raise one.failure
        self._decided(ChangeKind.DELETED, run, "the workspace is in the trash.")

    # Dismissed

    def dismiss(self) -> None:
        """Put the run aside: it no longer needs attention."""
        self._begin("dismiss_run", "Dismissing …", self._dismiss)

    async def _dismiss(self, run: Run) -> None:
        await self._engine.annotations.dismiss([run.id])
        self._decided(ChangeKind.DISMISSED, run, "dismissed.")

    # Updated

    def updated(self, runs: Sequence[str]) -> None:
        """Show the changes of runs that were updated onto their base again."""
        self._say("")
        if self._screen.run_id in runs:
            self._review.read_behind()
            self._screen.action_refresh()

    # Undone

    def undo(self) -> None:
        """Undo the last change, and go back to its run."""
        if reason := self.why_not("undo_decision"):
            report(app_of(self._screen), reason)
        else:
            self._undoing.undo(self.place)

    def _undone(self, change: UndoableChange) -> None:
        if change.kind is ChangeKind.UPDATED:
            self.updated(change.runs)
        self._review.go_to(change.runs[0])


def _call(
    work: Callable[[Run], Coroutine[Any, Any, None]], run: Run
) -> Callable[[], Awaitable[None]]:
    return lambda: work(run)


def _why_not_dismissed(run: Run) -> UserError | None:
    if run.status not in FINISHED:
        message = f"The run {run.id} {status_words(run.status)}."
        return user_error("RUN_NOT_ENDED", message)
    if is_dismissed(run):
        return user_error(
            "INPUT_INVALID", f"The run {run.id} is put aside already.", "u undoes it."
        )
    return None


def _why_not_rejected(run: Run) -> UserError | None:
    if run.workspace and run.workspace.kind is WorkspaceKind.IN_PLACE:
        message = f"The run {run.id} worked in the source itself: there is nothing to reject."
        return user_error("INPUT_INVALID", message, "Undo its changes with git.")
    return None

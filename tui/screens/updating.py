"""Updates of runs onto the newest commit of their base, from one screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.domain.base_update import UpdatePhase
from engine.domain.errors import UserError
from engine.domain.model import Run
from tui import formatting
from tui.commands import first_key
from tui.models.undo_history import ChangeKind, UndoableChange, history_of
from tui.screens.live import LiveScreen, works_of
from tui.terminal.cells import clean, crop
from tui.widgets.status.toast import app_of, report, tell

if TYPE_CHECKING:
    from engine.engine import UpdateReport

TITLE = 60
"""Cells of a run's title in a message."""
CONFLICT = "UPDATE_CONFLICT"


@dataclass(slots=True)
class _Outcome:
    """The results of an update of runs."""

    updated: list[UpdateReport] = field(default_factory=list["UpdateReport"])
    newest: list[UpdateReport] = field(default_factory=list["UpdateReport"])
    conflicts: dict[str, UserError] = field(default_factory=dict[str, UserError])
    refused: list[UserError] = field(default_factory=list[UserError])
    left: int = 0
    """Number of runs that were left as they were, because the user stopped the work."""


class WorkspaceUpdates:
    """Updates of the workspaces of runs, and their conflicts handed over."""

    def __init__(self, screen: LiveScreen, place: Callable[[], str]) -> None:
        self._screen, self._engine, self._place = screen, screen.engine, place

    def update(
        self, runs: Sequence[Run], done: Callable[[Sequence[str]], object] = lambda _: None
    ) -> None:
        """Update runs, one after another; `done` gets those that were updated."""
        if not runs:
            return
        ids = [run.id for run in runs]
        if len(ids) > 1:
            tell(app_of(self._screen), f"Updating {len(ids)} runs …")

        async def work() -> None:
            found = await self._update(ids)
            changed = [one.run.id for one in found.updated]
            self._remember({one.run.id: one.run.attempt for one in found.updated})
            self._show(found, len(ids))
            done(changed)
            if found.conflicts:
                self._offer(found.conflicts, done)

        self._screen.run_worker(work, group="update")

    async def _update(self, ids: Sequence[str]) -> _Outcome:
        found = _Outcome()
        with works_of(self._screen).going("updating", len(ids)) as work:
            for done, run in enumerate(ids):
                if work.is_stopped:
                    found.left = len(ids) - done
                    break
                await self._update_one(run, found)
                work.tell(done + 1)
        return found

    async def _update_one(self, run: str, found: _Outcome) -> None:
        try:
            report = await self._engine.updates.update(run)
        except UserError as error:
            if error.code == CONFLICT:
                found.conflicts[run] = error
            else:
                found.refused.append(error)
            return
        (found.updated if report.is_news else found.newest).append(report)

    def _show(self, found: _Outcome, count: int) -> None:
        app = app_of(self._screen)
        if count == 1:
            for one in found.updated:
                tell(app, f"{_title(one.run)}: {_words(one)}{self._undo_hint()}", stays=True)
                if one.without_content:
                    tell(app, f"{_title(one.run)}: {one.without_content}", is_warning=True)
            for one in found.newest:
                tell(app, f"{_title(one.run)}: at the newest commit of {clean(one.base, 100)}.")
        else:
            counts = {
                "updated": len(found.updated),
                "up to date": len(found.newest),
                "in conflict": len(found.conflicts),
                "refused": len(found.refused),
                "left as they were": found.left,
            }
            words = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
            begin = "Stopped: " if found.left else f"{count} runs: "
            tell(app, f"{begin}{words}{self._undo_hint()}", stays=True, is_warning=found.left > 0)
        for error in found.refused[:1]:
            report(app, error)

    def _undo_hint(self) -> str:
        key = first_key("run.undo", self._screen.top_bar.keymap)
        return f"; {key} undoes." if key else "."

    def _offer(
        self, conflicts: dict[str, UserError], done: Callable[[Sequence[str]], object]
    ) -> None:
        """Ask whether the agents resolve the conflicts."""
        from tui.screens.confirm import ConfirmChoice, confirm

        one = len(conflicts) == 1
        which = "this run" if one else f"{len(conflicts)} runs"
        question = f"The base conflicts with {which}. Hand the conflict to the agent?"
        details = [clean(error.message, 400) for error in list(conflicts.values())[:4]]
        details.append("The files get conflict markers; a checkpoint is taken first.")
        choice = ConfirmChoice("resolve", "U", "Hand to its agent" if one else "Hand to the agents")
        confirm(
            app_of(self._screen),
            question,
            choice,
            lambda: self.resolve(list(conflicts), done),
            details=details,
            keep="Leave it",
        )

    def resolve(
        self, ids: Sequence[str], done: Callable[[Sequence[str]], object] = lambda _: None
    ) -> None:
        """Hand the conflicts of runs to their agents; `done` gets those that were handed over."""

        async def work() -> None:
            changed: list[str] = []
            with works_of(self._screen).going("handing over", len(ids)) as work:
                for count, run in enumerate(ids):
                    if work.is_stopped:
                        left = f"{len(ids) - count} conflicts left as they were"
                        tell(app_of(self._screen), f"Stopped: {left}.", is_warning=True)
                        break
                    if await self._resolve_one(run):
                        changed.append(run)
                    work.tell(count + 1)
            if changed:
                self._remember(dict.fromkeys(changed, 0))
                done(changed)

        self._screen.run_worker(work, group="update")

    async def _resolve_one(self, run: str) -> bool:
        try:
            result = await self._engine.updates.resolve(run)
        except UserError as error:
            report(app_of(self._screen), error)
            return False
        words = "resumed: its agent resolves the conflict." if result.is_resumed else None
        tell(app_of(self._screen), f"{_title(result.run)}: {words or _words(result)}")
        return True

    def _remember(self, attempts: dict[str, int]) -> None:
        runs, numbers = tuple(attempts), tuple(attempts.values())
        change = UndoableChange(ChangeKind.UPDATED, runs, self._place(), attempts=numbers)
        history_of(app_of(self._screen)).add(change)


def has_worked_since(run: Run, attempt: int) -> bool:
    """Return whether an agent has worked since an update, not because of it."""
    is_plain = run.updated is not None and run.updated.phase is UpdatePhase.UPDATED
    is_plain = is_plain and not (run.updated and run.updated.conflicts)
    return is_plain and run.attempt != attempt


def kept_words(run: str, checkpoint: int) -> str:
    """Write which command brings back what was there before an undo."""
    return f"; `swarm-tui restore {run} --checkpoint {checkpoint}` brings back what was there"


def confirm_lost_work(screen: LiveScreen, undo: Callable[[], object]) -> None:
    """Ask before the undo of an update after which an agent has worked."""
    from tui.screens.confirm import ConfirmChoice, confirm

    question = "An agent has worked since the update. Undo the update and its work since?"
    choice = ConfirmChoice("undo", "u", "Undo both", is_danger=True)
    details = ["A checkpoint keeps the present files; the message names its command."]
    confirm(app_of(screen), question, choice, undo, details=details, keep="Keep both")


def _title(run: Run) -> str:
    return crop(formatting.title(run), TITLE)


def _words(done: UpdateReport) -> str:
    commits = f"{done.commits} commit{'' if done.commits == 1 else 's'}"
    files = f"{len(done.files)} file{'' if len(done.files) == 1 else 's'}"
    return f"updated to {clean(done.base, 100)}, {commits}, {files}"

"""Undo of the last change that was made in this dashboard, from any screen with runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from engine.domain.errors import UserError, user_error
from engine.domain.model import Run
from tui import formatting
from tui.formatting.questions import counted
from tui.models.undo_history import ChangeKind, UndoableChange, UndoHistory, history_of
from tui.screens.live import LiveScreen, works_of
from tui.screens.updating import confirm_lost_work, has_worked_since, kept_words
from tui.terminal.cells import clean, crop
from tui.widgets.status.toast import app_of, report, tell

if TYPE_CHECKING:
    from textual.app import App

    from engine.ports.engine import EnginePort

Work = Callable[[], Awaitable[None]]
TITLE = 60
"""Cells of a run's title in a message."""
_NOUNS = {
    ChangeKind.APPLIED: "the apply of",
    ChangeKind.DELETED: "the deletion of the workspace of",
    ChangeKind.UPDATED: "the update of",
    ChangeKind.DISMISSED: "the dismissal of",
    ChangeKind.ARCHIVED: "the archiving of",
}
_OF_SEVERAL = {
    ChangeKind.APPLIED: "apply undone",
    ChangeKind.DELETED: "workspaces back from the trash",
    ChangeKind.UPDATED: "update undone",
}


class UndoActions:
    """Undo on one screen: `run` does the work, `shown` gets each change that was undone."""

    def __init__(
        self,
        screen: LiveScreen,
        run: Callable[[Work], object],
        shown: Callable[[UndoableChange], object],
    ) -> None:
        self._screen, self._run, self._shown = screen, run, shown
        self._engine = screen.engine

    @property
    def _history(self) -> UndoHistory:
        return history_of(app_of(self._screen))

    @property
    def last(self) -> UndoableChange | None:
        """The change that is undone next; None where there is none."""
        return self._history.last

    def undo(self, place: str) -> bool:
        """Undo the last change, after a question if another place made it; False: there is none."""
        last = self.last
        if last is None:
            return False
        runs = self._engine.view.runs
        known = [runs[one] for one in last.runs if one in runs]
        attempts = dict(zip(last.runs, last.attempts, strict=False))
        if any(has_worked_since(run, attempts.get(run.id, run.attempt)) for run in known):
            confirm_lost_work(self._screen, lambda: self._begin(last))
        elif last.place != place and known:
            self._ask(last, known)
        else:
            self._begin(last)
        return True

    def _ask(self, last: UndoableChange, runs: Sequence[Run]) -> None:
        from tui.screens.confirm import ConfirmChoice, confirm

        app, choice = app_of(self._screen), ConfirmChoice("undo", "u", "Undo")
        noun = "reverting " * (not last.is_set) + _NOUNS[last.kind]
        question = f"Undo {noun} {_name(runs)}? It was made on another screen."
        confirm(app, question, choice, lambda: self._begin(last), keep="Leave it")

    def _begin(self, last: UndoableChange) -> None:
        if self._history.remove(last):  # also where it fails: those before it can still be undone
            self._run(partial(self._undo, last))

    async def _undo(self, last: UndoableChange) -> None:
        waiting: list[str] = []
        done: dict[str, str] = {}
        async with self._history.lock:
            groups = _groups(last)
            with works_of(self._screen).going("undoing", len(groups)) as work:
                for place, some in enumerate(groups):
                    if work.is_stopped:
                        self._leave(groups[place:], waiting)
                        break
                    try:
                        done |= dict.fromkeys(some, await self._undone(last, some))
                    except UserError as error:
                        report(app_of(self._screen), error)
                        if error.code == "RUN_NOT_ENDED":  # it can be undone when it has ended
                            waiting[:0] = some
                    work.tell(place + 1)
        if waiting:
            attempts = dict(zip(last.runs, last.attempts, strict=False))
            left = tuple(attempts[one] for one in waiting if one in attempts)
            self._history.add(replace(last, runs=tuple(waiting), attempts=left))
        if done:
            self._tell(last, done)
            self._shown(last)

    def _leave(self, groups: Sequence[Sequence[str]], waiting: list[str]) -> None:
        """Leave what was stopped: it can be undone later."""
        for some in groups:
            waiting[:0] = some
        words = f"Stopped: {counted(len(groups), 'run')} left as they were; undo goes on with them."
        tell(app_of(self._screen), words, is_warning=True)

    def _tell(self, last: UndoableChange, done: dict[str, str]) -> None:
        runs = self._engine.view.runs
        words = next(iter(done.values()))
        if len(done) > 1:
            words = _OF_SEVERAL.get(last.kind, words)
        name = _name([runs[one] for one in done if one in runs])
        tell(app_of(self._screen), f"{name}: {words}.", stays=True)

    async def _undone(self, last: UndoableChange, some: Sequence[str]) -> str:
        run_id, engine = some[0], self._engine
        if run_id not in engine.view.runs:
            raise user_error("RUN_NOT_FOUND", f"There is no run {run_id}.")
        match last.kind:
            case ChangeKind.APPLIED:
                back = await engine.workspaces.undo_apply(run_id)
                return f"{counted(len(back.files), 'file')} back as before in {clean(back.to, 200)}"
            case ChangeKind.DELETED:
                await engine.disk.undo(run_id)
                return "the workspace is back from the trash"
            case ChangeKind.UPDATED:
                back = await engine.updates.undo(run_id)
                return f"update undone{kept_words(run_id, back.undo.n)}"
            case ChangeKind.ARCHIVED:
                await engine.annotations.archive(some, not last.is_set)
            case ChangeKind.DISMISSED:
                await engine.annotations.dismiss(some, not last.is_set)
        return f"no longer {last.kind}" if last.is_set else f"{last.kind} again"


def _groups(last: UndoableChange) -> list[Sequence[str]]:
    """Return the runs that are undone together, in order: the last one applied comes first."""
    if last.kind in (ChangeKind.ARCHIVED, ChangeKind.DISMISSED):
        return [last.runs]
    return [(one,) for one in reversed(last.runs)]


def ask_apply(
    app: App[None],
    engine: EnginePort,
    runs: Sequence[Run],
    place: str,
    done: Callable[[Sequence[str]], object] = lambda _: None,
) -> None:
    """Show the dialog of an apply; `done` gets the runs that were applied, unless it was left."""
    from tui.screens.apply import ApplyDialog

    before = {run.id: run.applied for run in runs}

    def closed(is_done: bool | None) -> None:
        known = engine.view.runs
        now = [known[one] for one in before if one in known]
        applied = [run.id for run in now if run.is_applied and run.applied != before[run.id]]
        history_of(app).add(UndoableChange(ChangeKind.APPLIED, tuple(applied), place))
        if is_done:
            done(applied)

    app.push_screen(ApplyDialog(engine, runs), closed)


def _name(runs: Sequence[Run]) -> str:
    if len(runs) == 1:
        return crop(formatting.title(runs[0]), TITLE)
    return f"{len(runs)} runs"

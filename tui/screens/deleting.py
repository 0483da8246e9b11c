"""Workspaces deleted from a screen: planned first, asked about, done in the background, undone."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tui import formatting
from tui.formatting import questions
from tui.models.undo_history import ChangeKind, UndoableChange, history_of
from tui.screens.confirm import KEEP, ConfirmChoice, ConfirmDialog, confirm
from tui.screens.live import LiveScreen, works_of
from tui.terminal.cells import clean, crop
from tui.widgets.status.toast import app_of, attempt, tell

if TYPE_CHECKING:
    from engine.engine import (
        CleanupFilter,
        CleanupItem,
        CleanupItemResult,
        CleanupPlan,
        TrashEntry,
    )

LOOKING = "looking for work that is nowhere else"
MARGIN = 12
"""Columns around the text of a dialog."""


class WorkspaceDeletion:
    """Deletion of workspaces from one screen."""

    def __init__(
        self, screen: LiveScreen, done: Callable[[], None], place: Callable[[], str]
    ) -> None:
        self._screen = screen
        self._place = place
        self._done = done
        self.is_busy = False
        self._deleted: set[str] = set()
        """The runs whose workspaces were deleted here."""

    def ask(
        self,
        runs: Iterable[str] = (),
        *,
        paths: Iterable[str] = (),
        artefacts_only: bool = False,
        sessions: bool = False,
    ) -> None:
        """Plan a clean-up of these runs or workspaces, ask, and run it.

        With `sessions`, the paths are Codex's session files.
        """
        from engine.engine import CleanupFilter

        wish = CleanupFilter(
            runs=frozenset(runs),
            paths=frozenset(paths),
            artefacts_only=artefacts_only,
            sessions=sessions,
        )
        if (wish.runs or wish.paths) and self._is_free():
            self._run(self._plan(wish))

    def undo(self, entries: Sequence[TrashEntry] = (), *, run: str | None = None) -> None:
        """Bring back these; else what was deleted last, of a run or of all."""
        if self._is_free():
            self._run(self._undo(entries, run))

    def empty(self, entries: Sequence[TrashEntry] | None = None) -> None:
        """Remove for good what is in the trash, or these, after a question."""
        if entries != [] and self._is_free():
            self._run(self._ask_empty(entries))

    def _is_free(self) -> bool:
        if self.is_busy:
            tell(app_of(self._screen), "One at a time: esc stops what goes on.", is_warning=True)
        return not self.is_busy

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        async def busy() -> None:
            self.is_busy = True
            try:
                await work
            finally:
                self.is_busy = False

        self._screen.run_worker(busy, group="delete")

    # Deleting

    async def _plan(self, wish: CleanupFilter) -> None:
        app, plan = app_of(self._screen), await self._look(wish)
        if plan is None:
            return
        everything = None
        if not (wish.artefacts_only or wish.sessions):
            everything = replace(wish, including_unsaved=True)
        is_unsaved = any(item.is_unsaved for item in plan.keep)
        choices = _choices(plan, can_force=everything is not None and is_unsaved)
        if not choices:
            tell(app, f"Nothing can be deleted: {_reasons(plan)}", is_warning=True)
            return

        def answered(choice: str | None) -> None:
            if choice == "delete":
                self._run(self._clean(plan, wish))
            elif choice == "all" and everything:
                self._run(self._again(everything))

        question = questions.delete(plan, self._screen.engine.view.runs)
        details = questions.delete_details(plan, app.size.width - MARGIN)
        # Enter never deletes for good, nor changes that are nowhere else.
        default = "delete" if plan.take and not (plan.is_for_good or plan.on_nodes) else KEEP
        dialog = ConfirmDialog(question, choices, details=details, default=default)
        app.push_screen(dialog, answered)

    async def _look(self, wish: CleanupFilter) -> CleanupPlan | None:
        """Return the plan of a clean-up; None where there is none, or the user stopped it."""
        app, disk = app_of(self._screen), self._screen.engine.disk
        with works_of(self._screen).going(LOOKING) as work:
            return await work.unless_stopped(
                attempt(app, disk.plan(wish, work.tell)),
                lambda: tell(app, "Stopped: nothing was deleted.", is_warning=True),
            )

    async def _again(self, wish: CleanupFilter) -> None:
        if plan := await self._look(wish):
            await self._clean(plan, wish)

    async def _clean(self, plan: CleanupPlan, wish: CleanupFilter) -> None:
        count = 0
        with works_of(self._screen).going("deleting", len(plan.take)) as work:

            def told(one: CleanupItemResult) -> None:
                nonlocal count
                count += 1
                work.tell(count, about=crop(clean(one.item.title), 40))

            report = await attempt(
                app_of(self._screen),
                self._screen.engine.disk.clean(plan, wish, told, stop=work.stopping),
            )
        self._done()
        if report is None:
            return
        self._deleted |= {item.run for item in plan.take}
        failed = [one for one in report.cleaned if one.failure]
        done = questions.counted(len(report.cleaned) - len(failed), plan.noun)
        amount = formatting.size(report.freed)
        if plan.is_for_good:
            words = f"{done} deleted: {amount} freed."
        else:
            self._remember(
                one.item.run for one in report.cleaned if not (one.failure or one.item.host)
            )
            where = f", {plan.on_nodes} on nodes deleted for good" if plan.on_nodes else ""
            words = f"{done} moved to the trash ({amount}): u undoes{where}."
        words += f" {len(failed)} stay: {_first(failed)}" if failed else ""
        left = len(plan.take) - len(report.cleaned)
        words += f" Stopped: {left} left as they were." if report.stopped else ""
        tell(app_of(self._screen), words, is_warning=bool(failed))

    def _remember(self, runs: Iterable[str]) -> None:
        known = self._screen.engine.view.runs
        ids = tuple(dict.fromkeys(run for run in runs if run in known))
        change = UndoableChange(ChangeKind.DELETED, ids, self._place())
        history_of(app_of(self._screen)).add(change)

    async def _undo(self, entries: Sequence[TrashEntry], run: str | None) -> None:
        with works_of(self._screen).going("bringing back", len(entries)) as work:
            for done, entry in enumerate(entries):
                if work.is_stopped:
                    words = f"Stopped: {_workspaces(len(entries) - done)} left in the trash."
                    tell(app_of(self._screen), words, is_warning=True)
                    break
                await attempt(app_of(self._screen), self._back(entry))
                work.tell(done + 1)
            if not entries:
                await attempt(app_of(self._screen), self._last_back(run))
        self._done()

    async def _back(self, entry: TrashEntry) -> None:
        await self._screen.engine.disk.restore(entry)
        self._tell_back([entry])

    async def _last_back(self, run: str | None) -> None:
        """Bring back a run's workspace, and all that went with it if nothing went since."""
        disk = self._screen.engine.disk
        entries = await disk.trash()
        if run is None and entries and entries[0].run not in self._deleted:
            self._ask_back(entries[0])
            return
        last = entries[0].together if entries else ""
        if last and any(one.run == run and one.together == last for one in entries):
            run = None
        self._tell_back(await disk.undo(run))

    def _ask_back(self, entry: TrashEntry) -> None:
        """Ask before a workspace comes back that was not deleted here."""
        name = crop(clean(entry.title, 100) or entry.run, 60)
        question = f"Bring back the workspace of {name} ({entry.run})? It was not deleted here."

        async def back() -> None:
            disk = self._screen.engine.disk
            entries = await attempt(app_of(self._screen), disk.undo(entry.run))
            if entries:
                self._tell_back(entries)
            self._done()

        choice = ConfirmChoice("back", "u", "Bring it back")
        confirm(app_of(self._screen), question, choice, lambda: self._run(back()), keep="Leave it")

    def _tell_back(self, entries: Sequence[TrashEntry]) -> None:
        first = clean(entries[0].title, 100) or entries[0].run
        more = f" and {len(entries) - 1} more" if len(entries) > 1 else ""
        tell(app_of(self._screen), f"Back: {first}{more}")

    # The trash

    async def _ask_empty(self, some: Sequence[TrashEntry] | None) -> None:
        entries = some or await attempt(app_of(self._screen), self._screen.engine.disk.trash())
        if not entries:
            tell(app_of(self._screen), "The trash is empty.")
            return

        async def emptied() -> None:
            with works_of(self._screen).going("removing for good", len(entries)) as work:
                done = self._screen.engine.disk.empty(entries, work.stopping, work.tell)
                count = await attempt(app_of(self._screen), done)
            if count is not None:  # else the reason is shown
                left = len(entries) - count
                words = f" Stopped: {left} left in the trash." if work.is_stopped and left else ""
                tell(app_of(self._screen), f"{_workspaces(count)} removed for good.{words}")
            self._done()

        def emptied_now() -> None:
            self._run(emptied())

        confirm(app_of(self._screen), *_empty_question(entries, of_all=not some), emptied_now)


def _choices(plan: CleanupPlan, *, can_force: bool) -> list[ConfirmChoice]:
    count, unsaved = len(plan.take), [item for item in plan.keep if item.is_unsaved]
    if not count:
        anyway = _verb(unsaved, " anyway")
        return [ConfirmChoice("all", "d", anyway, is_danger=True)] if can_force else []
    if plan.artefacts_only:
        return [ConfirmChoice("delete", "J", "Delete", is_danger=True)]
    is_danger = plan.sessions or plan.on_nodes > 0
    label = "Delete for good" if plan.sessions else _verb(plan.take)
    if not can_force:
        return [ConfirmChoice("delete", "d", label, is_danger=is_danger)]
    every = [*plan.take, *unsaved]
    all_of_them = f"Delete all {len(every)} anyway"
    if not questions.on_nodes(every):
        label, all_of_them = (
            f"Move {count} to the trash (u undoes)",
            f"Move all {len(every)} anyway",
        )
    return [
        ConfirmChoice("delete", "d", label, is_danger=is_danger),
        ConfirmChoice("all", "A", all_of_them, is_danger=True),
    ]


def _verb(items: Sequence[CleanupItem], suffix: str = "") -> str:
    """Return what happens to workspaces: those on nodes go for good."""
    there = questions.on_nodes(items)
    if there == len(items):
        return f"Delete for good{suffix}"
    if there:
        return f"Delete{suffix}, {there} on nodes for good"
    return f"Move to the trash{suffix} (u undoes)"


def _empty_question(entries: Sequence[TrashEntry], *, of_all: bool) -> tuple[str, ConfirmChoice]:
    count = len(entries)
    question = f"Remove {_workspaces(count)} from the trash for good?"
    question += " This frees the space and cannot be undone."
    if only := sum(entry.is_only_here for entry in entries):
        which = (
            "It has" if only == count == 1 else f"{only} of them {'has' if only == 1 else 'have'}"
        )
        question += f" {which} work that is nowhere else."
    key, label = ("ctrl+d", "Empty the trash") if of_all else ("d", "Remove for good")
    return question, ConfirmChoice("empty", key, label, is_danger=True)


def _workspaces(count: int) -> str:
    return questions.counted(count, "workspace")


def _reasons(plan: CleanupPlan) -> str:
    reasons = list(dict.fromkeys(item.why for item in plan.keep))
    return "; ".join(reasons[:3]) or f"there is no {plan.noun}."


def _first(failed: list[CleanupItemResult]) -> str:
    error = failed[0].failure
    return error.message if error else ""

"""One history of changes for the list, the review and the batch screen."""

from __future__ import annotations

from pathlib import Path

from fake_engine import WIDE, shown, toasts
from support import supervising
from test_review_screen import ran, reviewing
from test_review_screen import source as source
from test_taking_home import git

from engine.config.paths import Paths
from tui.models.undo_history import ChangeKind, UndoableChange, UndoHistory, history_of
from tui.screens.apply import ApplyDialog
from tui.screens.confirm import ConfirmDialog
from tui.screens.runs import RunsScreen


def test_a_history_returns_the_last_change_and_forgets_what_is_undone() -> None:
    history = UndoHistory()
    assert history.last is None
    first = UndoableChange(ChangeKind.APPLIED, ("r1",), "runs")
    history.add(first)
    history.add(UndoableChange(ChangeKind.DELETED, (), "runs"))  # of no run: nothing to undo
    assert history.last == first
    assert history.remove(first) and not history.remove(first)
    assert history.last is None


async def test_an_apply_from_the_list_is_undone_by_u(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        (run,) = await ran(engine, source, ("write b.txt b",))
        async with reviewing(engine) as user:
            await user.press("a")
            await user.sees(lambda: isinstance(user.app.screen, ApplyDialog))
            await user.sees(lambda: "b.txt" in shown(user.app))
            await user.press("ctrl+s")
            await user.sees(lambda: (source / "b.txt").exists())
            await user.sees(lambda: isinstance(user.app.screen, RunsScreen))
            await user.press("u")
            await user.sees(lambda: not (source / "b.txt").exists())
            await user.sees(lambda: "1 file back as before" in toasts(user.app)[-1])
            assert not engine.view.runs[run.id].is_applied
            assert history_of(user.app).last is None


async def test_changes_of_the_review_and_the_list_are_undone_in_one_order(
    paths: Paths, source: Path
) -> None:
    async with supervising(paths) as engine:
        runs = await ran(engine, source, ("write a1.txt a",), ("write a2.txt b",))
        view = engine.view.runs
        async with reviewing(engine, WIDE) as user:
            await user.press("D")
            await user.sees_run("1/2", "+ ")
            applied = user.screen.run_id
            await user.press("a")
            await user.sees(lambda: view[applied].is_applied)
            await user.is_free()
            await user.press("escape")
            await user.sees(lambda: isinstance(user.app.screen, RunsScreen))
            await user.press("A", "M")
            await user.sees(lambda: all(view[run.id].is_dismissed for run in runs))
            await user.sees(lambda: "u undoes" in toasts(user.app)[-1])
            await user.press("u")  # made here: no question
            await user.sees(lambda: not any(view[run.id].is_dismissed for run in runs))
            await user.press("u")  # made in the review
            await user.sees(lambda: isinstance(user.app.screen, ConfirmDialog))
            assert "Undo the apply of" in shown(user.app)
            assert view[applied].is_applied
            await user.press("u")
            await user.sees(lambda: not view[applied].is_applied)
            await user.sees(lambda: "1 file back as before" in toasts(user.app)[-1])
        assert git(source, "status", "--porcelain") == ""


async def test_a_change_that_cannot_be_undone_does_not_hide_those_before(
    paths: Paths, source: Path
) -> None:
    async with supervising(paths) as engine:
        first, second = await ran(engine, source, ("write a1.txt a",), ("write a2.txt b",))
        async with reviewing(engine) as user:
            history = history_of(user.app)
            await engine.annotations.archive([first.id])
            history.add(UndoableChange(ChangeKind.ARCHIVED, (first.id,), "runs"))
            history.add(UndoableChange(ChangeKind.APPLIED, (second.id,), "runs"))
            await user.press("u")
            await user.sees(lambda: any("applied" in one for one in toasts(user.app)))
            assert engine.view.runs[first.id].is_archived
            await user.press("u")
            await user.sees(lambda: not engine.view.runs[first.id].is_archived)

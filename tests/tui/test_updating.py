"""The key that moves runs onto the newest commit of their base."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import fake_engine
import pytest
from fake_engine import FakeEngine, app_on, choose, painted, shown
from textual.pilot import Pilot

from engine.domain.attention import needs_you
from engine.domain.base_update import UpdatePhase, WorkspaceUpdated
from engine.domain.events import Progressed
from engine.domain.model import Stage, Status, WorkspaceKind
from tui.app import SwarmApp
from tui.screens import long_work
from tui.screens.apply import ApplyDialog
from tui.screens.changes import ChangesScreen
from tui.screens.confirm import ConfirmDialog
from tui.screens.details import RunDetails

SIZE = (120, 40)
LIMIT_S = 60


def engine_with(*kinds: WorkspaceKind) -> FakeEngine:
    """Finished runs `r1`, `r2`, … with workspaces of these kinds, and one at work."""
    engine = FakeEngine()
    for number, kind in enumerate(kinds, 1):
        engine.add(f"r{number}", f"Task {number}")
        place = {"path": f"/w/r{number}", "kind": kind.value, "source": "/s"}
        engine.happen(f"r{number}", Progressed(Stage.WORKSPACE_CLONED, "made", 20, place))
        engine.pass_through(f"r{number}", Status.PREPARING, Status.RUNNING, Status.SUCCEEDED)
    engine.updates.commits = 3
    engine.add("w1", "At work")
    engine.pass_through("w1", Status.PREPARING, Status.RUNNING)
    return engine


async def until(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not holds():
            await pilot.pause(0.01)
    await painted(pilot)


def last_toast(app: SwarmApp) -> str:
    return ([""] + [text.strip() for text in fake_engine.toasts(app)])[-1]


async def test_one_key_updates_a_run_and_one_undoes_it() -> None:
    engine = engine_with(WorkspaceKind.WORKTREE)
    app = app_on(engine)
    async with app.run_test(size=SIZE) as pilot:
        await choose(pilot, "r1")
        await pilot.press("U")
        words = "Task 1: updated to main, 3 commits, 1 file; u undoes."
        await until(pilot, lambda: last_toast(app) == words)
        assert engine.view.runs["r1"].updated
        await pilot.press("u")
        await until(
            pilot,
            lambda: "Task 1: update undone; `swarm-tui restore r1 --checkpoint" in last_toast(app),
        )
        assert engine.updates.calls == [("update", "r1"), ("undo", "r1")]
        engine.updates.commits = 0
        await pilot.press("U")
        await until(pilot, lambda: last_toast(app) == "Task 1: at the newest commit of main.")


async def test_a_conflict_is_offered_to_the_agent() -> None:
    engine = engine_with(WorkspaceKind.WORKTREE)
    engine.updates.conflicts = {"r1": ("a.txt",)}
    app = app_on(engine)
    async with app.run_test(size=SIZE) as pilot:
        await choose(pilot, "r1")
        await pilot.press("U")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        assert "a.txt" in shown(app)
        await pilot.press("escape")
        assert engine.updates.calls == []
        await pilot.press("U")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("U")
        words = "Task 1: resumed: its agent resolves the conflict."
        await until(pilot, lambda: last_toast(app) == words)
        assert engine.updates.calls == [("resolve", "r1")]


async def test_marked_runs_are_updated_and_conflicts_offered_together() -> None:
    engine = engine_with(*[WorkspaceKind.WORKTREE] * 3, WorkspaceKind.IN_PLACE)
    engine.updates.conflicts = {"r1": ("a.txt",), "r3": ("b.txt",)}
    app = app_on(engine)
    async with app.run_test(size=SIZE) as pilot:
        await choose(pilot, "r1")
        await pilot.press("A", "U")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        assert last_toast(app) == "3 runs: 1 updated, 2 in conflict; u undoes."
        await pilot.press("U")
        calls = [("update", "r2"), ("resolve", "r3"), ("resolve", "r1")]
        await until(pilot, lambda: sorted(engine.updates.calls) == sorted(calls))


async def test_a_run_without_a_base_or_at_work_is_refused_by_name() -> None:
    engine = engine_with(WorkspaceKind.IN_PLACE)
    app = app_on(engine)
    async with app.run_test(size=SIZE) as pilot:
        await choose(pilot, "r1")
        await pilot.press("U")
        await until(pilot, lambda: "has no base" in last_toast(app))
        await choose(pilot, "w1")
        await pilot.press("U")
        await until(pilot, lambda: "is running" in last_toast(app))
        assert engine.updates.calls == []


async def test_one_key_updates_the_run_in_the_review_and_u_undoes_it() -> None:
    engine = engine_with(WorkspaceKind.WORKTREE)
    app = app_on(engine)
    async with app.run_test(size=SIZE) as pilot:
        await choose(pilot, "r1")
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.live_screen, ChangesScreen))
        await until(pilot, lambda: "3 commits behind main" in shown(app))
        await pilot.press("U")
        await until(pilot, lambda: last_toast(app).startswith("Task 1: updated to main"))
        await pilot.press("u")
        await until(pilot, lambda: last_toast(app).startswith("Task 1: update undone"))
        assert engine.updates.calls == [("update", "r1"), ("undo", "r1")]
        engine.updates.commits = 0
        engine.updates.conflicts = {"r1": ("a.txt",)}
        await pilot.press("U")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("U")
        await until(pilot, lambda: engine.updates.calls[-1] == ("resolve", "r1"))


async def test_undo_takes_a_conflict_back_from_the_agent_when_the_run_has_ended() -> None:
    for place in ("list", "review"):
        engine = engine_with(WorkspaceKind.WORKTREE)
        engine.updates.conflicts = {"r1": ("a.txt",)}
        app = app_on(engine)
        async with app.run_test(size=SIZE) as pilot:
            await choose(pilot, "r1")
            if place == "review":
                await pilot.press("D")
                await until(pilot, lambda app=app: isinstance(app.live_screen, ChangesScreen))
            await pilot.press("U")
            await until(pilot, lambda app=app: isinstance(app.screen, ConfirmDialog))
            await pilot.press("U")
            await until(pilot, lambda app=app: last_toast(app).endswith("resolves the conflict."))
            if engine.view.runs["r1"].status is Status.QUEUED:
                engine.pass_through("r1", Status.PREPARING, Status.RUNNING, Status.SUCCEEDED)
            await pilot.press("u")
            await until(pilot, lambda engine=engine: ("undo", "r1") in engine.updates.calls)


async def test_left_conflicts_are_named_wherever_the_run_is_shown() -> None:
    engine = engine_with(WorkspaceKind.WORKTREE)
    left = WorkspaceUpdated(
        UpdatePhase.CHECKED, "main", "a" * 40, "b" * 40, 1, conflicts=("prices.py",)
    )
    engine.happen("r1", left)
    words = "conflicts left: prices.py"
    assert needs_you(engine.view.runs["r1"])
    app = app_on(engine)
    async with app.run_test(size=SIZE) as pilot:
        await choose(pilot, "r1")
        await until(pilot, lambda: "! conflicts" in shown(app) and words in shown(app))
        assert "✓ succeeded" not in shown(app)
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, RunDetails) and words in shown(app))
        await pilot.press("escape", "D")
        await until(pilot, lambda: isinstance(app.screen, ChangesScreen) and words in shown(app))
        assert "✓ succeeded" not in shown(app)
        await pilot.press("a")
        async with asyncio.timeout(LIMIT_S):
            while not (isinstance(app.screen, ApplyDialog) and words in shown(app)):
                await pilot.pause(0.01)
        assert not any(what.startswith("apply") for what, _ in engine.asked)
        await pilot.press("escape")
        engine.happen("r1", replace(left, conflicts=()))
        await until(pilot, lambda: "✓ succeeded" in shown(app) and words not in shown(app))
        assert not needs_you(engine.view.runs["r1"])


async def test_work_after_an_update_is_undone_only_after_a_question() -> None:
    engine = engine_with(WorkspaceKind.WORKTREE)
    app = app_on(engine)
    async with app.run_test(size=SIZE) as pilot:
        await choose(pilot, "r1")
        await pilot.press("U")
        await until(pilot, lambda: "u undoes" in last_toast(app))
        engine.view.runs["r1"].attempt += 1
        await pilot.press("u")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmDialog)
        assert "worked since the update" in shown(app)
        await pilot.press("u")
        await until(pilot, lambda: "update undone" in last_toast(app))


async def test_esc_stops_an_update_of_many_runs_and_its_undo(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(long_work, "PATIENCE_S", 0.01)
    engine = engine_with(*[WorkspaceKind.WORKTREE] * 4)
    allowed, updates = asyncio.Semaphore(0), engine.updates

    def slow(call: Callable[[str], Awaitable[object]]) -> Callable[[str], Awaitable[object]]:
        async def when_allowed(run: str) -> object:
            await allowed.acquire()
            return await call(run)

        return when_allowed

    monkeypatch.setattr(updates, "update", slow(updates.update))
    monkeypatch.setattr(updates, "undo", slow(updates.undo))
    app = app_on(engine)
    async with app.run_test(size=SIZE) as pilot:

        async def stop_after(what: str, done: int, of: int) -> None:
            for _ in range(done):
                allowed.release()
            await until(pilot, lambda: f"{what}: {done} of {of}" in shown(app))
            await pilot.press("escape")
            await until(pilot, lambda: "stopping …" in shown(app))
            allowed.release()

        await choose(pilot, "r1")
        await pilot.press("A", "U")
        await stop_after("updating", 2, 4)
        await until(pilot, lambda: "Stopped" in last_toast(app))
        assert last_toast(app) == "Stopped: 3 updated, 1 left as they were; u undoes."
        await pilot.press("u")
        await stop_after("undoing", 1, 3)
        await until(pilot, lambda: "2 runs: update undone." in last_toast(app))
        assert any("1 run left as they were" in one for one in fake_engine.toasts(app))
        await pilot.press("u")
        allowed.release()
        await until(pilot, lambda: sum(act == "undo" for act, _ in updates.calls) == 3)
    done = [run for act, run in updates.calls if act == "update"]
    assert [run for act, run in updates.calls if act == "undo"] == done[::-1]

"""Changes taken home from the dashboard, with real runs, real workspaces and real git."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from fake_engine import WIDE, FakeEngine, app_on, choose, painted, plain, shown, toasts
from fake_services import FakeWorkspaces
from support import played, supervising
from textual.pilot import Pilot

from engine.config.paths import Paths
from engine.domain.model import Run, RunSpec, Status, WorkspaceKind, WorkspaceSpec
from engine.engine import ApplyMode, ApplyResult, Engine
from tui.app import SwarmApp
from tui.screens.apply import ApplyDialog
from tui.screens.details import RunDetails

LIMIT_S = 60


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with one commit."""
    folder = tmp_path / "source"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "Uma")
    git(folder, "config", "user.email", "uma@example.com")
    (folder / "a.txt").write_text("one\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    return folder


@pytest.fixture
async def engine(paths: Paths) -> AsyncIterator[Engine]:
    """An engine that runs what is queued."""
    async with supervising(paths) as opened:
        yield opened


def git(folder: Path, *words: str) -> str:
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", *words], cwd=folder, env=env, capture_output=True, check=True)
    return done.stdout.decode().strip()


async def ran(engine: Engine, source: Path, *lines: str, title: str = "a title") -> Run:
    place = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    run = await played(engine, *lines, workspace=place, title=title)
    assert run.status is Status.SUCCEEDED
    return run


async def sees(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """Wait for what background work brings onto the screen."""
    async with asyncio.timeout(LIMIT_S):
        while not holds():
            await asyncio.sleep(0.01)
            await pilot.pause()
    await painted(pilot)


def row_of(app: SwarmApp, title: str) -> str:
    """Return the row of the list that shows a title."""
    return next(line for line in shown(app).splitlines() if f" {title} " in line)


async def test_edits_come_home_and_again_only_what_is_new(engine: Engine, source: Path) -> None:
    run = await ran(engine, source, "write a.txt two", "write new.txt n")
    app = SwarmApp(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, run.id)
        await pilot.press("a")
        await sees(pilot, lambda: "2 files: a.txt, new.txt" in plain(app))
        assert str(source) in shown(app)
        assert (source / "a.txt").read_text() == "one\n"
        await pilot.press("ctrl+s")
        await sees(pilot, lambda: toasts(app))
        assert "2 files edited" in toasts(app)[0]
        assert (source / "a.txt").read_text() == "two\n"
        assert not isinstance(app.screen, ApplyDialog)
        await sees(pilot, lambda: engine.view.runs[run.id].is_applied)
        assert "⇡" in row_of(app, "a title")
        await pilot.press("a")
        await sees(pilot, lambda: "nothing new" in plain(app))
        await pilot.press("ctrl+s")  # there is nothing to do
        await pilot.pause()
        assert isinstance(app.screen, ApplyDialog)
        await pilot.press("escape")

        await engine.resume(run.id, "sim: write a.txt three")
        await sees(pilot, lambda: engine.view.runs[run.id].attempt == 2)
        await sees(pilot, lambda: engine.view.runs[run.id].status is Status.SUCCEEDED)
        assert not engine.view.runs[run.id].is_applied
        await pilot.press("a")
        await sees(pilot, lambda: "1 file: a.txt" in plain(app))
        await pilot.press("ctrl+s")
        await sees(pilot, lambda: engine.view.runs[run.id].is_applied)
        assert (source / "a.txt").read_text() == "three\n"


async def test_a_merge_with_a_message_of_ones_own(engine: Engine, source: Path) -> None:
    run = await ran(engine, source, "write a.txt two", "say All of it is two now.")
    app = SwarmApp(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, run.id)
        await pilot.press("a", "right", "right")
        await sees(pilot, lambda: "All of it is two now." in shown(app))
        await sees(pilot, lambda: "1 file: a.txt" in plain(app))
        await pilot.press("tab", *"My ", "ctrl+s")
        await sees(pilot, lambda: engine.view.runs[run.id].is_applied)
        assert git(source, "log", "-1", "--format=%B") == "My a title\n\nAll of it is two now."
        assert git(source, "status", "--porcelain") == ""
        assert "1 file merged into main as" in toasts(app)[0]


async def test_a_patch_is_saved_among_the_artifacts(engine: Engine, source: Path) -> None:
    run = await ran(engine, source, "write a.txt two")
    app = SwarmApp(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, run.id)
        await pilot.press("c")
        await sees(pilot, lambda: "1 file" in plain(app) and "two" in plain(app))
        await pilot.press("A", "left")  # right where the diff was read
        await sees(pilot, lambda: "1 file: a.txt" in plain(app))
        await pilot.press("ctrl+s")
        await sees(pilot, lambda: toasts(app))
    patch = engine.paths.run(run.id) / "changes.patch"
    assert patch.stat().st_mode & 0o777 == 0o600
    git(source, "apply", str(patch))
    assert (source / "a.txt").read_text() == "two\n"


async def test_my_own_work_is_in_the_way_and_stays(engine: Engine, source: Path) -> None:
    run = await ran(engine, source, "write a.txt two")
    (source / "a.txt").write_text("mine\n")
    app = SwarmApp(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, run.id)
        await pilot.press("a")
        await sees(pilot, lambda: "does not fit" in plain(app))
        assert "a.txt has uncommitted changes here" in plain(app)
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert (source / "a.txt").read_text() == "mine\n"


async def test_of_several_one_that_does_not_fit_is_passed_over(
    engine: Engine, source: Path
) -> None:
    titles = ("third", "second", "first")  # the newest is on top
    lines = ("write c.txt c", "write a.txt bbb", "write a.txt aaa")
    for title, line in zip(titles, lines, strict=True):
        await ran(engine, source, line, title=title)
    app = SwarmApp(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("A", "a")
        await sees(pilot, lambda: plain(app).count("1 file: ") == 3)
        await pilot.press("ctrl+s")
        await sees(pilot, lambda: "2 of 3 applied, 1 did not fit." in plain(app))
        assert "Left: second." in plain(app)
        assert (source / "a.txt").read_text() == "aaa\n"
        assert (source / "c.txt").exists()
        assert "✗ does not fit:" in plain(app) and "a.txt has" in plain(app)
        assert plain(app).count("✓ 1 file edited") == 2

        git(source, "checkout", "a.txt")  # the user makes room, and applies the rest
        await pilot.press("right", "left")
        await sees(pilot, lambda: "Apply the rest (1)" in plain(app))
        await pilot.press("ctrl+s")
        await sees(pilot, lambda: "3 of 3 applied." in plain(app))
        assert (source / "a.txt").read_text() == "bbb\n"
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert not isinstance(app.screen, ApplyDialog)
        assert "marked" not in shown(app)


async def test_a_run_whose_workspace_goes_meanwhile_is_skipped(
    engine: Engine, source: Path
) -> None:
    first = await ran(engine, source, "write a.txt aaa", title="first")
    second = await ran(engine, source, "write b.txt bbb", title="second")
    app = SwarmApp(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("A", "a")
        await sees(pilot, lambda: plain(app).count("1 file: ") == 2)
        assert first.workspace
        shutil.rmtree(first.workspace.path)
        await pilot.press("ctrl+s")
        await sees(pilot, lambda: "1 of 2 applied, 1 skipped." in plain(app))
        assert "– skipped:" in plain(app)
        assert engine.view.runs[second.id].is_applied
        assert not engine.view.runs[first.id].is_applied
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, ApplyDialog)
        assert "2 marked" in shown(app)  # they are still to be dealt with


async def test_a_conflict_is_handed_to_the_agent_of_the_run(engine: Engine, source: Path) -> None:
    run = await ran(engine, source, "write a.txt aaa")
    (source / "a.txt").write_text("another\n")
    git(source, "commit", "-qam", "second")
    app = SwarmApp(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, run.id)
        await pilot.press("a")
        await sees(pilot, lambda: "does not fit" in plain(app) and "Ask agent (R)" in plain(app))
        await pilot.press("R")
        await sees(pilot, lambda: "asked to resolve the conflicts" in plain(app))
        assert "Ask agent" not in plain(app)
        await sees(pilot, lambda: engine.view.runs[run.id].attempt == 2)
        await sees(pilot, lambda: engine.view.runs[run.id].status is Status.SUCCEEDED)
        assert (source / "a.txt").read_text() == "another\n"
        await pilot.press("ctrl+s")  # nothing is left to apply
        await pilot.pause()
        assert not isinstance(app.screen, ApplyDialog)


class SlowWorkspaces(FakeWorkspaces):
    """Applies of which each waits until it may go on."""

    def __init__(self, engine: FakeEngine) -> None:
        super().__init__(engine)
        self.may_go_on = asyncio.Semaphore(0)
        self.may_check = asyncio.Semaphore(1_000_000)
        self.applied: list[str] = []

    async def apply(self, run: str, how: ApplyMode, **more: Any) -> ApplyResult:
        if not more["check"]:
            await self.may_go_on.acquire()
            self.applied.append(run)
        else:
            await self.may_check.acquire()
        return ApplyResult((f"{run}.txt",))


async def test_many_runs_show_progress_and_esc_stops_the_present_one() -> None:
    engine = FakeEngine()
    engine.workspaces = slow = SlowWorkspaces(engine)  # pyright: ignore[reportAttributeAccessIssue]  replaced for the test
    for number in range(200):
        spec = RunSpec("x", f"run {number}", "p")
        engine._create(f"r{number:03}", spec)  # pyright: ignore[reportPrivateUsage]  as other tests do
    runs = list(engine.view.runs.values())
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        app.push_screen(ApplyDialog(engine, runs))
        await sees(pilot, lambda: isinstance(app.screen, ApplyDialog))
        assert isinstance(app.screen, ApplyDialog)
        view = app.screen.shown
        assert view.size.height <= 16
        await sees(pilot, lambda: "1 file: r000.txt" in plain(app))
        for keys, holds in (
            (("pagedown", "j"), lambda: view.scroll_offset.y == view.page + 1),
            (("end",), lambda: "run 199" in plain(app)),
            (("pageup", "k"), lambda: "run 199" not in plain(app)),
            (("home",), lambda: view.scroll_offset.y == 0),
        ):
            await pilot.press(*keys)
            await sees(pilot, holds)
        await pilot.press("ctrl+s")
        await sees(pilot, lambda: "Applying: 0 of 200" in plain(app))
        for _ in range(11):
            slow.may_go_on.release()
        await sees(pilot, lambda: "Applying: 11 of 200" in plain(app))
        assert "run 11" in plain(app)
        await pilot.press("escape")
        await sees(pilot, lambda: "11 of 200 applied, 189 not tried." in plain(app))
        assert "Left: run 11, run 12, run 13, run 14 and 185 more." in plain(app)
        assert slow.applied == [run.id for run in runs[:11]]
        await sees(pilot, lambda: "Apply the rest (189)" in plain(app))
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, ApplyDialog)


async def test_checks_of_many_runs_show_their_count() -> None:
    engine = FakeEngine()
    engine.workspaces = slow = SlowWorkspaces(engine)  # pyright: ignore[reportAttributeAccessIssue]  replaced for the test
    slow.may_check = asyncio.Semaphore(30)
    for number in range(200):
        spec = RunSpec("x", f"run {number}", "p")
        engine._create(f"r{number:03}", spec)  # pyright: ignore[reportPrivateUsage]  as other tests do
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        app.push_screen(ApplyDialog(engine, list(engine.view.runs.values())))
        await sees(pilot, lambda: "Checking: 30 of 200" in plain(app))
        assert "esc back" in plain(app)  # a check changes nothing: esc closes the dialog
        for _ in range(170):
            slow.may_check.release()
        await sees(pilot, lambda: "Applied in order" in plain(app))
        await pilot.press("ctrl+s")
        await sees(pilot, lambda: "esc stop " in plain(app))
        await pilot.press("escape", "escape")
        await sees(pilot, lambda: not isinstance(app.screen, ApplyDialog))


async def test_overlapping_runs_are_flagged_until_one_is_applied(
    engine: Engine, source: Path
) -> None:
    first = await ran(engine, source, "write a.txt aaa", title="first")
    second = await ran(engine, source, "write a.txt bbb", title="second")
    app = SwarmApp(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, first.id)
        await sees(pilot, lambda: "⇄" in row_of(app, "first") and "⇄" in row_of(app, "second"))
        assert f"overlaps with {second.id}: a.txt" in plain(app)
        await engine.workspaces.apply(second.id, ApplyMode.EDITS)
        await sees(pilot, lambda: "⇄" not in shown(app))
        assert "⇡" in row_of(app, "second")


async def test_only_runs_that_change_the_same_lines_overlap(engine: Engine, source: Path) -> None:
    lines = [f"line {n}" for n in range(1, 10)]
    (source / "a.txt").write_text("\n".join(lines) + "\n")
    git(source, "commit", "-qam", "nine lines")

    async def changing(title: str, place: int) -> Run:
        text = "\\n".join([*lines[:place], title, *lines[place + 1 :]])
        return await ran(engine, source, f"write a.txt {text}", title=title)

    above, below, again = [
        await changing(title, place) for title, place in (("above", 1), ("below", 7), ("again", 1))
    ]
    radar = await engine.radar()
    found = {run.id: [one.run for one in radar.overlaps(run.id)] for run in (above, below, again)}
    assert found == {above.id: [again.id], below.id: [], again.id: [above.id]}
    (source / "a.txt").write_text("another start\n" + "\n".join(lines) + "\n")
    git(source, "commit", "-qam", "another base")
    other = await changing("other", 1)
    assert (await engine.radar()).overlaps(other.id) == []


async def test_all_about_a_run_and_back_to_a_checkpoint(engine: Engine, source: Path) -> None:
    run = await ran(engine, source, "write a.txt two")
    assert run.workspace
    file = Path(run.workspace.path) / "a.txt"
    app = SwarmApp(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, run.id)
        await pilot.press("i")
        await pilot.pause()
        assert run.id in shown(app)
        assert "swarm/" in shown(app)
        await pilot.press("y")
        assert app.clipboard == run.id
        await pilot.press("G")
        await sees(pilot, lambda: "+1 −1 in 1 file" in shown(app))
        assert "attempt 1" in shown(app)
        assert isinstance(app.screen, RunDetails)
        page = app.screen.page
        lines = [row.fact.checkpoint for row in page._rows]
        page.move_cursor(lines.index(0))
        await pilot.press("enter")
        await pilot.pause()
        assert "Restore checkpoint 0?" in shown(app)
        assert file.read_text() == "two\n"
        await pilot.press("u")
        await sees(pilot, lambda: file.read_text() == "one\n")
        await sees(pilot, lambda: any("takes that back" in toast for toast in toasts(app)))
        await pilot.press("escape")
        assert not isinstance(app.screen, RunDetails)

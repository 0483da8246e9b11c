"""The disk usage screen on a real home: measured, unfolded, deleted from, brought back."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
import repos
from fake_engine import LIMIT_S, NARROW, WIDE, painted, shown, toasts
from support import settled, spec, supervising, until
from textual.pilot import Pilot

from engine.config.paths import Paths
from engine.domain.model import Status, WorkspaceKind, WorkspaceSpec
from engine.engine import DiskLocation, DiskUsage, Engine, FolderSize, LocationKind
from tui.app import SwarmApp
from tui.screens.confirm import ConfirmDialog
from tui.screens.disk import DiskScreen
from tui.screens.live import LiveScreen
from tui.widgets.disk.disk_rows import DiskRows


@pytest.fixture
async def engine(paths: Paths, tmp_path: Path) -> AsyncGenerator[Engine]:
    """Three runs in worktrees of one repository: one changed something that is nowhere else."""
    source = repos.repository(tmp_path / "s", {"a.txt": "one\n", ".gitignore": "node_modules\n"})
    workspace = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    scripts = {"Nothing": "say nothing", "Less": "say little", "Work": "write work.txt work"}
    async with supervising(paths) as engine:
        for title, line in scripts.items():
            await engine.start(spec(line, title=title, project="web", workspace=workspace))
        await settled(engine)
        for run in engine.view.runs.values():
            assert run.workspace
            if run.spec.title == "Nothing":
                big = Path(run.workspace.path) / "node_modules" / "big"
                big.mkdir(parents=True)
                (big / "blob").write_text("x" * 500_000)
        yield engine


def folder(engine: Engine, title: str) -> Path:
    (run,) = [run for run in engine.view.runs.values() if run.spec.title == title]
    assert run.workspace
    return Path(run.workspace.path)


async def becomes(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """Wait for what the screen does in the background."""
    async with asyncio.timeout(LIMIT_S):
        while not holds():
            await pilot.pause(0.02)
    await painted(pilot)


async def opened(app: SwarmApp, pilot: Pilot[None]) -> DiskScreen:
    """Open the screen and wait until everything is known."""
    await pilot.press("2")
    await pilot.pause()
    assert isinstance(app.screen, DiskScreen)
    screen = app.screen
    await becomes(pilot, lambda: len(screen.places.model.states) == 3)
    await becomes(pilot, lambda: "web" in shown(app))
    return screen


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_it_shows_what_takes_room_down_to_the_folder(
    engine: Engine, size: tuple[int, int]
) -> None:
    app = SwarmApp(engine)
    async with app.run_test(size=size) as pilot:
        await opened(app, pilot)
        text = shown(app)
        assert "workspaces" in text
        assert "can be made again" in text
        await pilot.press("enter")  # the project
        await becomes(pilot, lambda: "Nothing" in shown(app))
        if size == WIDE:
            assert "dirty: 1 file" in shown(app)
            assert shown(app).count("clean") == 2
        await pilot.press("j", "right")  # its largest run
        await becomes(pilot, lambda: "node_modules" in shown(app))
        await pilot.press("left", "left", "left")
        await becomes(pilot, lambda: "Nothing" not in shown(app))
        for tab in ("run files", "swarm.db", "trash", "Codex"):
            await pilot.press("]")
            await pilot.pause()
            assert tab in shown(app)


async def test_four_keys_free_what_is_nowhere_needed(engine: Engine) -> None:
    app = SwarmApp(engine)
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        await pilot.press("A", "d")
        await becomes(pilot, lambda: "Goes: 2 workspaces" in shown(app))
        assert "Stays: 1 workspace" in shown(app)
        await pilot.press("enter")
        await becomes(pilot, lambda: toasts(app))
        assert "2 workspaces moved to the trash" in toasts(app)[0]
        assert not folder(engine, "Nothing").exists()
        assert not folder(engine, "Less").exists()
        assert (folder(engine, "Work") / "work.txt").is_file()
        await pilot.press("u")
        await becomes(pilot, lambda: len(toasts(app)) == 2)
        assert folder(engine, "Nothing").exists() and folder(engine, "Less").exists()


async def test_what_is_nowhere_else_goes_only_by_another_answer(engine: Engine) -> None:
    app = SwarmApp(engine)
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("enter", "j", "j", "j")
        row = screen.places.row
        assert row
        await becomes(pilot, lambda: "Work" in shown(app))
        while (row := screen.places.row) and "Work" not in row.name:
            await pilot.press("k")
        await pilot.press("d")
        await becomes(pilot, lambda: "changes you have not applied: 1 file" in shown(app))
        assert "Move to the trash anyway (u undoes)" in shown(app)
        assert "freed only when the trash is emptied" in shown(app)
        await pilot.press("enter")  # the default: keep
        await becomes(pilot, lambda: app.screen is screen)
        assert folder(engine, "Work").exists()
        await pilot.press("d")
        await becomes(
            pilot, lambda: isinstance(app.screen, ConfirmDialog) and "[esc] Keep" in shown(app)
        )
        await pilot.press("d")
        await becomes(pilot, lambda: toasts(app))
        assert not folder(engine, "Work").exists()
        assert list(engine.paths.home.glob("runs/*/unsaved.patch"))


async def test_only_what_can_be_made_again(engine: Engine) -> None:
    app = SwarmApp(engine)
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        await pilot.press("J")
        await becomes(
            pilot, lambda: isinstance(app.screen, ConfirmDialog) and "[esc] Keep" in shown(app)
        )
        assert re.search(r"Delete [\d.]+ KiB of node_modules in 1 workspace\?", shown(app))
        await pilot.press("J")
        await becomes(pilot, lambda: toasts(app))
        assert not (folder(engine, "Nothing") / "node_modules").exists()
        assert (folder(engine, "Nothing") / "a.txt").exists()


async def test_the_runs_screen_deletes_and_brings_back(engine: Engine) -> None:
    app = SwarmApp(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("A", "d")
        await becomes(
            pilot, lambda: isinstance(app.screen, ConfirmDialog) and "[esc] Keep" in shown(app)
        )
        await pilot.press("d")
        await becomes(pilot, lambda: toasts(app))
        assert not folder(engine, "Less").exists()
        await pilot.press("u")
        await becomes(pilot, lambda: len(toasts(app)) == 2)
        assert folder(engine, "Nothing").exists() and folder(engine, "Less").exists()


async def test_a_deletion_elsewhere_comes_back_after_a_question(engine: Engine) -> None:
    less, other = (
        next(run for run in engine.view.runs.values() if run.spec.title == title)
        for title in ("Less", "Nothing")
    )
    app = SwarmApp(engine)
    async with app.run_test(size=WIDE) as pilot:
        await engine.disk.delete(less.id)
        screen = app.screen
        assert isinstance(screen, LiveScreen)
        screen.expect(other.id)
        await becomes(pilot, lambda: less.id in engine.view.deleted)
        await pilot.press("u")
        await becomes(pilot, lambda: isinstance(app.screen, ConfirmDialog) and "Less" in shown(app))
        await pilot.press("escape")
        assert not folder(engine, "Less").exists()
        await pilot.press("u")
        await becomes(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("u")
        await becomes(pilot, lambda: toasts(app))
        assert folder(engine, "Less").exists()


async def test_the_trash_gives_back_and_drops_what_is_chosen(engine: Engine) -> None:
    for title in ("Nothing", "Less"):
        (run,) = [run for run in engine.view.runs.values() if run.spec.title == title]
        await engine.disk.delete(run.id)
    app = SwarmApp(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("2")
        await pilot.press("]", "]", "]")
        await becomes(pilot, lambda: "Nothing" in shown(app) and "Less" in shown(app))
        screen = app.screen
        assert isinstance(screen, DiskScreen)
        while (row := screen.places.row) and "Nothing" not in row.name:
            await pilot.press("j")
        await pilot.press("u")
        await becomes(pilot, lambda: toasts(app))
        assert "Nothing" in toasts(app)[0]
        assert folder(engine, "Nothing").exists()
        assert not folder(engine, "Less").exists()
        await becomes(pilot, lambda: len(screen.places.model.rows) == 1)
        await pilot.press("d")
        await becomes(
            pilot, lambda: isinstance(app.screen, ConfirmDialog) and "[esc] Keep" in shown(app)
        )
        await pilot.press("d")
        await becomes(pilot, lambda: len(toasts(app)) == 2)
        assert await engine.disk.trash() == []


async def test_apparent_sizes_and_what_is_live(engine: Engine) -> None:
    folder(engine, "Less").joinpath("sparse").touch()
    with folder(engine, "Less").joinpath("sparse").open("wb") as file:
        file.truncate(700 * 1024**2)
    run = await engine.start(spec("hang", title="Live", project="web"))
    await until(engine, lambda: engine.view.runs[run.id].status is Status.RUNNING)
    app = SwarmApp(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("2")
        await becomes(pilot, lambda: "web" in shown(app))
        await pilot.press("enter")
        await becomes(pilot, lambda: "Live" in shown(app))
        await becomes(pilot, lambda: " live " in shown(app))
        assert "on disk" in shown(app)
        assert "700.0 MiB" not in shown(app)
        await pilot.press("percent_sign")
        await becomes(pilot, lambda: "700.0 MiB" in shown(app))
        assert "apparent" in shown(app)
    await engine.cancel(run.id, kill=True)
    await settled(engine)


async def test_opening_costs_one_look_and_few_paintings(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many places there are, what is on the screen is what is drawn."""
    arranged = 0
    real = DiskRows.arrange

    def counted(self: DiskRows) -> None:
        nonlocal arranged
        arranged += 1
        real(self)

    async def measure(told: Callable[[DiskUsage], None], **_: object) -> int:
        for number in range(20_000):
            path = engine.paths.workspaces / "web" / str(number)
            place = DiskLocation(LocationKind.WORKSPACE, path, path.name, "", "web")
            told(DiskUsage(place, FolderSize(disk=number), done=True))
        return 0

    monkeypatch.setattr(DiskRows, "arrange", counted)
    monkeypatch.setattr(engine.disk, "measure", measure)
    app = SwarmApp(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("2")
        await becomes(pilot, lambda: "web" in shown(app))
        await becomes(pilot, lambda: "190." in shown(app))
        assert arranged < 200


async def test_the_trash_is_emptied_after_a_question(engine: Engine) -> None:
    (run,) = [run for run in engine.view.runs.values() if run.spec.title == "Less"]
    await engine.disk.delete(run.id)
    app = SwarmApp(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("2", "ctrl+d")
        await becomes(
            pilot, lambda: isinstance(app.screen, ConfirmDialog) and "[esc] Keep" in shown(app)
        )
        assert "This frees the space" in shown(app)
        await pilot.press("ctrl+d")
        await becomes(pilot, lambda: toasts(app))
        assert await engine.disk.trash() == []


async def test_sessions_of_no_use_go(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex"))
    (run,) = [run for run in engine.view.runs.values() if run.spec.title == "Less"]
    await engine.disk.empty([await engine.disk.delete(run.id)])
    app = SwarmApp(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("2")
        await becomes(pilot, lambda: "Disk usage" in shown(app))
        await pilot.press("[")
        await becomes(pilot, lambda: "3 sessions of runs" in shown(app))
        await pilot.press("enter")
        await becomes(pilot, lambda: shown(app).count("can be resumed") == 2)
        assert "its workspace is gone" in shown(app)
        await pilot.press("d")
        await becomes(pilot, lambda: "Goes: 1 session" in shown(app))
        assert "Stays: 2 sessions" in shown(app)
        await pilot.press("d")
        await becomes(pilot, lambda: toasts(app))
        assert "1 session deleted" in toasts(app)[0]
        await becomes(pilot, lambda: "2 sessions of runs" in shown(app))


async def test_a_look_can_be_stopped(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    async def measure(told: Callable[[DiskUsage], None], looked: Callable[[int, int], None]) -> int:
        place = DiskLocation(
            LocationKind.WORKSPACE, engine.paths.workspaces / "web" / "x", "x", "", "web"
        )
        told(DiskUsage(place, FolderSize(disk=5000), done=True))
        looked(1, 2)
        await asyncio.Event().wait()
        return 0

    monkeypatch.setattr(engine.disk, "measure", measure)
    app = SwarmApp(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("2")
        await becomes(pilot, lambda: "measuring: 1 of 2" in shown(app))
        assert "4.9 KiB" in shown(app)
        await pilot.press("x")
        await becomes(pilot, lambda: "measuring" not in shown(app))
        assert "4.9 KiB" in shown(app)  # what was found stays

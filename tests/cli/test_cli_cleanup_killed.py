"""A clean-up that is killed at any moment loses nothing and is taken up again."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import repos
from support import quick, settled, spec, supervising
from typed import COMMAND, PATIENCE_S

from engine.config.paths import Paths
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.engine import Engine

KILLS = 5


def found(paths: Paths) -> dict[str, bytes]:
    """Return what every run wrote, by run, wherever it lies now."""
    places = [*paths.workspaces.glob("*/*"), *paths.trash.glob("*/workspace")]
    works = [one / "work.txt" for one in places]
    return {work.read_text(): work.read_bytes() for work in works if work.is_file()}


def kill_one(moments: random.Random) -> None:
    """Start a clean-up and kill it after it told of some workspace: in the steps of the next."""
    process = subprocess.Popen(
        [*COMMAND, "cleanup", "--including-unsaved", "--force"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout
    for line, _ in zip(process.stdout, range(moments.randrange(2, 12)), strict=False):
        if b"deleted" in line and moments.random() < 0.6:
            break
    process.kill()
    process.wait(PATIENCE_S)
    process.stdout.close()


async def test_a_kill_at_any_moment_loses_nothing(paths: Paths, tmp_path: Path) -> None:
    source = repos.repository(tmp_path / "s")
    workspace = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    count = 6
    async with supervising(paths) as engine:
        for number in range(count):
            await engine.start(spec(f"write work.txt {number}", workspace=workspace))
        await settled(engine)
    before = found(paths)
    assert len(before) == count
    moments = random.Random(7)
    for _ in range(KILLS):
        kill_one(moments)
        assert found(paths) == before
    async with Engine.open(paths, quick()) as engine:
        await engine.disk.tend()
        for run in await engine.runs():
            assert run.workspace
            here = Path(run.workspace.path).is_dir()
            assert run.in_trash != here
        while await engine.disk.trash():
            await engine.disk.undo()
    assert found(paths) == before
    assert repos.git(source, "status", "--porcelain") == ""
    assert len(repos.git(source, "worktree", "list").splitlines()) == count + 1

"""A full disk: the reserve keeps the store writable, and what reads works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from full_disk import Disk, small_disk
from support import becomes, settled, spec, supervising, until

from engine.config.paths import Paths
from engine.domain.model import Status
from engine.engine import Engine
from engine.system.reserve import Reserve

PROGRAM = Path(__file__).resolve().parents[2] / "swarm_tui.py"


@pytest.fixture
def disk(tmp_path: Path):
    with small_disk(tmp_path / "disk") as made:
        if not made.mounted:
            pytest.skip("no file system can be mounted here")
        yield made


def command(paths: Paths, *words: str) -> subprocess.CompletedProcess[str]:
    env = {
        "SWARM_HOME": str(paths.home),
        "SWARM_CONFIG": str(paths.config),
        "PATH": "/usr/bin:/bin",
    }
    return subprocess.run(
        [sys.executable, str(PROGRAM), *words], env=env, capture_output=True, text=True, check=False
    )


async def test_an_end_and_a_cancel_are_recorded_on_a_full_disk(disk: Disk) -> None:
    paths = Paths(disk.path / "home", disk.path / "config.yaml")
    async with supervising(paths) as engine:
        assert Reserve(paths.database).is_kept
        ending = await engine.start(spec("wait 1", "end"))
        hanging = await engine.start(spec("hang"))
        await until(engine, lambda: engine.view.runs[hanging.id].status is Status.RUNNING)
        await until(engine, lambda: engine.view.runs[ending.id].status is Status.RUNNING)
        disk.fill()
        await engine.cancel(hanging.id, kill=True)
        await settled(engine)
        assert engine.view.runs[hanging.id].status is Status.CANCELLED
        assert engine.view.runs[ending.id].finished_at
        disk.free()
    async with Engine.open(paths, follow=False):
        assert Reserve(paths.database).is_kept


async def test_commands_that_read_and_free_work_on_a_full_disk(disk: Disk) -> None:
    paths = Paths(disk.path / "home", disk.path / "config.yaml")
    async with supervising(paths) as engine:
        run = await engine.start(spec("write a.txt one", "say hello"))
        await settled(engine)
    disk.fill()
    for words in (
        ["ls"], ["show", run.id], ["logs", run.id], ["diff", run.id], ["du"],
        ["cleanup", "--including-unsaved", "--force"],
    ):  # fmt: skip
        done = command(paths, *words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
    await becomes(lambda: not (paths.workspaces / "a project" / run.id).exists())

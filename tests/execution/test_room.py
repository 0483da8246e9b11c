"""Runs on a disk without room: nothing is begun that does not fit, and what waits is shown."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import repos
from full_disk import Disk, small_disk
from support import becomes, settled, spec, supervising, until

from engine.config.paths import Paths
from engine.domain.model import Status, WorkspaceKind, WorkspaceSpec
from engine.engine import Engine
from engine.execution.local import workspaces as preparing
from engine.execution.stages import checkpoint


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk") as found:
        if not found.mounted:
            pytest.skip("no file system can be mounted here")
        yield found


@pytest.fixture
def there(disk: Disk, tmp_path: Path) -> Paths:
    """A home whose workspaces are on the small disk, and its database is not."""
    paths = Paths(tmp_path / "home", tmp_path / "config.yaml")
    paths.prepare()
    (disk.path / "workspaces").mkdir()
    paths.workspaces.symlink_to(disk.path / "workspaces")
    return paths


async def test_copy_that_does_not_fit_is_not_begun(
    there: Paths, disk: Disk, tmp_path: Path
) -> None:
    repos.write(tmp_path / "s", {"a/big": os.urandom(3 << 20), "b": "b"})
    (disk.path / "filler").write_bytes(os.urandom(2 << 20))
    async with supervising(there) as engine:
        where = WorkspaceSpec(WorkspaceKind.COPY, str(tmp_path / "s"))
        run = await engine.start(spec("write work.txt work", workspace=where))
        await until(engine, lambda: run.id in engine.view.runs)
        await becomes(lambda: any("only" in fault.error for fault in engine.faults))
        assert not list(disk.path.glob("workspaces/*/*"))
        disk.free()
        await settled(engine)
        assert engine.view.runs[run.id].status is Status.SUCCEEDED


async def test_baseline_waits_for_a_full_disk(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(checkpoint, "FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(checkpoint, "TRIES", 2)
    source = repos.repository(tmp_path / "s")
    with small_disk(tmp_path / "disk") as disk:
        if not disk.mounted:
            pytest.skip("no file system can be mounted here")
        monkeypatch.setattr(
            Paths,
            "checkpoints",
            lambda _self, run, workspace: disk.path / run / f"{Path(workspace).name}.git",
        )
        disk.fill()
        async with supervising(paths) as engine:
            where = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
            run = await engine.start(spec("write work.txt work", workspace=where))
            await until(engine, lambda: "disk is full" in engine.view.runs[run.id].notice)
            assert engine.view.runs[run.id].status is Status.PREPARING
            disk.free()
            await settled(engine)
            assert engine.view.runs[run.id].status is Status.SUCCEEDED
            changed = await engine.workspaces.changes(run.id)
            assert [file.path for file in changed.files] == ["work.txt"]


async def test_copy_that_a_killed_engine_left_goes_with_a_cancel(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = repos.repository(tmp_path / "s")

    def endless(*given: Any) -> NoReturn:
        _, target, _, stop, *_ = given
        repos.git(source, "worktree", "add", "-q", "-b", f"swarm/{target.name}", str(target))
        while not stop():
            time.sleep(0.01)
        raise InterruptedError

    monkeypatch.setattr(preparing, "make", endless)
    before = repos.git(source, "worktree", "list"), repos.git(source, "branch")
    async with supervising(paths) as engine:
        where = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
        run = await engine.start(spec(workspace=where))
        target = paths.workspace(run.spec.project, run.id)
        await becomes(lambda: (target / ".git").exists())
    assert (repos.git(source, "worktree", "list"), repos.git(source, "branch")) != before
    async with Engine.open(paths) as engine:
        await engine.cancel(run.id)
    async with supervising(paths) as engine:
        await settled(engine)
        assert engine.view.runs[run.id].status is Status.CANCELLED
    assert not target.exists()
    assert (repos.git(source, "worktree", "list"), repos.git(source, "branch")) == before

"""Runs whose workspace is in the trash, and workspaces that fresh starts left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import repos
from disk_runs import done, folder
from support import settled, spec, supervising

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.model import Run, Status, WorkspaceKind, WorkspaceSpec
from engine.engine import CleanupFilter, DiskUsage, Engine, LocationKind


async def refused(engine: Engine, run: Run) -> None:
    """It cannot go on where it stood, nor be looked into, and is told both ways out."""
    for attempt in (
        engine.retry(run.id),
        engine.retry(run.id, prompt="sim: say else"),
        engine.resume(run.id, "sim: say more"),
        engine.workspaces.folder(run.id),
        engine.workspaces.changes(run.id),
    ):
        with pytest.raises(UserError) as caught:
            await attempt
        assert caught.value.code == "WORKSPACE_MISSING"
        assert "is in the trash" in caught.value.message
        assert f"--undo {run.id}" in caught.value.recovery
        assert "--fresh" in caught.value.recovery
    assert engine.view.runs[run.id].status is Status.SUCCEEDED


async def test_a_run_in_the_trash_goes_on_only_afresh_or_when_it_is_back(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, "write work.txt work")
        await engine.disk.delete(run.id)
        await refused(engine, run)
        await engine.disk.undo(run.id)
        await engine.resume(run.id, "sim: say more")
        await settled(engine)
        assert (folder(run) / "work.txt").is_file()
        await engine.disk.delete(run.id)
        await engine.disk.empty(await engine.disk.trash())
        await refused(engine, run)
        await engine.retry(run.id, fresh=True)
        await settled(engine)
        again = engine.view.runs[run.id]
        assert (again.status, again.in_trash) == (Status.SUCCEEDED, False)
        assert folder(again).is_dir()


async def test_what_a_fresh_start_left_is_found_and_goes_by_itself(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, "write work.txt first")
        await engine.retry(run.id, fresh=True)
        await settled(engine)
        now = engine.view.runs[run.id]
        assert folder(now) != folder(run)
        found: list[DiskUsage] = []
        await engine.disk.measure(found.append)
        owners = {
            u.place.path: u.place.run for u in found if u.place.kind is LocationKind.WORKSPACE
        }
        assert owners == {folder(run): run.id, folder(now): run.id}
        wish = CleanupFilter(paths=frozenset({str(folder(run))}), including_unsaved=True)
        plan = await engine.disk.plan(wish)
        assert [item.path for item in plan.take] == [str(folder(run))]
        await engine.disk.clean(plan, wish)
        assert not folder(run).exists()
        assert folder(now).is_dir()
        assert not engine.view.runs[run.id].in_trash
        # Deleting the other one, too, leaves a patch of each.
        await engine.disk.delete(run.id)
        assert len(list(paths.run(run.id).glob("unsaved*.patch"))) == 1  # they say the same
        assert engine.view.runs[run.id].in_trash
        for entry in await engine.disk.trash():
            if entry.path == str(folder(run)):
                await engine.disk.restore(entry)
        assert engine.view.runs[run.id].in_trash  # its own is still there


async def test_work_that_is_binary_is_in_the_patch(paths: Paths, tmp_path: Path) -> None:
    source = repos.repository(tmp_path / "s")
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        (folder(run) / "picture").write_bytes(bytes(range(256)) * 9)
        await engine.disk.delete(run.id)
        await engine.disk.empty(await engine.disk.trash())
        patch = (paths.run(run.id) / "unsaved.patch").read_bytes()
        assert await engine.events(run.id, kinds=["artifact"])
    repos.git(source, "apply", "-", stdin=patch)
    assert (source / "picture").read_bytes() == bytes(range(256)) * 9


async def test_commits_of_a_copy_that_are_nowhere_else_keep_it(
    paths: Paths, tmp_path: Path
) -> None:
    source = repos.repository(tmp_path / "s")
    async with supervising(paths) as engine:
        workspace = WorkspaceSpec(WorkspaceKind.COPY, str(source))
        run = await engine.start(spec(workspace=workspace))
        await settled(engine)
        here = folder(engine.view.runs[run.id])
        assert not await engine.disk.unsaved(run.id)
        repos.git(here, "checkout", "-q", "-b", "aside")
        repos.write(here, {"work.txt": "work"})
        repos.commit(here, "work")
        repos.git(here, "checkout", "-q", "main")
        found = await engine.disk.unsaved(run.id)
        assert found.words == "1 commit in no other repository"

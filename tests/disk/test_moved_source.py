"""A source that was moved, renamed or deleted: nothing of a run is lost, and `--to` names it."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest
import repos
from disk_runs import folder
from support import settled, spec, supervising

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.model import Run, WorkspaceKind, WorkspaceSpec
from engine.engine import ApplyMode, CleanupFilter, Engine


async def begun(engine: Engine, source: Path, kind: WorkspaceKind) -> Run:
    run = await engine.start(
        spec("write work.txt work", workspace=WorkspaceSpec(kind, str(source)))
    )
    await settled(engine)
    return engine.view.runs[run.id]


@pytest.mark.parametrize("kind", [WorkspaceKind.WORKTREE, WorkspaceKind.COPY])
async def test_changes_are_taken_to_the_new_place(
    paths: Paths, tmp_path: Path, kind: WorkspaceKind
) -> None:
    source = repos.repository(tmp_path / "s")
    moved = tmp_path / "moved"
    async with supervising(paths) as engine:
        run = await begun(engine, source, kind)
        source.rename(moved)
        for how, check in (
            (ApplyMode.EDITS, True),
            (ApplyMode.EDITS, False),
            (ApplyMode.COMMIT, False),
        ):
            with pytest.raises(UserError) as raised:
                await engine.workspaces.apply(run.id, how, check=check)
            assert raised.value.code == "SOURCE_MOVED"
            assert str(source) in raised.value.message
            assert "--to" in raised.value.recovery
            assert "fsck" not in raised.value.recovery
        assert b"+work" in await repos.written(partial(engine.workspaces.write_diff, run.id))
        taking = partial(engine.workspaces.apply, run.id, ApplyMode.PATCH)
        patch = await repos.written(lambda file: taking(patch=file))
        assert b"+work" in patch
        to = str(moved)
        assert (await engine.workspaces.apply(run.id, ApplyMode.EDITS, to=to, check=True)).fits
        if kind is WorkspaceKind.WORKTREE:
            done = await engine.workspaces.apply(run.id, ApplyMode.COMMIT, to=to)
            assert done.branch
            assert repos.git(moved, "show", f"{done.branch}:work.txt") == "work"
            await engine.workspaces.apply(run.id, ApplyMode.MERGE, to=to)
            assert repos.git(moved, "show", "HEAD:work.txt") == "work"
            assert repos.git(moved, "status", "--porcelain") == ""
        else:
            await engine.workspaces.apply(run.id, ApplyMode.MERGE, to=to)
            assert repos.git(moved, "show", "HEAD:work.txt") == "work"
        assert (moved / "work.txt").read_text() == "work\n"
        await engine.workspaces.restore(run.id, 0)
        assert not (folder(run) / "work.txt").exists()


@pytest.mark.parametrize("kind", [WorkspaceKind.WORKTREE, WorkspaceKind.COPY])
async def test_a_clean_up_keeps_a_patch_when_the_source_is_gone(
    paths: Paths, tmp_path: Path, kind: WorkspaceKind
) -> None:
    source = repos.repository(tmp_path / "s")
    async with supervising(paths) as engine:
        run = await begun(engine, source, kind)
        shutil.rmtree(source)
        wish = CleanupFilter(including_unsaved=True)
        report = await engine.disk.clean(await engine.disk.plan(wish), wish)
        assert [one.failure for one in report.cleaned] == [None]
        assert b"+work" in (paths.run(run.id) / "unsaved.patch").read_bytes()


async def test_a_clean_up_deletes_nothing_of_which_no_patch_can_be_kept(
    paths: Paths, tmp_path: Path
) -> None:
    source = repos.repository(tmp_path / "s")
    async with supervising(paths) as engine:
        run = await begun(engine, source, WorkspaceKind.COPY)
        store = paths.checkpoints(run.id, str(folder(run)))
        for pack in (store / "objects" / "pack").iterdir():
            pack.unlink()
        wish = CleanupFilter(including_unsaved=True)
        report = await engine.disk.clean(await engine.disk.plan(wish), wish)
        (failure,) = [one.failure for one in report.cleaned]
        assert failure
        assert failure.code == "WORK_UNSAVED"
        assert (folder(run) / "work.txt").exists()
        assert not engine.view.runs[run.id].in_trash
        assert await engine.disk.trash() == []

"""What takes room is found, and a clean-up frees it without losing anything."""

from __future__ import annotations

from functools import partial
from io import BytesIO
from pathlib import Path

import pytest
import repos
from disk_runs import done, folder
from support import quick, settled, spec, supervising

from engine.config.paths import Paths
from engine.config.settings import CleanupSettings
from engine.domain.errors import UserError
from engine.domain.model import Status
from engine.engine import ApplyMode, CleanupFilter, DiskLocation, DiskUsage, Engine, LocationKind


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with one commit, whose `.gitignore` names what can be made again."""
    files: dict[str, str | bytes] = {"a.txt": "one\n", ".gitignore": "node_modules\n"}
    return repos.repository(tmp_path / "s", files)


async def usage(engine: Engine) -> dict[DiskLocation, DiskUsage]:
    found: dict[DiskLocation, DiskUsage] = {}

    def keep(one: DiskUsage) -> None:
        found[one.place] = one

    await engine.disk.measure(keep)
    return found


async def test_every_place_is_found_and_belongs_to_its_run(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, "write big.txt " + "x" * 5000, source=source)
        gone = await done(engine, "say done")
        await engine.disk.delete(gone.id)
        found = await usage(engine)
    assert all(one.done and one.error is None for one in found.values())
    kinds = {(place.kind, place.run) for place in found}
    assert kinds >= {
        (LocationKind.WORKSPACE, run.id),
        (LocationKind.FILES, run.id),
        (LocationKind.FILES, gone.id),
        (LocationKind.TRASH, gone.id),
        (LocationKind.DATABASE, ""),
    }
    (workspace,) = [one for place, one in found.items() if place.kind is LocationKind.WORKSPACE]
    assert workspace.figures.apparent > 5000


async def test_a_cleanup_takes_what_was_taken_home_and_leaves_the_rest(
    paths: Paths, source: Path
) -> None:
    async with supervising(paths) as engine:
        clean = await done(engine, "say nothing to do", source=source)
        applied = await done(engine, "write home.txt mine", source=source)
        await engine.workspaces.apply(applied.id, ApplyMode.EDITS)
        unsaved = await done(engine, "write work.txt work", source=source)
        plan = await engine.disk.plan(CleanupFilter())
        assert {item.run for item in plan.take} == {clean.id, applied.id}
        assert [(item.run, item.why) for item in plan.keep] == [
            (unsaved.id, "1 changed file not applied")
        ]
        report = await engine.disk.clean(plan, CleanupFilter())
        assert [one.failure for one in report.cleaned] == [None, None]
        assert report.freed == plan.size > 0
        assert not folder(clean).exists()
        assert folder(unsaved).is_dir()
        assert engine.view.runs[clean.id].in_trash
        branches = repos.git(source, "branch", "--format=%(refname:short)").split()
        assert branches == ["main", f"swarm/{unsaved.id}"]
        assert repos.git(source, "status", "--porcelain") == "?? home.txt"
        back = await engine.disk.undo()
        assert len(back) == 2
        entry = next(one for one in back if one.run == clean.id)
        assert folder(engine.view.runs[entry.run]).is_dir()
        assert not engine.view.runs[entry.run].in_trash


async def test_unsaved_work_is_kept_beside_the_run_when_it_goes(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, "write work.txt precious", source=source)
        wish = CleanupFilter(including_unsaved=True)
        await engine.disk.clean(await engine.disk.plan(wish), wish)
        assert not folder(run).exists()
        assert await engine.disk.empty(await engine.disk.trash()) == 1
        patch = (paths.run(run.id) / "unsaved.patch").read_bytes()
    repos.git(source, "apply", "-", stdin=patch)
    assert (source / "work.txt").read_text() == "precious\n"


async def test_what_lies_in_the_trash_is_said_to(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, "write work.txt precious", source=source)
        await engine.disk.delete(run.id)
        workspaces = engine.workspaces
        diff = partial(workspaces.write_diff, file=BytesIO())
        for asked in (workspaces.folder, diff, workspaces.files):
            with pytest.raises(UserError, match="is in the trash") as caught:
                await asked(run.id)
            assert caught.value.code == "WORKSPACE_MISSING"
        await engine.disk.undo()
        assert "work.txt" in {one.path for one in await engine.workspaces.folder(run.id)}


async def test_what_was_done_since_the_plan_counts(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, "say nothing", source=source)
        plan = await engine.disk.plan(CleanupFilter())
        (folder(run) / "late.txt").write_text("late\n")
        (cleaned,) = (await engine.disk.clean(plan, CleanupFilter())).cleaned
        assert cleaned.failure
        assert cleaned.failure.code == "WORK_UNSAVED"
        assert folder(run).is_dir()


async def test_live_runs_are_left_alone(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("hang"))
        while engine.view.runs[run.id].workspace is None:
            await anext(engine.batches())
        plan = await engine.disk.plan(CleanupFilter(including_unsaved=True))
        assert [item.why for item in plan.keep] in (["is running"], ["is preparing"])
        with pytest.raises(UserError) as caught:
            await engine.disk.delete(run.id)
        assert caught.value.code == "WORKSPACE_BUSY"
        await engine.cancel(run.id, kill=True)
        await settled(engine)
        assert engine.view.runs[run.id].status is Status.CANCELLED


async def test_only_what_can_be_made_again_goes_with_artefacts_only(
    paths: Paths, source: Path
) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, "write work.txt work", source=source)
        here = folder(run)
        repos.write(
            here,
            {
                "node_modules/left/pad.js": "x" * 9000,
                "sub/node_modules/a.js": "y" * 9000,
                "target/made.md": "made by a build\n",
            },
        )
        wish = CleanupFilter(artefacts_only=True)
        plan = await engine.disk.plan(wish)
        assert [item.run for item in plan.take] == [run.id]
        report = await engine.disk.clean(plan, wish)
        assert report.freed >= 18_000
    assert not (here / "node_modules").exists()
    assert not (here / "sub" / "node_modules").exists()
    assert not (here / "target").exists()
    assert (here / "work.txt").is_file()


async def test_a_mistake_in_the_settings_keeps_the_trash(paths: Paths) -> None:
    paths.config.write_text("cleanup: {trash_days: 0}\n")
    async with supervising(paths) as engine:
        run = await done(engine, "say done")
        await engine.disk.delete(run.id)
    paths.config.write_text("cleanup: {trash_days: many}\n")
    async with Engine.open(paths, follow=False) as engine:
        assert await engine.disk.tend() == 0
        entries = await engine.disk.trash()
        with pytest.raises(UserError) as caught:
            await engine.disk.empty(entries)
        assert caught.value.code == "CONFIG_INVALID"
        assert await engine.disk.trash() == entries
        await engine.disk.undo(run.id)  # nothing is lost by that
    paths.config.write_text("cleanup: {trash_days: 0}\n")
    async with Engine.open(paths, follow=False) as engine:
        await engine.disk.delete(run.id)
        assert await engine.disk.tend() == 1


async def test_the_trash_is_emptied_by_age(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, "say done")
        await engine.disk.delete(run.id)
        assert await engine.disk.tend() == 0
    async with Engine.open(
        paths, quick(cleanup=CleanupSettings(trash_days=0)), follow=False
    ) as engine:
        assert await engine.disk.tend() == 1
        assert await engine.disk.trash() == []

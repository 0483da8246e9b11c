"""Whatever a clean-up of real runs takes satisfies every rule, and nothing is lost by it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import repos
from disk_runs import done, folder
from hypothesis import given, settings
from hypothesis import strategies as st
from support import becomes, settled, spec, supervising, until

from engine.config.paths import Paths
from engine.disk import trash as trash_module
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Status, WorkspaceKind, WorkspaceSpec
from engine.engine import ApplyMode, CleanupFilter, Engine

wishes = st.builds(
    CleanupFilter,
    statuses=st.frozensets(st.sampled_from(["failed", "succeeded", "running"])),
    project=st.sampled_from([None, "p"]),
    keep=st.integers(0, 2),
    artefacts_only=st.booleans(),
    including_unsaved=st.booleans(),
)


async def a_mix(engine: Engine, source: Path) -> None:
    """Runs of all sorts: clean, with work, taken home, failed, in place, live, begun afresh."""
    await done(engine, "say nothing", source=source, project="p")
    await done(engine, "write work.txt w", source=source, project="p")
    applied = await done(engine, "write home.txt h", source=source, project="q")
    await engine.workspaces.apply(applied.id, ApplyMode.EDITS)
    await done(engine, "write odd.txt o", "fail", project="q")
    again = await done(engine, "say twice", project="p")
    await engine.retry(again.id, fresh=True)
    inside = WorkspaceSpec(WorkspaceKind.IN_PLACE, str(source))
    await engine.start(spec("say here", workspace=inside, project="p"))
    await settled(engine)
    live = await engine.start(spec("write live.txt l", "hang", project="q"))
    await until(engine, lambda: engine.view.runs[live.id].status is Status.RUNNING)
    written = folder(engine.view.runs[live.id]) / "live.txt"
    await becomes(lambda: written.is_file() and written.read_bytes())
    for run in engine.view.runs.values():
        if run.id != live.id and folder(run) != source:
            repos.write(folder(run), {"node_modules/a": "a"})


def works(paths: Paths, source: Path) -> set[bytes]:
    """Return all that runs wrote, wherever it lies now."""
    tops = [source, *paths.workspaces.glob("*/*"), *paths.trash.glob("*/workspace")]
    names = ("work.txt", "home.txt", "odd.txt", "live.txt", "a.txt")
    return {top.joinpath(n).read_bytes() for top in tops for n in names if (top / n).is_file()}


async def test_whatever_is_removed_satisfies_every_rule(paths: Paths, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"a.txt": "one\n", ".gitignore": "node_modules\n"}
    source = repos.repository(tmp_path / "s", files)
    found: list[CleanupFilter] = []

    @settings(max_examples=12)
    @given(wishes)
    def some(wish: CleanupFilter) -> None:
        found.append(wish)

    some()
    async with supervising(paths) as engine:
        await a_mix(engine, source)
        before = works(paths, source)
        state = repos.git(source, "for-each-ref")
        for wish in found:
            plan = await engine.disk.plan(wish)
            lost = {one.path: await engine.disk.unsaved(one.run, one.path) for one in plan.take}
            report = await engine.disk.clean(plan, wish)
            for one in report.cleaned:
                run = engine.view.runs[one.item.run]
                assert run.status in FINISHED
                assert one.item.path != str(source)
                assert not one.failure, one.failure
                assert wish.including_unsaved or wish.artefacts_only or not lost[one.item.path]
            assert works(paths, source) == before
            while await engine.disk.trash():
                await engine.disk.undo()
            assert repos.git(source, "for-each-ref") == state
        (live,) = [run for run in engine.view.runs.values() if run.status not in FINISHED]
        await engine.cancel(live.id, kill=True)
        await settled(engine)


@pytest.mark.parametrize("error", [PermissionError(13, "denied"), OSError(28, "no space left")])
@pytest.mark.parametrize("step", ["write", "move", "private_folder"])
async def test_a_disk_that_takes_nothing_more_costs_nothing(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, error: OSError, step: str
) -> None:
    def refused(*_: object) -> None:
        raise error

    async with supervising(paths) as engine:
        runs = [await done(engine, "say nothing") for _ in range(2)]
        plan = await engine.disk.plan(CleanupFilter())
        with monkeypatch.context() as patch:
            patch.setattr(trash_module, step, refused)
            report = await engine.disk.clean(plan, CleanupFilter())
        assert len(report.cleaned) == 2  # the second is tried all the same
        assert all(one.failure for one in report.cleaned)
        assert all(folder(run).is_dir() for run in runs)
        assert not any(engine.view.runs[run.id].in_trash for run in runs)
        await engine.disk.tend()
        report = await engine.disk.clean(plan, CleanupFilter())
        assert not any(one.failure for one in report.cleaned)


async def test_a_link_in_the_place_of_a_workspace_leads_nowhere(
    paths: Paths, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    repos.write(other, {"precious.txt": "mine", "node_modules/a": "mine"})
    async with supervising(paths) as engine:
        run = await done(engine, "say nothing")
        folder(run).rename(tmp_path / "aside")
        folder(run).symlink_to(other)
        for wish in (CleanupFilter(including_unsaved=True), CleanupFilter(artefacts_only=True)):
            await engine.disk.clean(await engine.disk.plan(wish), wish)
        for entry in await engine.disk.trash():
            await engine.disk.empty([entry])
    assert sorted(os.listdir(other)) == ["node_modules", "precious.txt"]
    assert (other / "node_modules" / "a").is_file()

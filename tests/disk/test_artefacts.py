"""`cleanup --artefacts-only` deletes what its plan lists: all of it, and nothing else."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
import repos
from disk_runs import done, folder
from support import supervising

from engine.config.paths import Paths
from engine.engine import CleanupFilter, CleanupPlan, Engine

WISH = CleanupFilter(artefacts_only=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    files: dict[str, str | bytes] = {"a.txt": "one\n", ".gitignore": "node_modules\n.venv\n"}
    return repos.repository(tmp_path / "s", files)


async def listed(engine: Engine) -> tuple[CleanupPlan, list[str]]:
    plan = await engine.disk.plan(WISH)
    return plan, [one.path for item in plan.take for one in item.folders]


async def test_only_listed_folders_go(paths: Paths, source: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    repos.write(other, {"precious": "mine"})
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        here = folder(run)
        repos.write(
            here,
            {
                "node_modules/a/node_modules/b.js": "x" * 9000,
                "web/node_modules/c.js": "y" * 9000,
                "target/work.md": "work",
                "docs/.git/node_modules/d": "",
            },
        )
        (here / "lib").mkdir()
        (here / "lib" / "node_modules").symlink_to(other)
        plan, names = await listed(engine)
        assert names == ["node_modules", "target", "web/node_modules"]
        assert plan.size == sum(one.size for item in plan.take for one in item.folders)
        repos.write(here, {"late/node_modules/e.js": "made after the plan"})
        report = await engine.disk.clean(plan, WISH)
        assert [one.failure for one in report.cleaned] == [None]
        assert report.freed == plan.size
    assert not (here / "node_modules").exists()
    assert not (here / "web" / "node_modules").exists()
    assert (here / "late" / "node_modules" / "e.js").is_file()
    assert (here / "docs" / ".git" / "node_modules" / "d").is_file()
    assert not (here / "target").exists()  # not there at the start: made by a build
    assert (other / "precious").is_file()


@pytest.mark.parametrize("swap", ["other folder", "link", "parent link", "file"])
async def test_what_took_the_place_of_a_listed_folder_stays(
    paths: Paths, source: Path, tmp_path: Path, swap: str
) -> None:
    other = tmp_path / "other" / "node_modules"
    repos.write(other, {"precious": "mine"})
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        here = folder(run)
        repos.write(here, {"web/node_modules/a": "a", ".venv/b": "b"})
        plan, names = await listed(engine)
        assert names == [".venv", "web/node_modules"]
        place = here / "web" / "node_modules"
        if swap == "parent link":
            (here / "web").rename(tmp_path / "aside")
            (here / "web").symlink_to(other.parent)
        else:
            place.rename(tmp_path / "aside")
            if swap == "other folder":
                repos.write(place, {"precious": "mine"})
            elif swap == "link":
                place.symlink_to(other)
            else:
                place.write_text("mine")
        report = await engine.disk.clean(plan, WISH)
        (one,) = report.cleaned
        assert one.failure
        assert "web/node_modules" in one.failure.message
    assert (other / "precious").is_file()
    assert place.exists()
    assert not (here / ".venv").exists()


async def test_nothing_is_listed_where_the_changes_are_unknown(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, source=source)
        repos.write(folder(run), {"node_modules/a": "a"})
        plan, names = await listed(engine)
        assert names == ["node_modules"]
        store = paths.checkpoints(run.id, str(folder(run)))
        shutil.rmtree(store / "objects")
        again, names = await listed(engine)
        assert names == []
        assert ["The changes of this run are unknown" in item.why for item in again.keep] == [True]
        report = await engine.disk.clean(plan, WISH)
        assert [one.failure and one.failure.code for one in report.cleaned] == ["CHANGES_UNKNOWN"]
    assert (folder(run) / "node_modules" / "a").is_file()


NAMES = ("node_modules", ".venv", "src", "build", ".git", "a")
KINDS = ("file", "file", "file", "link", "folder")


def _plant(here: Path, drawn: Random, name: str, outside: Path) -> None:
    """Make files, links and folders so called, in folders of any of the names."""
    for _ in range(12):
        place = here.joinpath(*drawn.choices(NAMES, k=drawn.randint(1, 4)), name)
        kind = drawn.choice(KINDS)
        if any(parent.is_symlink() for parent in (place, *place.parents)):
            continue
        with suppress(FileExistsError, IsADirectoryError, NotADirectoryError):
            place.parent.mkdir(parents=True, exist_ok=True)
            if kind == "file":
                place.write_text(name)
            elif kind == "link":
                place.symlink_to(outside)
            else:
                place.mkdir()


def _all(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


async def test_exactly_what_a_plan_lists_is_gone_whatever_there_is(
    paths: Paths, source: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    repos.write(outside, {"precious": "mine", "node_modules/precious": "mine"})
    async with supervising(paths) as engine:
        here = folder(await done(engine, source=source))
        for seed in range(5):
            drawn = Random(seed)
            _plant(here, drawn, f"early-{seed}", outside)
            plan, names = await listed(engine)
            assert names
            _plant(here, drawn, f"late-{seed}", outside)
            before = _all(here)
            report = await engine.disk.clean(plan, WISH)
            assert [one.failure for one in report.cleaned] == [None]
            below = tuple(f"{name}/" for name in names)
            assert before - _all(here) == {one for one in before if f"{one}/".startswith(below)}
    assert _all(outside) == {"precious", "node_modules", "node_modules/precious"}

"""Updates with files that git ignores: those of the base count, those of the run are not lost."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import repos
from scenes import Scene, scene
from test_update import update, updating

from engine.domain.errors import UserError
from engine.workspaces.apply.restore import restore
from engine.workspaces.checkpoints.checkpoints import Checkpoints


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repos.repository(tmp_path / "s", {".gitignore": "*.ign\n", "a.txt": "a\n"})


def forced(source: Path, files: dict[str, str | bytes]) -> None:
    """Commit files that git ignores."""
    repos.write(source, files)
    repos.git(source, "add", "-f", *files)
    repos.git(source, "commit", "-q", "-m", "ignored files")


async def undo(here: Scene) -> None:
    found = await here.run.list()
    last = next(one for one in reversed(found) if one.message.startswith("before the update"))
    await updating(here)[0].undo(last.n, None)


@pytest.mark.parametrize("kind", ["copy", "worktree"])
async def test_an_ignored_file_of_the_base_counts_after_an_update(
    source: Path, home: Path, kind: str
) -> None:
    here = await scene(source, home, kind)
    repos.write(here.root, {"new.txt": "n\n", "own.ign": "stays ignored\n"})
    forced(source, {"forced.ign": "X\n"})
    assert (await update(here)).files == ("forced.ign",)
    assert await here.changed() == ["new.txt"]
    reopened = await Checkpoints.open(here.run.git.git_dir, here.workspace)  # type: ignore[arg-type]  set by scene
    assert [one.path for one in (await reopened.changes()).files] == ["new.txt"]
    assert (await here.apply()).files == ("new.txt",)
    assert (source / "forced.ign").read_text() == "X\n"


async def test_a_copy_can_be_updated_again_after_an_undo(source: Path, home: Path) -> None:
    here = await scene(source, home, "copy")
    repos.write(here.root, {"new.txt": "n\n"})
    forced(source, {"forced.ign": "X\n"})
    await update(here)
    await undo(here)
    assert not (here.root / "forced.ign").exists()
    assert await here.changed() == ["new.txt"]
    assert (await update(here)).files == ("forced.ign",)
    forced(source, {"forced.ign": "X2\n"})
    assert (await update(here)).files == ("forced.ign",)
    assert await here.changed() == ["new.txt"]


async def test_changes_of_the_run_to_an_ignored_file_of_the_base_are_shown(
    source: Path, home: Path
) -> None:
    here = await scene(source, home, "copy")
    forced(source, {"forced.ign": "X\n", "in/deep.ign": "D\n"})
    await update(here)
    shutil.rmtree(here.root / "in")
    (here.root / "forced.ign").unlink()
    assert await here.changed() == ["forced.ign", "in/deep.ign"]
    repos.write(here.root, {"forced.ign": "run\n", "in/deep.ign": "D\n", "in/other.ign": "o\n"})
    assert await here.changed() == ["forced.ign"]
    assert (await here.apply()).files == ("forced.ign",)
    assert (source / "forced.ign").read_text() == "run\n"


async def test_files_of_the_baseline_count_without_the_cache_of_the_last_scan(
    source: Path, home: Path
) -> None:
    here = await scene(source, home, "copy")
    forced(source, {"forced.ign": "X\n"})
    await update(here)
    (here.run.git.git_dir / "swarm-seen").unlink()
    assert await here.changed() == []


async def test_a_tracked_file_that_the_base_ignores_from_now_on(source: Path, home: Path) -> None:
    (source / "in").mkdir()
    repos.write(source, {"in/a.txt": "a\n"})
    repos.commit(source, "a folder")
    here = await scene(source / "in", home, "copy")  # without a repository of its own
    repos.write(source, {"in/.gitignore": "a.txt\n"})
    repos.commit(source, "ignore it")
    await update(here)
    (here.root / "a.txt").unlink()
    assert await here.changed() == ["a.txt"]
    repos.write(here.root, {"a.txt": "a\n"})
    assert await here.changed() == []


async def test_a_restored_file_counts_although_it_is_ignored(source: Path, home: Path) -> None:
    here = await scene(source, home)
    repos.write(here.root, {"x.ign": "x\n"})
    repos.git(here.root, "add", "-f", "x.ign")
    first = await here.run.record("with it")
    repos.git(here.root, "rm", "-q", "-f", "x.ign")
    second = await here.run.record("without it")
    await restore(here.run, first.n)
    assert await here.changed() == ["x.ign"]
    await restore(here.run, second.n)
    assert not (here.root / "x.ign").exists()
    await restore(here.run, first.n)
    assert (here.root / "x.ign").read_text() == "x\n"


@pytest.mark.parametrize("kind", ["copy", "worktree"])
async def test_an_ignored_file_of_the_run_conflicts_with_one_of_the_base(
    source: Path, home: Path, kind: str
) -> None:
    here = await scene(source, home, kind)
    repos.write(here.root, {"x.ign": "mine\n", "bin.ign": b"mine\0", "same.ign": "same\n"})
    before = repos.files(here.root)
    forced(source, {"x.ign": "main\n", "bin.ign": b"main\0", "same.ign": "same\n"})
    updates, where = updating(here)
    checked = await updates.check(where)
    assert [one.path for one in checked.conflicts] == ["bin.ign", "x.ign"]
    with pytest.raises(UserError) as raised:
        await updates.update(where)
    assert raised.value.code == "UPDATE_CONFLICT"
    assert repos.files(here.root) == before
    assert await here.changed() == []
    done = await update(here, markers=True)
    assert [one.path for one in done.conflicts] == ["bin.ign", "x.ign"]
    assert (here.root / "bin.ign").read_bytes() == b"mine\0"
    text = (here.root / "x.ign").read_text()
    assert "<<<<<<< the run\nmine\n" in text
    assert "main\n>>>>>>> main\n" in text
    assert await here.changed() == ["bin.ign", "x.ign"]
    assert done.checkpoint
    await updates.undo(done.checkpoint.n, done.head)
    assert repos.files(here.root) == before


async def test_an_ignored_file_that_is_the_same_in_the_base_is_no_conflict(
    source: Path, home: Path
) -> None:
    here = await scene(source, home)
    repos.write(here.root, {"x.ign": "same\n"})
    forced(source, {"x.ign": "same\n"})
    assert (await update(here)).conflicts == ()
    assert await here.changed() == []


async def test_ignored_files_and_folders_that_change_places_conflict(
    source: Path, home: Path
) -> None:
    here = await scene(source, home)
    repos.write(here.root, {"file.ign": "mine\n", "folder/x.ign": "mine\n", "ok.ign": "mine\n"})
    os.mkfifo(here.root / "pipe")
    forced(source, {"file.ign/deep": "d\n", "folder": "f\n", "pipe": "p\n", "c.txt": "c\n"})
    updates, where = updating(here)
    checked = await updates.check(where)
    assert [one.path for one in checked.conflicts] == [
        "pipe",
        "file.ign",
        "folder",
    ]
    done = await update(here, markers=True)
    assert len(done.conflicts) == 3
    assert (here.root / "c.txt").read_text() == "c\n"
    assert (here.root / "pipe").is_fifo()
    assert (here.root / "file.ign").read_text() == "mine\n"
    assert (here.root / "folder/x.ign").read_text() == "mine\n"

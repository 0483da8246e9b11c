"""What a look stores is what git itself would: the same trees, in packs that git finds whole."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
import repos

from engine.domain.model import Workspace, WorkspaceKind
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.git.pack import Pack

NAMES = ("a", "a/b", "a/b/c", "a.b", "a-b", "a0", "A", "b/a", "b/x y/z", "b/é", "b.txt", "c/d/e/f")


def change(root: Path, chance: random.Random) -> None:
    """Make, change or remove something; what was a file may become a folder, and back."""
    path = root / chance.choice(NAMES)
    for there in (path, *path.relative_to(root).parents):
        one = root / there
        if one != root and (one.is_file() or one.is_symlink()):
            one.unlink()
    if path.is_dir():
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    match chance.randrange(6):
        case 0:
            return
        case 1:
            path.symlink_to(chance.choice(NAMES))
        case kind:
            path.write_bytes(chance.choice((b"", b"one\n", b"\0\1", chance.randbytes(3000))))
            path.chmod(0o755 if kind == 2 else 0o644)


@pytest.mark.parametrize("hashed", ["sha1", "sha256"])
async def test_trees_are_gits_after_any_change(tmp_path: Path, home: Path, hashed: str) -> None:
    how = f"--object-format={hashed}"
    root = repos.repository(tmp_path / "s", {"b/a": "1\n", "b/é": "2\n", "c/d/e/f": "3\n"}, how)
    repos.git(tmp_path, "init", "-q", "--bare", how, "git")
    there = ("--git-dir", str(tmp_path / "git"), "--work-tree", str(root))
    store = home / "checkpoints.git"
    run = await Checkpoints.make(store, Workspace(str(root), WorkspaceKind.IN_PLACE, str(root)))
    chance = random.Random(hashed)
    for turn in range(25):
        for _ in range(chance.randrange(4)):
            change(root, chance)
        repos.git(root, *there, "add", "-A")
        assert (await run.now()).tree == repos.git(root, *there, "write-tree"), turn
        assert (await run.record(f"turn {turn}")).left_out == ()
        if turn == 10:
            (store / "swarm-seen").unlink()  # only a cache
    inside = ("--git-dir", str(store))
    assert repos.git(root, *inside, "fsck", "--full", "--strict", "--no-dangling") == ""
    assert len(list((store / "objects" / "pack").glob("*.idx"))) > 10
    await run.pack()
    assert repos.git(root, *inside, "fsck", "--full", "--strict", "--no-dangling") == ""
    assert (await run.now()).tree == repos.git(root, *there, "write-tree")


def test_a_pack_holds_objects_of_any_size_once(tmp_path: Path) -> None:
    repos.git(tmp_path, "init", "-q", "--bare", "git")
    chance = random.Random(1)
    all_data = [chance.randbytes(size) for size in (0, 1, 15, 16, 2047, 2048, 300_000)]
    with Pack(tmp_path / "git", "sha1") as pack:
        names = [pack.add("blob", data) for data in [*all_data, *all_data]]
    assert names[:7] == names[7:]
    for name, data in zip(names, all_data, strict=False):
        assert int(repos.git(tmp_path / "git", "cat-file", "-s", name)) == len(data)
    assert repos.git(tmp_path / "git", "fsck", "--full", "--strict", "--no-dangling") == ""
    assert len(list((tmp_path / "git" / "objects" / "pack").iterdir())) == 2


def test_nothing_is_left_of_a_pack_that_was_not_finished(tmp_path: Path) -> None:
    (tmp_path / "objects").mkdir()
    with pytest.raises(OSError, match="full"), Pack(tmp_path, "sha1") as pack:
        pack.add("blob", b"one")
        raise OSError("the disk is full")
    assert list((tmp_path / "objects" / "pack").iterdir()) == []

"""Patches: large files are written as git writes them, and a limit names the largest files."""

from __future__ import annotations

import asyncio
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
import repos

from engine.domain.errors import UserError
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.workspaces.apply.apply import ApplyMode, ApplyRequest, apply, check
from engine.workspaces.checkpoints import patches
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create import create

LARGE = 3000


def noise(turn: int, size: int = LARGE) -> bytes:
    return hashlib.shake_128(b"%d" % turn).digest(size)


BEFORE: dict[str, str | bytes] = {
    "changed": noise(1),
    "gone": noise(2),
    "moved here": noise(3),
    "mode": noise(4),
    "grown": "small\n",
    "shrunk": noise(5),
    "to link": noise(6),
    "to folder": noise(7),
    "folder/inner": noise(8),
    "twice a": noise(9),
    "twice b": noise(9),
    "text.txt": "one\ntwo\n",
    'odd "näme"': noise(10),
    "new mode": noise(11),
}


def change(root: Path) -> None:
    """Change large files in every way there is, and some small ones."""
    for name in ("gone", "to link", "to folder", "folder/inner", "twice a", "twice b", "link"):
        (root / name).unlink()
    (root / "folder").rmdir()
    (root / "moved here").rename(root / "moved there")
    (root / "mode").chmod(0o755)
    (root / "new mode").chmod(0o755)
    (root / "to link").symlink_to("text.txt")
    repos.write(
        root,
        {
            "changed": noise(21),
            "grown": noise(22, LARGE + 1),
            "shrunk": "now small\n",
            "to folder/inner": noise(23, LARGE + 25),
            "folder": noise(24, LARGE + 26),
            "twice c": noise(9),
            "text.txt": "one\nTWO\n",
            'odd "näme"': noise(25, LARGE + 27),
            "new mode": noise(26, LARGE + 51),
            "zeros": bytes(100_000),
            "tab\there": noise(27),
            "small": b"\0\1\2",
            "link": noise(28),
        },
    )


@dataclass
class Scene:
    source: Path
    root: Path
    home: Path
    run: Checkpoints

    async def patch(self) -> bytes:
        wish = ApplyRequest(self.source, ApplyMode.PATCH)
        taking = await repos.written(
            lambda file: apply(
                self.run, ApplyRequest(self.source, ApplyMode.PATCH, patch=file), self.home
            )
        )
        assert (await check(self.run, wish, self.home)).files
        return taking


@pytest.fixture
async def scene(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Make a run in which a file of more than 1,000 bytes is a large one."""
    monkeypatch.setattr(patches, "IN_MEMORY_BYTES", 1000)
    source = repos.repository(tmp_path / "s", BEFORE)
    (source / "link").symlink_to("text.txt")
    repos.commit(source, "link")
    spec = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    root = home / "workspaces" / "p" / "r1"
    made = await asyncio.to_thread(create.make, spec, root, home, lambda: False)
    run = await Checkpoints.make(home / "runs" / "r1" / "c.git", made.workspace)
    await run.record("baseline")
    return Scene(source, root, home, run)


async def test_a_patch_of_large_files_is_one_that_git_applies(scene: Scene) -> None:
    before = repos.files(scene.source)
    change(scene.root)
    patch = await scene.patch()
    repos.git(scene.source, "apply", "--check", "--index", "-", stdin=patch)
    repos.git(scene.source, "apply", "--index", "-", stdin=patch)
    assert repos.files(scene.source) == repos.files(scene.root)
    assert patch.count(b"literal 100000\n") == 1
    assert b"rename from moved here\n" in patch
    assert b"old mode 100644\nnew mode 100755\ndiff" in patch.partition(b"/mode\n")[2][:60]
    repos.git(scene.source, "apply", "--reverse", "--index", "-", stdin=patch)
    assert repos.files(scene.source) == before


async def test_a_patch_of_small_files_alone_is_as_git_writes_it(scene: Scene) -> None:
    repos.write(scene.root, {"text.txt": "one\n", "new": "n\n"})
    (scene.root / "mode").chmod(0o755)
    (scene.root / "gone").rename(scene.root / "come")
    repos.git(scene.root, "add", "-A")
    how = ("diff", "--cached", "--binary", "--full-index", "-M")
    assert await scene.patch() == (repos.git(scene.root, *how) + "\n").encode()


@pytest.mark.parametrize("binary", [True, False])
async def test_a_patch_that_is_too_large_names_the_largest_files(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, binary: bool
) -> None:
    monkeypatch.setattr(patches, "LIMIT_BYTES", 4096)
    monkeypatch.setattr(patches, "IN_MEMORY_BYTES", 10_000)
    monkeypatch.setattr(patches, "NAMED", 2)
    lines = "".join(f"{number}\n" for number in range(2000))
    repos.write(scene.root, {"new/big": noise(1, 20_000), "lines": lines, "text.txt": "x\n"})
    with pytest.raises(UserError) as raised:
        await repos.written(scene.run.write_patch if binary else scene.run.write_diff)
    assert raised.value.code == "PATCH_TOO_LARGE"
    assert "new/big (19.5 KiB), lines (8.7 KiB) and 1 smaller" in raised.value.message
    if binary:
        with pytest.raises(UserError, match="larger than"):
            await check(scene.run, ApplyRequest(scene.source, ApplyMode.PATCH), scene.home)
    assert not [path for path in scene.run.git.git_dir.iterdir() if path.name[:8] == "building"]


async def test_a_patch_onto_a_full_disk_is_an_error_of_the_disk(scene: Scene) -> None:
    repos.write(scene.root, {"new": noise(1, 200_000)})
    handle = os.open("/dev/full", os.O_WRONLY)
    with os.fdopen(handle, "wb", 0) as file, pytest.raises(UserError) as raised:
        await scene.run.write_patch(file)
    assert raised.value.code == "DISK_FULL"


async def test_a_diff_shows_large_files_as_git_shows_binary_ones(scene: Scene) -> None:
    repos.write(scene.root, {"changed": noise(21), 'come "ä"': noise(22), "text.txt": "x\n"})
    (scene.root / "gone").unlink()
    (scene.root / "changed").chmod(0o755)
    repos.git(scene.root, "add", "-A")
    theirs = repos.git(scene.root, "diff", "--cached", "-M", "--abbrev=7").split("diff --git ")
    ours = (await repos.written(scene.run.write_diff)).decode().split("diff --git ")
    assert sorted(one.strip() for one in ours) == sorted(one.strip() for one in theirs)

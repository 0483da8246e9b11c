"""Large files pass bit by bit: what a checkpoint or an apply takes of memory does not grow."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import repos

from engine.domain.model import Workspace, WorkspaceKind, WorkspaceSpec
from engine.workspaces.apply import file_transaction, three_way
from engine.workspaces.apply.apply import ApplyMode, ApplyRequest, apply, check
from engine.workspaces.apply.restore import restore
from engine.workspaces.checkpoints import scan
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create import create
from engine.workspaces.git import contents, objects

SIZE = 96 * 1024**2
SPARSE = 8 * 1024**2
ROOM_KB = 48 * 1024
"""How much more memory all steps together may take than none: half a file."""

PROGRAM = """
import asyncio, json, resource, sys
from pathlib import Path
sys.path[:0] = [{root!r}, {tests!r}]
import test_large_files
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
asyncio.run(test_large_files.everything(Path(sys.argv[1]), Path(sys.argv[2])))
who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
print(json.dumps([before, *(resource.getrusage(one).ru_maxrss for one in who)]))
"""


def large(path: Path, turn: int) -> None:
    """Write a file that is quickly made, and hard to hold twice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    block = hashlib.shake_128(b"%d" % turn).digest(8192) * 128
    with path.open("wb") as file:
        for number in range(SIZE // len(block)):
            file.write(b"%16d" % number + block[16:])


async def everything(source: Path, home: Path) -> None:
    """Take a large file through every step there is."""
    spec = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    root = home / "workspaces" / "p" / "r1"
    made = await asyncio.to_thread(create.make, spec, root, home, lambda: False)
    run = await Checkpoints.make(home / "runs" / "r1" / "c.git", made.workspace)
    await run.record("baseline")
    large(root / "new" / "large", 1)
    await run.record("one")
    await run.changes()
    with (home / "patch").open("wb") as file:
        await run.write_diff(file)
        await run.write_patch(file)
    await apply(run, ApplyRequest(source, ApplyMode.EDITS, made.workspace.branch), home)
    await apply(run, ApplyRequest(source, ApplyMode.COMMIT, made.workspace.branch, "words"), home)
    await apply(run, ApplyRequest(source, ApplyMode.MERGE, made.workspace.branch, "words"), home)
    large(root / "new" / "large", 2)
    with (home / "patch").open("wb") as file:
        await run.write_patch(file)
    await check(run, ApplyRequest(source, ApplyMode.EDITS, made.workspace.branch), home)
    await restore(run, 0)
    await restore(run, 1)
    await run.pack()


def digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha1").digest()


def test_memory_does_not_grow_with_the_files(tmp_path: Path, home: Path) -> None:
    source = repos.repository(tmp_path / "s")
    here = Path(__file__).parent
    program = PROGRAM.format(root=str(here.parents[1]), tests=str(here))
    done = subprocess.run(
        [sys.executable, "-c", program, source, home],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(here.parent)},
    )
    assert done.returncode == 0, done.stderr.decode()
    before, own, gits = json.loads(done.stdout)
    assert own - before < ROOM_KB
    assert gits < 1.5 * SIZE / 1024  # packs that it maps count as well
    name = "new/large"
    assert digest(source / name) == digest(home / "workspaces" / "p" / "r1" / name)
    assert repos.git(source, "fsck", "--strict", "--no-dangling") == ""


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a file of 1,000 bytes be a large one."""
    for module in (contents, objects, three_way):
        monkeypatch.setattr(module, "IN_MEMORY_BYTES", 1000)


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("how", [ApplyMode.EDITS, ApplyMode.MERGE])
async def test_large_files_are_applied_like_small_ones(
    tmp_path: Path, home: Path, how: ApplyMode
) -> None:
    text = b"".join(b"line %d\r\n" % n for n in range(400))
    source = repos.repository(
        tmp_path / "s",
        {".gitattributes": "*.txt text\n", "same.txt": b"x\n" * 900, "gone": b"g" * 2000},
    )
    spec = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    root = home / "workspaces" / "p" / "r1"
    made = await asyncio.to_thread(create.make, spec, root, home, lambda: False)
    run = await Checkpoints.make(home / "runs" / "r1" / "c.git", made.workspace)
    await run.record("baseline")
    repos.write(root, {"text.txt": text, "exec": b"#!" * 2000, "small": b"s"})
    (root / "exec").chmod(0o755)
    (root / "gone").unlink()
    (root / "link").symlink_to("exec")
    await apply(run, ApplyRequest(source, how, made.workspace.branch, "words"), home)
    assert (source / "exec").read_bytes() == b"#!" * 2000
    assert os.access(source / "exec", os.X_OK)
    assert (source / "link").readlink() == Path("exec")
    assert not (source / "gone").exists()
    if how is ApplyMode.MERGE:
        assert repos.git(source, "show", "HEAD:text.txt") + "\n" == text.decode().replace("\r", "")
        assert repos.git(source, "status", "--porcelain") == ""
    assert list((home / "runs" / "r1" / "c.git").glob("contents-*")) == []


@pytest.mark.usefixtures("small_limit")
async def test_large_files_that_changed_on_both_sides_conflict(tmp_path: Path, home: Path) -> None:
    source = repos.repository(tmp_path / "s", {"a": b"a\n" * 900, "b": "b\n"})
    spec = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    root = home / "workspaces" / "p" / "r1"
    made = await asyncio.to_thread(create.make, spec, root, home, lambda: False)
    run = await Checkpoints.make(home / "runs" / "r1" / "c.git", made.workspace)
    await run.record("baseline")
    repos.write(root, {"a": b"a\n" * 900 + b"run\n"})
    repos.write(source, {"a": b"here\n" + b"a\n" * 900})
    repos.commit(source, "here")
    told = await check(run, ApplyRequest(source, ApplyMode.EDITS), home)
    assert [clash.path for clash in told.clashes] == ["a"]


def used(path: Path) -> int:
    """Return what the files below a folder take on the disk, in bytes."""
    return sum(one.lstat().st_blocks for one in path.rglob("*")) * 512


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("how", [ApplyMode.EDITS, ApplyMode.MERGE])
async def test_holes_take_no_room_and_stay_holes(
    tmp_path: Path, home: Path, how: ApplyMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = repos.repository(tmp_path / "s")
    spec = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    root = home / "workspaces" / "p" / "r1"
    made = await asyncio.to_thread(create.make, spec, root, home, lambda: False)
    run = await Checkpoints.make(home / "runs" / "r1" / "c.git", made.workspace)
    await run.record("baseline")
    for number in range(3):
        with (root / f"sparse{number}").open("wb") as file:
            file.write(b"%d" % number)
            file.truncate(SPARSE)
    at_once: list[int] = []
    place = file_transaction.FileTransaction.place
    monkeypatch.setattr(
        file_transaction.FileTransaction,
        "place",
        lambda *one: (at_once.append(used(tmp_path)), place(*one)),
    )
    await apply(run, ApplyRequest(source, how, made.workspace.branch, "words"), home)
    assert (source / "sparse2").stat().st_size == SPARSE
    assert (source / "sparse2").read_bytes()[:2] == b"2\0"
    assert at_once
    assert at_once[0] < SPARSE


async def test_files_with_too_many_holes_are_named(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "IN_MEMORY_BYTES", 100_000)
    monkeypatch.setattr(scan, "HOLES_BYTES", 2 * SPARSE)
    root = tmp_path / "ws"
    repos.write(root, {"a": "a\n"})
    run = await Checkpoints.make(home / "c.git", Workspace(str(root), WorkspaceKind.EMPTY))
    await run.record("baseline")
    for number in range(4):
        (root / f"sparse{number}").touch()
        os.truncate(root / f"sparse{number}", SPARSE)
    (root / "real").write_bytes(bytes(range(250)) * 1000)
    taken = await run.record("one")
    assert taken.left_out == ("sparse2", "sparse3")
    assert [file.path for file in (await run.changes(0, 1)).files] == ["real", "sparse0", "sparse1"]

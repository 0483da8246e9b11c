"""Real mounts inside a workspace, in a namespace of their own: nothing behind one is touched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, subprocess, sys
from pathlib import Path

top, kind = Path(sys.argv[1]), sys.argv[2]
tree, other = top / "tree", top / "other"
place = tree / "in" / "mount"
place.mkdir(parents=True)
other.mkdir()
(other / "precious").write_text("mine" * 5000)
(tree / "in" / "junk").write_text("x")
source = ["-t", "tmpfs", "none"] if kind == "tmpfs" else ["--bind", str(other)]
subprocess.run(["mount", *source, str(place)], check=True)
(place / "precious").write_text("mine" * 5000)

from engine.disk.scan.scanner import FolderScanner
from engine.workspaces.files.removal import remove
from engine.workspaces.create.worktree import clear


async def measured():
    async with FolderScanner() as scanner:
        return [told async for told in scanner.measure(tree)][-1].figures.apparent


apparent = asyncio.run(measured())
done = remove(tree)
print(done.left, (place / "precious").exists(), kind == "bind" or apparent < 20000)
try:
    clear(tree)
    print("cleared")
except OSError as error:
    print("refused")
print((place / "precious").exists())

from engine.domain.errors import UserError
from engine.domain.model import Run, RunSpec, Workspace, WorkspaceKind
from engine.config.paths import Paths
from engine.disk.trash import Trash

paths = Paths(home=top, config=top / "config.yaml")
paths.workspaces.mkdir()
(paths.workspaces / "p").mkdir()
moved = tree.rename(paths.workspaces / "p" / "r1")
place = moved / "in" / "mount"
run = Run("r1", RunSpec("do it", "Do it", "p"), 0.0)
run.workspace = Workspace(str(moved), WorkspaceKind.EMPTY)
try:
    asyncio.run(Trash(paths).put(run))
except UserError as error:
    print(error.code, moved.exists())
subprocess.run(["umount", str(place)], check=True)
print(remove(moved).left, (other / "precious").exists())
"""


def can_mount() -> bool:
    """Return whether this system lets us mount in a namespace of our own."""
    try:
        script = "mount -t tmpfs none /mnt"
        command = ["unshare", "-m", "sh", "-c", script]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not can_mount(), reason="needs leave to mount in a namespace of its own")
@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
def test_what_is_mounted_in_a_workspace_is_left_alone(tmp_path: Path, kind: str) -> None:
    command = ["unshare", "-m", sys.executable, "-c", PROGRAM, str(tmp_path), kind]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.stdout.splitlines() == [
        "['tree: mount is mounted in it'] True True",
        "refused",
        "True",
        "WORKSPACE_BUSY True",
        "[] True",
    ], done.stderr


FULL = """
import asyncio, os, subprocess, sys
from pathlib import Path

from engine.domain.errors import UserError
from engine.domain.model import Run, RunSpec, Workspace, WorkspaceKind
from engine.config.paths import Paths
from engine.disk.trash import Trash

top, kind = Path(sys.argv[1]), sys.argv[2]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(top)], check=True)
paths = Paths(home=top, config=top / "config.yaml")
folder = paths.workspaces / "p" / "r1"
folder.mkdir(parents=True)
(folder / "work.txt").write_text("work")
run = Run("r1", RunSpec("do it", "Do it", "p"), 0.0)
run.workspace = Workspace(str(folder), WorkspaceKind.EMPTY)
trash = Trash(paths)


async def put():
    async with trash.alone():
        return await trash.put(run)


async def restored(entry):
    async with trash.alone():
        await trash.restore(entry)


(top / "locks").mkdir()
(top / "locks" / "trash.lock").touch(0o600)
if kind == "full":
    with (top / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
else:
    subprocess.run(["mount", "-o", "remount,ro", str(top)], check=True)
try:
    print(asyncio.run(put()).run)
except UserError as error:
    print(error.code)
print((folder / "work.txt").read_text(), trash.list())
if kind == "full":
    (top / "filler").unlink()
else:
    subprocess.run(["mount", "-o", "remount,rw", str(top)], check=True)
asyncio.run(trash.repair())
asyncio.run(restored(asyncio.run(put())))
print((folder / "work.txt").read_text(), os.listdir(paths.trash))
"""


@pytest.mark.skipif(not can_mount(), reason="needs leave to mount in a namespace of its own")
@pytest.mark.parametrize(("kind", "code"), [("full", "DISK_FULL"), ("read-only", "DISK_READ_ONLY")])
def test_a_disk_that_is_full_or_read_only_costs_nothing(
    tmp_path: Path, kind: str, code: str
) -> None:
    command = ["unshare", "-m", sys.executable, "-c", FULL, str(tmp_path), kind]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.stdout.splitlines() == [code, "work []", "work []"], done.stderr

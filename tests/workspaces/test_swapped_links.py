"""Folders and files that turn into links while changes are applied and workspaces restored."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import repos
from support import settled, spec, supervising

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.engine import ApplyMode

ROUNDS = 2
SECRET = "outside of everything"


def _swap(top: Path, outside: Path) -> None:
    """Put links to `outside` in the place of a folder and of a file, and both back."""
    with suppress(OSError):
        (top / "d").rename(top / "aside")
        (top / "d").symlink_to(outside)
    with suppress(OSError):
        (top / "link").symlink_to(outside / "f.txt")
        (top / "link").rename(top / "x")
        (top / "link").write_text("y\n")
        (top / "link").rename(top / "x")
    with suppress(OSError):
        if (top / "d").is_symlink():
            (top / "d").unlink()
    with suppress(OSError):
        (top / "aside").rename(top / "d")


@contextmanager
def swapping(outside: Path, *tops: Path) -> Generator[None]:
    """Swap in these folders until this is left."""
    done = threading.Event()

    def swap(top: Path) -> None:
        while not done.is_set():
            _swap(top, outside)

    threads = [threading.Thread(target=swap, args=(top,)) for top in tops]
    for one in threads:
        one.start()
    try:
        yield
    finally:
        done.set()
        for one in threads:
            one.join()


async def test_nothing_outside_is_read_or_written(paths: Paths, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("f.txt", "g.txt", "own"):
        (outside / name).write_text(SECRET)
    before = repos.files(outside)
    source = repos.repository(tmp_path / "source", {"d/f.txt": "1\n", "d/g.txt": "2\n", "x": "x\n"})
    async with supervising(paths) as engine:
        wish = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
        run = await engine.start(spec("write d/f.txt two", "write d/new.txt n", workspace=wish))
        await settled(engine)
        run = await engine.find(run.id)
        assert run.workspace
        root = Path(run.workspace.path)
        workspaces = engine.workspaces
        with swapping(outside, root, source):
            for _ in range(ROUNDS):
                for how in (ApplyMode.EDITS, ApplyMode.MERGE, ApplyMode.COMMIT):
                    with suppress(UserError):
                        await workspaces.apply(run.id, how)
                for number in (0, 1):
                    with suppress(UserError):
                        await workspaces.restore(run.id, number)
                with suppress(UserError):
                    diff = await repos.written(lambda file: workspaces.write_diff(run.id, file))
                    assert SECRET.encode() not in diff
                assert repos.files(outside) == before
    blob = repos.git(source, "hash-object", str(outside / "own"))
    stores = [one.parent for one in paths.home.rglob("HEAD") if (one.parent / "objects").is_dir()]
    assert stores
    for store in (source / ".git", *stores):
        assert repos.git(source, "--git-dir", str(store), "cat-file", "-t", blob, ok=False) == ""

"""Workspaces made and measured, against git itself."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.row import Bench, Round, Row, alternating

EACH = 50
_MEMORY = Path("/dev/shm")


@contextmanager
def _worktree(bench: Bench) -> Iterator[Round]:
    with _in_memory(bench) as scratch:
        source = _repository(scratch / "source", bench.size(5000, 2000))
        yield alternating(lambda: _ours(source, scratch), lambda: _git(source, scratch))


@contextmanager
def _changes(bench: Bench) -> Iterator[Round]:
    from engine.domain.model import Workspace, WorkspaceKind
    from engine.workspaces.checkpoints.checkpoints import Checkpoints

    with _in_memory(bench) as scratch, asyncio.Runner() as runner:
        source = _repository(scratch / "source", bench.size(5000, 2000))
        workspace = Workspace(str(source), WorkspaceKind.IN_PLACE, str(source))
        checkpoints = runner.run(Checkpoints.make(scratch / "checkpoints.git", workspace))
        runner.run(checkpoints.record("workspace ready"))
        turn = 0

        def edited() -> None:
            nonlocal turn
            turn += 1
            for n in range(20):
                path = source / f"part-{n}" / f"file-{n}.py"
                path.write_text(f"{path.read_text()}# edit {turn}\n")

        def ours() -> float:
            edited()
            began = time.perf_counter()
            changes = runner.run(checkpoints.changes())
            took = time.perf_counter() - began
            assert changes.total.files == 20
            return took

        def yardstick() -> float:
            edited()
            began = time.perf_counter()
            _run(source, "status", "--porcelain")
            _run(source, "diff", "--shortstat")
            return time.perf_counter() - began

        yield alternating(ours, yardstick)


@contextmanager
def _in_memory(bench: Bench) -> Iterator[Path]:
    """Yield a folder on a file system in memory, where there is one: the disk does not count."""
    if not _MEMORY.is_dir():
        yield bench.folder()
        return
    scratch = Path(tempfile.mkdtemp(prefix="bench-", dir=_MEMORY))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _repository(top: Path, files: int) -> Path:
    for n in range(files):
        path = top / f"part-{n // EACH}" / f"file-{n // EACH if n % EACH == 0 else n}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"def part_{n}():\n    return {n}\n" * 20)
    _run(top, "init", "-q", "-b", "main")
    _run(top, "add", "-A")
    _run(top, "-c", "user.name=b", "-c", "user.email=b@b", "commit", "-qm", "all")
    return top


def _run(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def _ours(source: Path, scratch: Path) -> float:
    """Return how long until the workspace of a run is ready; it is removed again afterwards."""
    from engine.domain.model import WorkspaceKind, WorkspaceSpec
    from engine.workspaces.create import create

    home = scratch / "home"
    target = home / "workspaces" / "bench" / f"run-{time.monotonic_ns()}"
    began = time.perf_counter()
    create.make(WorkspaceSpec(WorkspaceKind.WORKTREE, str(source)), target, home, lambda: False)
    took = time.perf_counter() - began
    _run(source, "worktree", "remove", "--force", str(target))
    return took


def _git(source: Path, scratch: Path) -> float:
    target = scratch / "plain"
    began = time.perf_counter()
    subprocess.run(
        ["git", "worktree", "add", "-q", "-b", f"plain-{time.monotonic_ns()}", str(target)],
        cwd=source,
        check=True,
    )
    took = time.perf_counter() - began
    _run(source, "worktree", "remove", "--force", str(target))
    return took


ROWS = [
    Row(
        name="workspace.worktree",
        what="worktree ready, repository of 5,000 files, in memory",
        quick_what="worktree ready, repository of 2,000 files, in memory",
        yardstick="`git worktree add` alone",
        target=1.3,
        aim=0.4,
        rounds=_worktree,
        note=(
            "all but a tenth is git writing files. Finished worktrees are not kept and reused, "
            "which the aim of 0.4 would take: ignored "
            "files, submodules and what hooks left would have to be told apart from what a run may "
            "see, and a workspace that looks clean and is not is worse than a slower one."
        ),
    ),
    Row(
        name="workspace.changes",
        what="change summary of that workspace after 20 edits",
        yardstick="`git status --porcelain` + `git diff --shortstat`",
        target=2,
        aim=1.2,
        rounds=_changes,
        note=(
            "two gits are left, and looking at each file, which costs Python 3.6 µs, 2.5 of them "
            "in `os.stat`, and git 2. A git index kept beside the store would not do: git compares "
            "whole seconds, or opens files, which an agent may have swapped for links or pipes."
        ),
    ),
]

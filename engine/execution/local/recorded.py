"""Attempts as their folders show them, for a database that was lost. Blocking."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from engine.config import workspace_roots
from engine.config.paths import Paths
from engine.domain.model import Workspace, WorkspaceKind
from engine.execution.executor import OutputChunk, RecordedAttempt
from engine.execution.local.process_marks import mark, marked
from engine.system.files import LineReader, read_regular

PREFIX = "attempt-"


def attempts(paths: Paths, run: str) -> list[RecordedAttempt]:
    """Return the attempts of a run that have a folder."""
    return [_attempt(paths, run, number) for number in sorted(_numbers(paths.run(run)))]


def output(paths: Paths, run: str, attempt: int, offset: int) -> OutputChunk:
    """Return the next lines of an agent's spool file from `offset` on."""
    spool = LineReader(paths.attempt(run, attempt).stdout, offset)
    try:
        lines = spool.lines()
        while not lines and spool.behind:  # a line longer than one piece
            lines = spool.lines()
        at = spool.offset
        return OutputChunk(at, lines, rest=b"" if lines else spool.rest())
    finally:
        spool.close()


def workspace_of(run: str, paths: Paths) -> Workspace | None:
    """Return the workspace that carries the id of a run."""
    found = (root.glob(f"*/{run}*") for root in workspace_roots.known(paths.home))
    for path in chain.from_iterable(found):
        if path.is_dir():
            kind = WorkspaceKind.WORKTREE if (path / ".git").is_file() else WorkspaceKind.COPY
            branch = _branch(path) if kind is WorkspaceKind.WORKTREE else None
            return Workspace(str(path), kind, branch=branch)
    return None


def _attempt(paths: Paths, run: str, number: int) -> RecordedAttempt:
    folder = paths.attempt(run, number)
    code = _bytes(folder.exit).decode("ascii", "replace").strip()
    is_code = code.isascii() and code.isdigit()
    return RecordedAttempt(
        number,
        _bytes(folder.prompt),
        _made_at(folder.path),
        _made_at(folder.exit),
        int(code) if is_code else None,
        bool(marked(mark(folder))),
    )


def _numbers(folder: Path) -> Iterable[int]:
    for path in folder.glob(f"{PREFIX}*"):
        number = path.name.removeprefix(PREFIX)
        if number.isascii() and number.isdigit() and path.is_dir():
            yield int(number)


def _branch(workspace: Path) -> str | None:
    """Return the branch that a worktree has checked out, from its git directory."""
    named = _text(workspace / ".git").removeprefix("gitdir:").strip()
    head = _text(workspace / named / "HEAD").strip() if named else ""
    branch = head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else ""
    # Every pattern of the settings has the id of the run, which is the name of the folder.
    return branch if workspace.name in branch and branch.isprintable() else None


def _text(path: Path) -> str:
    return _bytes(path).decode("utf-8", "replace")


def _bytes(path: Path) -> bytes:
    try:
        return read_regular(path)
    except OSError:
        return b""


def _made_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0

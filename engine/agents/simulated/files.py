"""The directives that really change files, inside the working directory only."""
# Not pathlib: importing it would take a fifth of the time to start.
# ruff: noqa: PTH103, PTH110, PTH116, PTH118, PTH119, PTH120, PTH206

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from .script import ScriptStep
from .turn import Turn

_FLAGS = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)


def write(turn: Turn, step: ScriptStep) -> None:
    """Add a file, or replace its content."""
    _change(turn, step, _writer(step, os.O_TRUNC))


def append(turn: Turn, step: ScriptStep) -> None:
    """Add a line to a file's end."""
    _change(turn, step, _writer(step, os.O_APPEND))


def delete(turn: Turn, step: ScriptStep) -> None:
    """Delete a file."""
    _change(turn, step, os.unlink, deletes=True)


def add_line(turn: Turn, path: str, text: str) -> None:
    """Add a line to a file without a word; one that may not be written stays as it is."""
    step = ScriptStep("append", text, [path], {})
    whole = os.path.join(turn.options.cwd, os.path.normpath(path))
    try:
        _writer(step, os.O_APPEND)(_resolve(turn, whole, deletes=False))
    except (OSError, ValueError):
        return


def _writer(step: ScriptStep, how: int) -> Callable[[str], None]:
    def put(path: str) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
            raise OSError("not a regular file")  # opening a pipe would wait for a reader
        descriptor = os.open(path, _FLAGS | how, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(step.text.encode("utf-8", "replace") + b"\n")

    return put


def _change(
    turn: Turn, step: ScriptStep, act: Callable[[str], None], *, deletes: bool = False
) -> None:
    path = os.path.join(turn.options.cwd, os.path.normpath(step.words[0]))
    kind = "delete" if deletes else "update" if os.path.lexists(path) else "add"
    changes = [{"path": path, "kind": kind}]
    item_id = turn.new_id()
    turn.item("started", item_id, "file_change", changes=changes, status="in_progress")
    status = "completed"
    try:
        act(_resolve(turn, path, deletes=deletes))
    except (OSError, ValueError):
        status = "failed"
    turn.item("completed", item_id, "file_change", changes=changes, status=status)
    turn.count_request(len(step.text))


def _resolve(turn: Turn, path: str, *, deletes: bool) -> str:
    """Find the file that is meant, links followed; raises PermissionError where it may not be."""
    if not turn.options.may_write:
        raise PermissionError("the sandbox is read-only")
    root = os.path.realpath(turn.options.cwd)
    folder = os.path.realpath(os.path.dirname(path))
    # A link itself may be deleted, wherever it leads; writing goes to where it leads.
    real = os.path.join(folder, os.path.basename(path)) if deletes else os.path.realpath(path)
    inside = os.path.relpath(real, root).split(os.sep)
    if inside[0] in (os.pardir, os.curdir) or ".git" in inside:
        raise PermissionError("outside of the workspace")
    return real


PLAYS: dict[str, Callable[[Turn, ScriptStep], None]] = {
    "write": write,
    "append": append,
    "delete": delete,
}

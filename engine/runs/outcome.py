"""What an attempt's end means for the run."""

from __future__ import annotations

import os
from pathlib import Path

from engine.codex import failures
from engine.codex.translate import Cursor
from engine.domain.errors import UserError, user_error
from engine.domain.events import Body, ErrorRaised, Progressed, StatusChanged
from engine.domain.model import Stage, Status
from engine.runs.process import Ending

STDERR_TAIL_BYTES = 16_384


def failure(ending: Ending, cursor: Cursor, stderr: Path) -> UserError | None:
    """Give why the attempt failed, or None: exit code 0 and a completed turn, nothing less."""
    if ending.exit_code == 0 and cursor.turn == "completed":
        return None
    if cursor.turn == "failed":
        return failures.from_turn(cursor.failure)
    if ending.exit_code is None:
        return user_error("RUN_INTERRUPTED")
    return failures.from_exit(ending.exit_code, _tail(stderr), cursor.last_error)


def bodies(error: UserError | None, exit_code: int | None, elapsed_s: float) -> list[Body]:
    """Give the last events of an attempt that nobody cancelled."""
    if error is None:
        return [
            Progressed(Stage.COMPLETE, "complete", 100, elapsed_s=round(elapsed_s, 3)),
            StatusChanged(Status.SUCCEEDED, exit_code=exit_code),
        ]
    vanished = error.code == "RUN_INTERRUPTED"
    status = Status.INTERRUPTED if vanished else Status.FAILED
    return [ErrorRaised(error.info), StatusChanged(status, reason=error.code, exit_code=exit_code)]


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - STDERR_TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""

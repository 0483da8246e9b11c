"""Output of attempts as their processes wrote it: agent, set-up and check."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.domain.errors import UserError, user_error

if TYPE_CHECKING:
    from engine.domain.model import Run
    from engine.ports.engine import EnginePort

PIECE_BYTES = 1 << 20
NOTHING = {"setup": "There was no set-up", "verify": "There was no check"}


def attempts(run: Run, kind: str) -> Iterable[int]:
    """Return the attempts to look at, the last one first: not each has its own set-up and check."""
    return range(run.attempt, 0 if kind in NOTHING else run.attempt - 1, -1)


async def read_piece(
    engine: EnginePort, run_id: str, attempt: int, kind: str, start: int
) -> bytes | None:
    """Return the next bytes of `raw`, `stderr`, `setup`, `verify` or `message` of an attempt.

    None: there is no such file. Raises OSError.
    """
    from engine.engine import AttemptFile, AttemptPart, AttemptRef

    part = {"setup": AttemptPart.SETUP, "verify": AttemptPart.VERIFY}.get(kind, AttemptPart.AGENT)
    files = {"stderr": AttemptFile.STDERR, "message": AttemptFile.LAST_MESSAGE}
    file = files.get(kind, AttemptFile.OUTPUT)
    return await engine.read_attempt(AttemptRef(run_id, attempt, part), file, start, PIECE_BYTES)


def nothing_written(kind: str) -> UserError:
    """Return the error that there is no output of a kind yet."""
    missing = NOTHING.get(kind, "This attempt has written nothing")
    return user_error(
        "RUN_NOT_FOUND", f"{missing} yet.", "Wait until it has begun, or use --follow."
    )

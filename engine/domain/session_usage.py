"""Usage of threads that were started elsewhere, as it is read from their session files."""

from __future__ import annotations

from engine.domain.model import LimitWindow
from engine.domain.record import record
from engine.domain.usage import SessionProgress

SlotUsage = tuple[int, str, int, int, int, int, int]
"""A slot of time, a model, and the input, cached, output, reasoning and requests in it."""


@record
class ReadThread:
    """A thread with its usage that is new; the keys are of all its requests so far."""

    thread: str
    root: str
    account: str
    project: str
    revision: int
    """The stored version that it was read with; 0: there was none."""
    keys: bytes = b""
    slots: tuple[SlotUsage, ...] = ()


@record
class ReadFile:
    """A session file, and the place in it up to which it was read."""

    folder: bytes
    name: bytes
    size: int
    mtime_ns: int
    offset: int
    check: bytes
    """A hash of what it begins with and of what lies before the offset."""
    thread: str
    state: bytes


@record
class ReadFolder:
    """A folder whose files were all read; `newest` is when one of them was last written."""

    folder: bytes
    mtime_ns: int
    newest: float


@record
class ReadLimits:
    """Rate limits of an account that a session file reports; a run reports them itself."""

    account: str
    thread: str
    root: str
    at: float
    windows: tuple[LimitWindow, ...]


@record
class ReadBatch:
    """Results of reading, stored together or not at all."""

    threads: tuple[ReadThread, ...] = ()
    files: tuple[ReadFile, ...] = ()
    gone: tuple[tuple[bytes, bytes], ...] = ()
    """Folders and names of files that are there no longer."""
    folders: tuple[ReadFolder, ...] = ()
    limits: tuple[ReadLimits, ...] = ()
    progress: SessionProgress = SessionProgress()
    is_last: bool = False
    protocol: int = 0

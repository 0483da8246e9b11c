"""The port to the session files of an agent: the usage of threads that were started elsewhere.

A module of the agent implements `SessionSource`. A process of its own imports it by the name that
`AgentPort.session_source` returns, so it imports little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple, Protocol

from engine.domain.model import LimitWindow
from engine.domain.numeric import bounded_count
from engine.domain.usage import slot_of
from engine.system.files import LineReader

KEY_BYTES = 6
MAX_KEYS = 40_000
"""Two for each request of a thread; beyond it, the oldest are forgotten."""


class RequestUsage(NamedTuple):
    """The tokens of some requests to a model; `cached` is part of the input."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0
    requests: int = 1


class ThreadUsage:
    """The usage of one thread that is new, and the keys of all its requests that were counted.

    All files of a thread share it: a request that two of them hold counts once.
    """

    def __init__(self, thread: str, revision: int = 0, keys: bytes = b"") -> None:
        self.thread = thread
        self.root = ""
        """The thread that started it all, where this is a sub-agent's."""
        self.project = ""
        self.revision = revision
        """The number of its stored version; 0: it is not stored yet."""
        self.slots: dict[tuple[int, str], RequestUsage] = {}
        self._keys = dict.fromkeys(
            keys[at : at + KEY_BYTES] for at in range(0, len(keys), KEY_BYTES)
        )

    def has(self, key: bytes) -> bool:
        """Return whether the request was counted."""
        return _short(key) in self._keys

    def note(self, key: bytes) -> bool:
        """Take note that this is counted; False where it was."""
        short = _short(key)
        is_new = short not in self._keys
        self._keys[short] = None
        return is_new

    def count(self, key: bytes, at: float, model: str, used: RequestUsage) -> None:
        """Count a request of a moment; not for the second time."""
        if not self.note(key):
            return
        place = (slot_of(at), model)
        known = self.slots.get(place, RequestUsage(requests=0))
        sums = (bounded_count(a + b) for a, b in zip(known, used, strict=True))
        self.slots[place] = RequestUsage(*sums)

    def keys(self) -> bytes:
        """Return the keys of the requests, the newest `MAX_KEYS`."""
        return b"".join(list(self._keys)[-MAX_KEYS:])


def _short(key: bytes) -> bytes:
    return blake2b(key, digest_size=KEY_BYTES).digest()


class SessionCounter(Protocol):
    """Counter of the usage in one session file, which goes on from a state."""

    thread: ThreadUsage | None
    """The thread of the file; None: nothing of it was read yet."""
    limits: tuple[float, tuple[LimitWindow, ...]] | None
    """The last rate limits that it reports, and when they were reported."""

    def read(self, lines: Sequence[bytes]) -> None:
        """Count the usage of further lines, each without its newline."""
        ...

    def state(self) -> bytes:
        """Return the state from which another counter of the file can go on."""
        ...


class SessionSource(Protocol):
    """Functions of a module that reads the session files of an agent. All of them block."""

    def folders(self, home: Path) -> Iterator[tuple[Path, OSError | None]]:
        """Yield the folders that hold session files, the newest first, with what kept one closed.

        Follows no link out of the home.
        """
        ...

    def is_session(self, name: str) -> bool:
        """Return whether a file of this name is a session."""
        ...

    def is_whole(self, name: str) -> bool:
        """Return whether a file of this name is only read as a whole: it does not grow."""
        ...

    def open_lines(self, path: Path, offset: int) -> LineReader:
        """Return a reader of the file's lines."""
        ...

    def counter(
        self, path: Path, state: bytes, threads: Callable[[str], ThreadUsage], now: float
    ) -> SessionCounter:
        """Return a counter that goes on from a state; `threads` returns the thread of an id."""
        ...

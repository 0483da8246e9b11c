"""Session files in a Codex home, whichever program started them: see `SessionSource`.

    sessions/YYYY/MM/DD/rollout-TIME-THREAD.jsonl, archived_sessions/rollout-….jsonl[.zst]

Earlier versions put them directly into `sessions`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from engine.agents.codex.compressed_rollout import SUFFIX, CompressedLineReader
from engine.agents.codex.rollout import ARCHIVE
from engine.agents.codex.session_usage import RolloutCounter
from engine.agents.session_source import SessionCounter, ThreadUsage
from engine.system.files import LineReader

SESSIONS = "sessions"
LEVELS = 3
"""Year, month and day."""


def folders(home: Path) -> Iterator[tuple[Path, OSError | None]]:
    """Yield the folders that hold session files, the newest first, with what kept one closed.

    Follows no link out of the home.
    """
    for name, levels in ((SESSIONS, LEVELS), (ARCHIVE, 0)):
        top = home / name
        try:
            is_folder = stat.S_ISDIR(top.lstat().st_mode)
        except FileNotFoundError:
            continue
        except OSError as error:
            yield top, error
            continue
        if is_folder:
            yield from _below(top, levels)


def _below(folder: Path, levels: int) -> Iterator[tuple[Path, OSError | None]]:
    names: list[str] = []
    if levels:
        try:
            with os.scandir(folder) as entries:
                names = [it.name for it in entries if it.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return
        except OSError as error:
            yield folder, error
            return
    for name in sorted(names, reverse=True):
        yield from _below(folder / name, levels - 1)
    yield folder, None


def is_session(name: str) -> bool:
    """Return whether a file of this name is a rollout."""
    return name.startswith("rollout-") and name.endswith((".jsonl", f".jsonl{SUFFIX}"))


def is_whole(name: str) -> bool:
    """Return whether a file of this name is compressed, and so is only read as a whole."""
    return name.endswith(SUFFIX)


def open_lines(path: Path, offset: int) -> LineReader:
    """Return a reader of the file's lines."""
    return CompressedLineReader(path, 0) if is_whole(path.name) else LineReader(path, offset)


def counter(
    path: Path, state: bytes, threads: Callable[[str], ThreadUsage], now: float
) -> SessionCounter:
    """Return a counter that goes on from a state."""
    return RolloutCounter(path, state, threads, now)

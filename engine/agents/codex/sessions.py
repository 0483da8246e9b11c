"""Codex's session files of the runs here: whose each is, and whether it is of use any more.

Codex keeps a thread as `sessions/<year>/<month>/<day>/rollout-<time>-<thread>.jsonl` in its home,
which is the user's: only what is certain to be ours is ever named, and nothing else is touched.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import msgspec

from engine.agents.base import SessionFile, SessionScope
from engine.agents.codex.compressed_rollout import SUFFIX, first_line
from engine.agents.codex.rollout import ARCHIVE
from engine.domain.folder_size import FolderSize
from engine.domain.lifecycle import FINISHED
from engine.domain.session_owner import SessionOwner
from engine.domain.usage import DEFAULT_ACCOUNT
from engine.system.decoding import json_decoder
from engine.system.files import real_path

HEAD_BYTES = 1024**2
HEADS = 10_000
"""Number of first lines of compressed sessions that are kept: to read one, a program is started."""
THREAD_CHARACTERS = 36
BY_HAND_S = 60.0
"""Time after a run's end; all that is written later is by the user, with Codex itself."""
BLOCK_BYTES = 512


class _Payload(msgspec.Struct):
    cwd: str = ""
    session_id: str = ""
    """The thread that began it all, where this is a sub-agent's."""
    parent_thread_id: str = ""


class _Head(msgspec.Struct):
    payload: _Payload


_decode = json_decoder(_Head)


class SessionFiles:
    """Sessions in the Codex homes of all accounts with their runs."""

    def __init__(self, scope: SessionScope, home: Path, homes: Mapping[str, Path]) -> None:
        self._homes = {"": real_path(home)} | {name: real_path(at) for name, at in homes.items()}
        self._own_root = scope.paths.workspaces
        self._roots = scope.roots
        self._in_trash = scope.in_trash
        self._needed = scope.needed
        self._by_id = {run.id: run for run in scope.runs}
        self._by_thread: dict[str, SessionOwner] = {}
        self._by_path: dict[str, SessionOwner] = {}
        for run in scope.runs:
            if run.thread_id:
                self._by_thread[run.thread_id] = run
            if run.path and not run.is_in_place:
                self._by_path[run.path] = run

    def find(self) -> Iterator[SessionFile]:
        """Yield the sessions in the home that are of runs here. Blocking; follows no link."""
        for home in dict.fromkeys(self._homes.values()):
            for path in _rollouts(home):
                if found := self.one(path):
                    yield found

    def one(self, path: Path) -> SessionFile | None:
        """Return one session file with its run; None where it is not of a run here. Blocking."""
        if not any(real_path(path).is_relative_to(home) for home in self._homes.values()):
            return None
        thread = path.name.removesuffix(SUFFIX).removesuffix(".jsonl")[-THREAD_CHARACTERS:]
        run, folder = self._by_thread.get(thread), None
        head = _head(path) if run is None else None
        if head and (run := self._of_root(head)):
            thread = run.thread_id or thread  # a sub-agent's: it goes and stays with the run's
        elif run is None:
            folder = Path(head.cwd) if head else None
            if folder is None or not self._is_ours(folder):
                return None
            run = self._by_path.get(str(folder)) or self._by_id.get(folder.name.partition("-")[0])
            if run is None and folder.parent.parent != self._own_root:
                return None  # the user may work in folders of their own there
        try:
            info = path.lstat()
        except OSError:
            return None
        is_file = stat.S_ISREG(info.st_mode)
        return self._describe(path, run, thread, folder, info) if is_file else None

    def _of_root(self, head: _Payload) -> SessionOwner | None:
        """Return the run whose thread started the sub-agent that a session is of."""
        return self._by_thread.get(head.session_id) or self._by_thread.get(head.parent_thread_id)

    def _describe(
        self,
        path: Path,
        run: SessionOwner | None,
        thread: str,
        folder: Path | None,
        info: os.stat_result,
    ) -> SessionFile:
        gone = ""
        if run and run.thread_id == thread and not self._is_in_newest(run, path):
            gone = f"goes on under the account {run.thread_account or DEFAULT_ACCOUNT}"
        kept = self._kept(run, thread, folder, info.st_mtime, is_copied=bool(gone))
        if run and run.thread_id != thread:
            gone = "of an earlier thread"
        disk = info.st_blocks * BLOCK_BYTES
        figures = FolderSize(disk, info.st_size, 0 if kept else disk, 1, info.st_mtime)
        words = kept or ((gone or "its workspace is gone") if run else "of no run that is known")
        return SessionFile(path, run, figures, words, not kept)

    def _is_in_newest(self, run: SessionOwner, path: Path) -> bool:
        """Return whether a file lies in the home in which the run's thread goes on."""
        home = self._homes.get(run.thread_account, self._homes[""])
        return real_path(path).is_relative_to(home)

    def _kept(
        self,
        run: SessionOwner | None,
        thread: str,
        folder: Path | None,
        touched: float,
        *,
        is_copied: bool,
    ) -> str:
        """Return why a session stays; empty where it may go."""
        if thread in self._needed:  # Codex reads the thread of a fork from both files
            return "a fork needs it"
        if run is None:
            return "its workspace is there" if folder and os.path.lexists(folder) else ""
        if run.status not in FINISHED:
            return f"is {run.status}"
        if touched > (run.finished_at or run.created_at) + BY_HAND_S:
            return "was gone on with by hand"
        if run.thread_id == thread and not is_copied and self._can_come_back(run):
            return "can be resumed"
        return ""

    def _can_come_back(self, run: SessionOwner) -> bool:
        return run.path in self._in_trash or (bool(run.path) and os.path.lexists(run.path))

    def _is_ours(self, folder: Path) -> bool:
        """Return whether a folder is where a workspace is or was."""
        return folder.parent.parent in self._roots and ".." not in folder.parts


def _rollouts(home: Path) -> Iterator[Path]:
    yield from (path for path in _entries(home / ARCHIVE) if path.name.startswith("rollout-"))
    for year in _entries(home / "sessions"):
        for month in _entries(year):
            for day in _entries(month):
                yield from (path for path in _entries(day) if path.name.startswith("rollout-"))


def _entries(folder: Path) -> list[Path]:
    try:
        if folder.is_symlink():
            return []
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if not entry.is_symlink())
    except OSError:
        return []


def _head(path: Path) -> _Payload | None:
    """Return the payload of a session's first line; None where it is damaged or unreadable."""
    try:
        if path.suffix == SUFFIX:
            info = path.lstat()
            return _compressed_head(path, info.st_ino, info.st_mtime_ns, info.st_size)
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            return _decode(file.readline(HEAD_BYTES)).payload
    except (OSError, ValueError, msgspec.MsgspecError, RecursionError):
        return None


@lru_cache(HEADS)
def _compressed_head(path: Path, _inode: int, _modified_ns: int, _size: int) -> _Payload:
    return _decode(first_line(path, HEAD_BYTES)).payload

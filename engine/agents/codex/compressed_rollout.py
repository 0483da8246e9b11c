"""Rollouts that Codex has compressed (`.jsonl.zst`), read with the `zstd` program.

Python 3.11 cannot decompress them itself. Where the program is missing, they are listed, but their
content is unknown.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

from engine.system import programs
from engine.system.files import CHUNK_BYTES, LineReader, open_regular

SUFFIX = ".zst"
LIMIT_BYTES = 4 * 1024**3
"""Part of a decompressed rollout that is read: a small file can stand for any length."""
END_S = 10.0
"""Time in which the program has to end after its output."""
_MEMORY = "--memory=128MB"
"""More than Codex's own settings need; a file may ask for much more."""


class CompressedLineReader(LineReader):
    """Reader of whole lines of a compressed file, from `offset` (bytes when decompressed) on."""

    def __init__(self, path: os.PathLike[str], offset: int) -> None:
        super().__init__(path, offset)
        self._process: subprocess.Popen[bytes] | None = None
        self._skipped = 0
        self.is_ended = False
        """True if all of it was read; more will be in another file."""

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self._path)

    @property
    def behind(self) -> bool:
        """Return whether the file holds more than was read."""
        return not self.is_ended

    def cut_off(self) -> int:
        """Return 0: a compressed file is not written any more."""
        return 0

    def close(self) -> None:
        """End the program that decompresses."""
        self.is_ended = True
        if self._process:
            _end(self._process)
            self._process = None

    def _read(self, limit_bytes: int) -> bytes:
        if self.is_ended:
            return b""
        if self._process is None:
            try:
                self._process = _started(self._path)
            except OSError:
                self.is_ended = True
                raise
        assert self._process.stdout
        while self._skipped < self._read_to:
            chunk = self._process.stdout.read(min(CHUNK_BYTES, self._read_to - self._skipped))
            self._skipped += len(chunk)
            if not chunk:
                self.close()
                return b""
        chunk = self._process.stdout.read(limit_bytes)
        self._read_to += len(chunk)
        self._skipped = self._read_to
        if len(chunk) < limit_bytes:
            self.is_damaged = _has_failed(self._process)
            self.close()
        elif self._read_to > LIMIT_BYTES:
            self.close()
        return chunk


def first_line(path: Path, limit_bytes: int) -> bytes:
    """Return the first line of a compressed file, as far as `limit_bytes`; raises OSError."""
    process = _started(path)
    try:
        assert process.stdout
        return process.stdout.readline(limit_bytes)
    finally:
        _end(process)


def _started(path: os.PathLike[str] | str) -> subprocess.Popen[bytes]:
    program = programs.find("zstd")
    if program is None:
        raise FileNotFoundError("the program zstd, which reads compressed rollouts, is missing")
    handle = open_regular(path)
    try:
        return subprocess.Popen(
            [program, "-d", "-c", "-q", _MEMORY],
            stdin=handle,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.defpath},
            start_new_session=True,
        )
    finally:
        os.close(handle)


def _has_failed(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a program that has closed its output could not read the file."""
    try:
        return process.wait(END_S) != 0
    except subprocess.TimeoutExpired:
        return True


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    assert process.stdout
    process.stdout.close()
    process.wait()

"""Objects written into a store as a pack of git's, without starting git for it.

See gitformat-pack(5). One pack for all that a look finds, however little: unpacked, each object
costs a file.
"""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
import zlib
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from engine.system.durable import sync_path

_KINDS = {"commit": 1, "tree": 2, "blob": 3}
_LARGE = 0x8000_0000
_BUFFER = 1024 * 1024


def object_id(algorithm: str, data: bytes, kind: str = "blob") -> str:
    """Return git's object id of a file with this content, or of another kind of object."""
    found = hashlib.new(algorithm, b"%s %d\0" % (kind.encode(), len(data)), usedforsecurity=False)
    found.update(data)
    return found.hexdigest()


def file_id(algorithm: str, file: BinaryIO) -> str:
    """Return git's object id of a file in its present length, read bit by bit."""
    left = os.fstat(file.fileno()).st_size
    found = hashlib.new(algorithm, b"blob %d\0" % left, usedforsecurity=False)
    while left and (chunk := file.read(min(left, _BUFFER))):
        found.update(chunk)
        left -= len(chunk)
    return found.hexdigest()


class Pack:
    """A pack being written; open as a context, which puts it in its place at the end.

    Blocking. Raises OSError where it cannot be written; then nothing of it is left.
    """

    def __init__(self, git_dir: Path, algorithm: str) -> None:
        self._folder = git_dir / "objects" / "pack"
        self._algorithm = algorithm
        self._places: dict[bytes, tuple[int, int]] = {}
        """Checksum and place of what was written, by object id."""
        self._at = 0

    def __enter__(self) -> Self:
        self._folder.mkdir(exist_ok=True)
        # So called, git clears it away where this program is killed.
        handle, name = tempfile.mkstemp(prefix="tmp_pack_", dir=self._folder)
        self._part = Path(name)
        self._file = os.fdopen(handle, "w+b", _BUFFER)
        self._write(b"PACK" + struct.pack(">II", 2, 0))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        try:
            with self._file:
                if error is None and self._places:
                    self._finish()
        finally:
            self._part.unlink(missing_ok=True)

    def add(self, kind: str, data: bytes) -> str:
        """Add an object, if it is not in it yet, and return its id."""
        oid = object_id(self._algorithm, data, kind)
        name = bytes.fromhex(oid)
        if name not in self._places:
            packed = _head(_KINDS[kind], len(data)) + zlib.compress(data, 1)
            self._places[name] = zlib.crc32(packed), self._at
            self._write(packed)
        return oid

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._at += len(data)

    def _finish(self) -> None:
        self._file.seek(8)
        self._file.write(struct.pack(">I", len(self._places)))
        self._file.seek(0)
        whole = hashlib.new(self._algorithm, usedforsecurity=False)
        while chunk := self._file.read(_BUFFER):
            whole.update(chunk)
        checksum = whole.digest()
        self._file.write(checksum)
        self._file.flush()
        os.fsync(self._file.fileno())
        name = self._folder / f"pack-{checksum.hex()}"
        self._index(name.with_suffix(".idx"), checksum)

    def _index(self, path: Path, checksum: bytes) -> None:
        """Put the pack in its place, and then its index: with that it counts."""
        names = sorted(self._places)
        counts = [0] * 256
        for name in names:
            counts[name[0]] += 1
        checks, places = zip(*(self._places[name] for name in names), strict=True)
        large = [place for place in places if place >= _LARGE]
        left = iter(range(len(large)))
        short = [place if place < _LARGE else _LARGE | next(left) for place in places]
        index = b"".join(
            (
                b"\377tOc" + struct.pack(">I", 2),
                struct.pack(">256I", *accumulate(counts)),
                *names,
                struct.pack(f">{len(names)}I", *checks),
                struct.pack(f">{len(names)}I", *short),
                struct.pack(f">{len(large)}Q", *large),
                checksum,
            )
        )
        part = self._part.with_suffix(".idx")
        try:
            with part.open("xb") as file:
                file.write(index)
                file.write(hashlib.new(self._algorithm, index, usedforsecurity=False).digest())
                file.flush()
                os.fsync(file.fileno())
            for one, there in ((self._part, path.with_suffix(".pack")), (part, path)):
                one.chmod(0o400)
                one.replace(there)
            sync_path(self._folder)
        finally:
            part.unlink(missing_ok=True)


def _head(kind: int, size: int) -> bytes:
    """Write an object's kind and size: four bits of it, then seven at a time."""
    byte, size = kind << 4 | size & 0xF, size >> 4
    head = bytearray()
    while size:
        head.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    head.append(byte)
    return bytes(head)

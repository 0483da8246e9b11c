r"""The inbox: a file that others append records to, and a bell that announces them.

A record is one JSON object, written at once between two newlines: a record that a crash tore apart
spoils no other. The file alone counts. The bell is a FIFO beside it, and only saves waiting.
"""

from __future__ import annotations

import os

from .json_values import Json, as_dict, decode

READ_BYTES = 65_536
RECORD_BYTES = 1_048_576
BELL = ".bell"


class InboxReader:
    """Reader of the records of one attempt, each id once."""

    def __init__(self, path: str, prompt_id: str = "") -> None:
        flags = os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._handle = os.open(path, flags, 0o600)
        self._bell_path = path + BELL
        self.bell = _hang_bell(self._bell_path)
        """Readable when it was rung; -1 where there are no FIFOs."""
        self._rest = b""
        self._is_skipping = False
        # A message that is the prompt of this attempt may be in the inbox, too.
        self._seen = {prompt_id}

    def read(self) -> list[Json | str]:
        """Return the new records in order; text in the place of one that is not valid."""
        found: list[Json | str] = []
        while data := os.read(self._handle, READ_BYTES):
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                found += self._record(line)
            if len(self._rest) > RECORD_BYTES:
                found += [] if self._is_skipping else ["a record is too long"]
                self._rest, self._is_skipping = b"", True
        return found

    def close(self) -> None:
        """Read no longer, and remove the bell: no process listens any more."""
        os.close(self._handle)
        if self.bell >= 0:
            os.close(self.bell)
        try:
            os.unlink(self._bell_path)  # noqa: PTH108  no pathlib
        except OSError:
            return

    def silence(self) -> None:
        """Read what was rung."""
        try:
            while os.read(self.bell, READ_BYTES):
                pass
        except BlockingIOError:
            pass

    def _record(self, line: bytes) -> list[Json | str]:
        if self._is_skipping:  # the end of a record that was too long
            self._is_skipping = False
            return []
        if not line:
            return []
        record = as_dict(decode(line))
        name, action = record.get("id"), record.get("do")
        if not isinstance(name, str) or not isinstance(action, str):
            # Never its text: a part of a torn record may be a secret.
            return [f"not a record: {len(line)} bytes"]
        if name in self._seen:
            return []
        self._seen.add(name)
        return [record]


def _hang_bell(path: str) -> int:
    try:
        os.mkfifo(path, 0o600)
    except FileExistsError:
        pass
    except OSError:
        return -1
    try:
        # Also for writing: otherwise it would be at its end whenever no writer has it open.
        return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return -1

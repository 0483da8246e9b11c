"""Tasks of the processes of a cluster and their reports: a line of JSON each.

The task is the first line on a process's stdin. Each newline after it is a signal to stop, and its
end shows the process that its parent is gone. Reports are lines on its stdout.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.execution.cluster.dask.tls import TlsFiles


class Files(Struct, frozen=True):
    """Paths of PEM files, as `TlsFiles`."""

    ca: str
    certificate: str
    key: str

    @classmethod
    def of(cls, files: TlsFiles | None) -> Files | None:
        """Return the shape of files."""
        return files and cls(str(files.ca), str(files.certificate), str(files.key))

    def value(self) -> TlsFiles:
        """Return the files."""
        return TlsFiles(Path(self.ca), Path(self.certificate), Path(self.key))


class NodeTask(Struct, frozen=True, kw_only=True):
    """A node to run; `stops` signals to stop have arrived before."""

    scheduler: str
    name: str
    slots: int
    root: str
    config: str
    lease_s: float
    files: Files | None = None
    host: str = ""
    port: int = 0
    stops: int = 0


class Happening(StrEnum):
    """Kinds of reports of a node; LISTENING is that of a scheduler."""

    LISTENING = "listening"
    JOINED = "joined"
    UNREACHABLE = "unreachable"
    LEASE_ENDED = "lease-ended"
    RESTARTED = "restarted"
    DRAINING = "draining"
    ENDING = "ending"
    LEFT = "left"
    FAILED = "failed"


class ProcessReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A report of a node for the user."""

    event: Happening
    node: str
    scheduler: str = ""
    address: str = ""
    slots: int = 0
    runs: int = 0
    reason: str = ""
    code: str = ""
    recovery: str = ""


FINAL_EXITS = (0, 3)
"""Exit codes after which a node is not started again: it left, or reported an error to fix."""
EXIT_ERROR = 3


def line(value: Struct) -> bytes:
    """Return a message as a line."""
    return msgspec.json.encode(value) + b"\n"

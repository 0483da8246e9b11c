"""Sizes of folders, measured by processes of their own, which report their progress."""

from __future__ import annotations

import asyncio
import marshal
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from engine.domain.folder_size import FolderSize
from engine.system.child_files import path_of
from engine.system.ending import end, kill
from engine.system.time_limit import time_limit

WORKERS = 2
"""More do not help once the system knows the folders, and keys would wait for them."""
SILENT_S = 30
"""A process that reports nothing for so long is ended, and the measurement fails."""
Sizes = tuple[int, int]
_PROGRAM = Path(__file__).with_name("worker.py")


@dataclass(frozen=True, slots=True)
class ScanProgress:
    """News of a measurement: of the whole, or with a `name`, of what lies directly in it."""

    path: Path
    figures: FolderSize
    done: bool
    name: str | None = None
    is_folder: bool = True
    is_rebuildable: bool = False
    error: str | None = None
    linked: dict[tuple[int, int], Sizes] = field(default_factory=dict[tuple[int, int], Sizes])
    """Files with other names too, by device and inode: their bytes on disk and apparent
    ones may count elsewhere."""


class FolderScanner:
    """Scanner that measures folders; open as a context, which ends its processes."""

    def __init__(self, rebuildable: Sequence[str] = (), workers: int = WORKERS) -> None:
        self.workers = workers
        self._rebuildable = list(rebuildable)
        self._free: asyncio.Queue[asyncio.subprocess.Process | None] = asyncio.Queue()
        self._all: list[asyncio.subprocess.Process] = []
        for _ in range(workers):
            self._free.put_nowait(None)  # started when first needed

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for worker in self._all:
            kill(worker)
        cancelled: asyncio.CancelledError | None = None
        for worker in self._all:
            try:
                await end(worker)
            except asyncio.CancelledError as cancel:
                cancelled = cancel
        if cancelled:
            raise cancelled

    async def measure(self, path: Path, *, inside: bool = False) -> AsyncGenerator[ScanProgress]:
        """Measure a folder, reporting a few times a second; the last report has `done`.

        With `inside`, each entry directly in it is reported first. Links and mounts are not
        followed. A folder that cannot be read is reported with its `error`. Raises OSError.
        """
        is_first = True
        try:
            async with aclosing(self._measure_once(path, inside=inside)) as reports:
                async for told in reports:
                    is_first = False
                    yield told
            return
        except OSError:
            if not is_first:
                raise
        # The process broke or was silent before it reported anything: another one tries again.
        async with aclosing(self._measure_once(path, inside=inside)) as reports:
            async for told in reports:
                yield told

    async def _measure_once(self, path: Path, *, inside: bool) -> AsyncGenerator[ScanProgress]:
        worker = await self._free.get()
        try:
            if worker is None or worker.returncode is not None:
                worker = await self._started()
            async for told in self._ask(worker, path, inside=inside):
                yield told
                if told.done:
                    self._free.put_nowait(worker)
                    worker = None
                    return
        finally:
            if worker is not None:  # left in the middle of an answer, or it broke
                kill(worker)
                self._free.put_nowait(None)

    async def _started(self) -> asyncio.subprocess.Process:
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            str(path_of(_PROGRAM)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.defpath},
        )
        self._all.append(worker)
        return worker

    async def _ask(
        self, worker: asyncio.subprocess.Process, path: Path, *, inside: bool
    ) -> AsyncGenerator[ScanProgress]:
        assert worker.stdin
        assert worker.stdout
        ask = {"path": str(path), "inside": inside, "rebuildable": self._rebuildable}
        asked = marshal.dumps(ask)
        worker.stdin.write(len(asked).to_bytes(4, "big") + asked)
        await worker.stdin.drain()
        try:
            while True:
                # It reports a few times a second: a longer silence is a disk that does not answer.
                async with time_limit(SILENT_S):
                    size = int.from_bytes(await worker.stdout.readexactly(4), "big")
                    told = marshal.loads(await worker.stdout.readexactly(size))
                yield _parse(path, told)
        except asyncio.IncompleteReadError as error:
            raise OSError(f"The measuring of {path} broke off.") from error
        except TimeoutError as error:
            raise OSError(f"The measuring of {path} got no answer for {SILENT_S} s.") from error


def _parse(path: Path, said: dict[str, Any]) -> ScanProgress:
    names = FolderSize.__dataclass_fields__
    return ScanProgress(
        path,
        FolderSize(**{name: said[name] for name in names}),
        said["done"],
        said.get("name"),
        said.get("folder", True),
        said.get("is_rebuildable", False),
        said.get("error"),
        {
            (device, inode): (disk, apparent)
            for device, inode, disk, apparent in said.get("linked", ())
        },
    )

"""Usage of threads that were started elsewhere, read in the background from their session files."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from pathlib import Path

import msgspec

import engine
from engine.config.paths import Paths
from engine.domain.record import record
from engine.domain.session_usage import ReadBatch
from engine.domain.text import printable
from engine.domain.usage import SessionProgress
from engine.store.session_ledger import SessionLedger
from engine.system.child_files import package_root
from engine.system.decoding import msgpack_decoder
from engine.system.ending import kill
from engine.system.environment import own_environment
from engine.usage.session_request import PROTOCOL, ReadRequest, SessionHome

PACKAGE = Path(engine.__file__).parent
PARTS = ("__init__.py", "agents", "domain", "store", "system", "usage")
"""The packages that the program imports; they are held for it."""
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from engine.usage.session_worker import main
sys.exit(main())
"""
STDERR_BYTES = 4000
LENGTH_BYTES = 4
_log = logging.getLogger(__name__)


@record
class ReadingPace:
    """Times of the passes over the session files, in seconds."""

    first_s: float = 10.0
    """Time from the start of supervision to the first pass."""
    every_s: float = 120.0
    complete_s: float = 1800.0
    """Between two passes that check every file."""
    silent_s: float = 30.0
    """A program that is silent for so long waits for a disk that does not answer: it is ended."""
    kill_s: float = 2.0
    alive_s: float = 10.0
    """Progress that is newer is that of a program at work."""


class OtherSessions:
    """Reader of the session files of agents; one pass at a time."""

    def __init__(
        self,
        paths: Paths,
        ledger: SessionLedger,
        homes: Callable[[], Sequence[SessionHome]],
        pace: ReadingPace | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._paths = paths
        self._ledger = ledger
        self._homes = homes
        self._pace = pace or ReadingPace()
        self._clock = clock
        self._stuck: asyncio.subprocess.Process | None = None
        """A program that could not be ended: its disk does not answer."""

    async def run(self) -> None:
        """Read from time to time, until cancelled."""
        await asyncio.sleep(self._pace.first_s)
        while True:
            await self.read()
            await asyncio.sleep(self._pace.every_s)

    async def catch_up(self, limit_s: float) -> None:
        """Read for so long at most, unless another process is reading."""
        progress = await self.progress()
        since = self._clock() - (progress.at or 0.0)
        if progress.read < progress.found and 0 <= since < self._pace.alive_s:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self.read()

    async def progress(self) -> SessionProgress:
        """Return the progress of reading, of whichever process reads; raises `UserError`."""
        return await self._ledger.progress()

    async def read(self) -> None:
        """Read what is new; what keeps it from that is noted with the progress.

        Raises `UserError` where the results cannot be stored.
        """
        homes = tuple(await asyncio.to_thread(self._homes))
        known = await self.progress()
        if not homes:
            return
        try:
            async with aclosing(self._batches(homes, known)) as batches:
                async for batch in batches:
                    await self._ledger.add(batch)
        except OSError as error:
            reason = error.strerror or str(error)
            _log.info("other sessions: %s", reason)
            await self._ledger.note_failure(reason)

    async def _batches(
        self, homes: Sequence[SessionHome], known: SessionProgress
    ) -> AsyncGenerator[ReadBatch]:
        """Yield the results of a pass; the next one comes when one is stored. Raises OSError."""
        if self._stuck and self._stuck.returncode is None:
            raise OSError(f"a disk has not answered since {self._pace.silent_s:.0f} s")
        since = self._clock() - (known.complete_at or 0.0)
        is_complete = not 0 <= since < self._pace.complete_s
        request = ReadRequest(os.fsencode(self._paths.database), tuple(homes), is_complete, known)
        worker = await self._started()
        try:
            async for batch in self._answers(worker, request):
                yield batch
        finally:
            await self._end(worker)

    async def _started(self) -> asyncio.subprocess.Process:
        root = await asyncio.to_thread(package_root, PACKAGE)
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-c",
            PROGRAM,
            str(root),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=own_environment(),
            start_new_session=True,
        )

    async def _answers(
        self, worker: asyncio.subprocess.Process, request: ReadRequest
    ) -> AsyncGenerator[ReadBatch]:
        assert worker.stdin
        asked = msgspec.msgpack.encode(request)
        worker.stdin.write(len(asked).to_bytes(LENGTH_BYTES, "big") + asked)
        try:
            while True:
                message = await self._message(worker)
                if not message:
                    continue  # a sign of life
                batch = await asyncio.to_thread(_decode, message)
                yield batch
                if batch.is_last:
                    return
                worker.stdin.write(b"+")
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise OSError(await self._reason(worker)) from error
        except TimeoutError as error:
            raise OSError(f"there was no answer for {self._pace.silent_s:.0f} s") from error

    async def _message(self, worker: asyncio.subprocess.Process) -> bytes:
        assert worker.stdout
        async with asyncio.timeout(self._pace.silent_s):
            size = int.from_bytes(await worker.stdout.readexactly(LENGTH_BYTES), "big")
            return await worker.stdout.readexactly(size)

    async def _reason(self, worker: asyncio.subprocess.Process) -> str:
        """Return why a program ended in the middle."""
        assert worker.stderr
        text = b""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pace.kill_s):
                text = await worker.stderr.read(STDERR_BYTES)
        lines = text.decode("utf-8", "replace").strip().splitlines()
        return printable(lines[-1], 200) if lines else "the program that reads them ended"

    async def _end(self, worker: asyncio.subprocess.Process) -> None:
        """End a program; one that waits for a disk cannot be ended, and is not waited for."""
        kill(worker)
        self._stuck = worker
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pace.kill_s):
                await worker.wait()


def _decode(message: bytes) -> ReadBatch:
    """Return a batch; raises OSError where a program of another version has written it."""
    try:
        batch = msgpack_decoder(ReadBatch)(message)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise OSError("the program that reads them is of another version") from error
    if batch.protocol != PROTOCOL:
        raise OSError("the program that reads them is of another version")
    return batch

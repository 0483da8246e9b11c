"""A program without a terminal, fed and read to its end, with all that it starts.

asyncio's own way takes a millisecond more of the event loop for each: a thread that waits for the
end (before Python 3.12), and a transport, a stream and a task for each pipe.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import IO

from engine.system.ending import CANCELLED_S, kill_group

CHUNK = 256 * 1024
UNKNOWN = 255
"""The exit code of a program whose end something else has taken note of."""
_Open = Callable[[int], int]


class Output:
    """The text that a program writes into a pipe: what comes after the limit is dropped."""

    __slots__ = ("_chunks", "_left")

    def __init__(self, limit_bytes: int) -> None:
        self._chunks: list[bytes] = []
        self._left = limit_bytes

    @property
    def is_over(self) -> bool:
        """Return whether there was more than the limit."""
        return self._left < 0

    def take(self, chunk: bytes) -> None:
        """Add a chunk."""
        if self._left >= 0:
            self._chunks.append(chunk)
            self._left -= len(chunk)

    def text(self) -> bytes:
        """Return all of it; beyond the limit it ends somewhere."""
        return b"".join(self._chunks)


class Child:
    """A program at the head of a group of its own; used from one event loop.

    It reads `stdin`, or an open file, which stays open. `stdout` is an open file that its output
    goes to; without one, more than `limit_bytes` of output end it. Raises OSError where it cannot
    be started, or not be watched: then it is killed.
    """

    def __init__(
        self,
        words: Sequence[str | bytes],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdin: bytes | int = b"",
        stdout: int | None = None,
        limit_bytes: int,
        errors_bytes: int,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self.done: asyncio.Future[None] = self._loop.create_future()
        """Done when it has ended and all of its output is read."""
        self.code: int | None = None
        """The exit code, once it is known; that of a program which a signal ended is below zero."""
        self.out, self.errors = Output(limit_bytes), Output(errors_bytes)
        feed = stdin if isinstance(stdin, bytes) else b""
        handle = PIPE if feed else DEVNULL if isinstance(stdin, bytes) else stdin
        self._process = Popen(
            words,
            bufsize=0,
            stdin=handle,
            stdout=PIPE if stdout is None else stdout,
            stderr=PIPE,
            cwd=cwd,
            env=env,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._pipes: set[IO[bytes]] = set()
        self._unfed = memoryview(feed)
        try:
            self._watch_end()
            self._read(self._process.stdout, self.out, is_bound=True)
            self._read(self._process.stderr, self.errors)
            self._feed(self._process.stdin)
        except BaseException:
            self._abandon()
            raise

    def kill(self) -> None:
        """Kill it with all of its group, unless its end is known."""
        if self.code is None:
            kill_group(self.pid)

    async def end(self) -> None:
        """Kill it, unless it has ended, and wait for its end. A cancel is raised after that.

        Output that was not read is dropped: others may hold its pipes.
        """
        self.kill()
        for pipe in list(self._pipes):
            self._close(pipe)
        cancelled: asyncio.CancelledError | None = None
        while self.code is None:
            try:
                # A process that waits for a disk never ends.
                await asyncio.wait({self._ended}, timeout=CANCELLED_S if cancelled else None)
            except asyncio.CancelledError as error:
                cancelled = error
            else:
                if cancelled:
                    break
        if cancelled:
            raise cancelled

    def _abandon(self) -> None:
        """Kill it and close its pipes, while its end may have no watcher."""
        self.kill()  # `Popen` waits for it with the next program, if nothing else does
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe and not pipe.closed:
                self._close(pipe)

    def _watch_end(self) -> None:
        """Note the end: Linux reports it at a handle, elsewhere a thread waits for it."""
        opened: _Open | None = getattr(os, "pidfd_open", None)
        with suppress(OSError):  # before Linux 5.3, or no handle is left
            if opened:
                self._watch(opened(self.pid))
                return
        try:
            threading.Thread(target=self._reap_later, name="child", daemon=True).start()
        except RuntimeError as error:  # no thread is left
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error

    def _watch(self, handle: int) -> None:
        try:
            self._loop.add_reader(handle, self._reap, handle)
        except BaseException:
            os.close(handle)
            raise

    def _reap(self, handle: int) -> None:
        self._loop.remove_reader(handle)
        os.close(handle)
        self._note_end(_exit_code(self.pid))

    def _reap_later(self) -> None:
        code = _exit_code(self.pid)
        with suppress(RuntimeError):  # the loop was closed
            self._loop.call_soon_threadsafe(self._note_end, code)

    def _note_end(self, code: int) -> None:
        self.code = self._process.returncode = code  # else `Popen` would wait for it, too
        self._ended.set_result(None)
        self._check_done()

    def _read(self, pipe: IO[bytes] | None, output: Output, *, is_bound: bool = False) -> None:
        if pipe is None:  # it writes into a file
            return
        handle = pipe.fileno()

        def take() -> None:
            try:
                chunk = os.read(handle, CHUNK)
            except BlockingIOError:
                return
            output.take(chunk)
            if not chunk:
                self._close(pipe)
            elif is_bound and output.is_over:
                self.kill()

        os.set_blocking(handle, False)
        self._pipes.add(pipe)
        self._loop.add_reader(handle, take)

    def _feed(self, pipe: IO[bytes] | None) -> None:
        if pipe is None:
            return
        handle = pipe.fileno()

        def feed() -> None:
            try:
                self._unfed = self._unfed[os.write(handle, self._unfed[:CHUNK]) :]
            except BlockingIOError:
                return
            except (BrokenPipeError, ConnectionResetError):  # it reports itself why
                self._unfed = self._unfed[:0]
            if not self._unfed:
                self._close(pipe)

        os.set_blocking(handle, False)
        self._pipes.add(pipe)
        feed()  # mostly all of it
        if self._unfed:
            self._loop.add_writer(handle, feed)

    def _close(self, pipe: IO[bytes]) -> None:
        self._pipes.discard(pipe)
        self._loop.remove_reader(pipe)
        self._loop.remove_writer(pipe)
        pipe.close()
        self._check_done()

    def _check_done(self) -> None:
        if self.code is not None and not self._pipes and not self.done.done():
            self.done.set_result(None)


def _exit_code(pid: int) -> int:
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:  # ends are ignored in this process, or it was waited for elsewhere
        return UNKNOWN

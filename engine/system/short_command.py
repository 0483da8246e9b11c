"""Short commands without input, as `--version`."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from contextlib import suppress

from engine.system.environment import agent_environment

TIMEOUT_S = 20.0


async def output(argv: Sequence[str], env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a command, and return exit code and stdout; raises OSError where it cannot start.

    Its environment is that of an agent, unless another is given. At the time limit the result is
    that of `timeout`: 124 and no output.
    """
    try:
        return await _read(argv, env, stdout=PIPE)
    except TimeoutError:
        return 124, ""


async def errors(argv: Sequence[str]) -> tuple[int, str]:
    """Run a command, and return exit code and stderr; raises OSError, at the limit TimeoutError."""
    return await _read(argv, stderr=PIPE)


async def _read(
    argv: Sequence[str],
    env: dict[str, str] | None = None,
    *,
    stdout: int = DEVNULL,
    stderr: int = DEVNULL,
) -> tuple[int, str]:
    """Return exit code and output; kill the command with its group at the limit or a cancel."""
    starting = asyncio.ensure_future(
        asyncio.get_running_loop().subprocess_exec(
            _Reader,
            *argv,
            stdin=DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=agent_environment() if env is None else env,
            start_new_session=True,
        )
    )
    try:
        transport, reader = await asyncio.shield(starting)
    except asyncio.CancelledError:
        # Starting is short; a cancel of it would kill the leader alone.
        transport, reader = await starting
        await _kill(transport, reader)
        transport.close()
        raise
    try:
        await asyncio.wait_for(reader.closed.wait(), TIMEOUT_S)
    except BaseException:
        await _kill(transport, reader)
        raise
    finally:
        transport.close()  # a program that left the group may hold the pipe open
    return transport.get_returncode() or 0, reader.output.decode("utf-8", "replace")


async def _kill(transport: asyncio.SubprocessTransport, reader: _Reader) -> None:
    with suppress(ProcessLookupError):  # it has ended in this moment
        os.killpg(transport.get_pid(), signal.SIGKILL)
    await reader.exited.wait()


class _Reader(asyncio.SubprocessProtocol):
    """Reader of the output; the end of the command and the end of its pipe are two events."""

    def __init__(self) -> None:
        self.output = bytearray()
        self.exited = asyncio.Event()
        self.closed = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.output += data

    def process_exited(self) -> None:
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()

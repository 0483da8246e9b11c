"""`gh`, the program of GitHub, where it is installed.

It runs outside of the repository, with the user's own environment: nothing of the repository
runs, and its login is neither read nor stored here.
"""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from engine.system import programs
from engine.system.ending import end_group
from engine.system.environment import own_environment
from engine.system.time_limit import time_limit

LIMIT_BYTES = 4 * 1024**2
"""The output that is read of a command; one with more fails."""
_QUIET = {"GH_PROMPT_DISABLED": "1", "NO_COLOR": "1", "GH_NO_UPDATE_NOTIFIER": "1"}
_ENTERPRISE_TOKENS = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")


class GhFailure(Exception):
    """The reason, in words, why `gh` gave no answer."""


def program() -> str | None:
    """Return the path of `gh`; None where it is not installed."""
    return programs.find("gh")


async def run(
    argv: Sequence[str], host: str, folder: Path, *, limit_s: float, text: str = ""
) -> tuple[int, str, str]:
    """Run `gh` for a host; return its exit code, output and errors. Raises `GhFailure`."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=folder,
            env=_environment(host),
            start_new_session=True,
        )
    except OSError as error:
        raise GhFailure(f"gh cannot be started: {error.strerror}") from error
    try:
        async with time_limit(limit_s):
            out, err = await _communicate(process, text.encode("utf-8", "replace"))
            code = await process.wait()
    except TimeoutError:
        raise GhFailure(f"gh took longer than {limit_s:.0f} s") from None
    finally:
        await end_group(process)
    return code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


def _environment(host: str) -> dict[str, str]:
    """Return the user's environment, without a token that `gh` would send to any other host.

    The host comes from the address of a remote, which is not the user's word for a token.
    """
    kept = own_environment(_QUIET)
    if kept.get("GH_HOST", "").lower() != host.lower():
        for name in _ENTERPRISE_TOKENS:
            kept.pop(name, None)
    return kept


async def _communicate(process: asyncio.subprocess.Process, text: bytes) -> tuple[bytes, bytes]:
    assert process.stdin
    assert process.stdout
    assert process.stderr
    streams = (_read(process.stdout), _read(process.stderr), _write(process.stdin, text))
    reading = [asyncio.ensure_future(stream) for stream in streams]
    try:
        out, err, _ = await asyncio.gather(*reading)
    finally:
        for one in reading:
            one.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
    return out, err


async def _write(stream: asyncio.StreamWriter, text: bytes) -> bytes:
    with suppress(BrokenPipeError, ConnectionResetError):  # it reads no input
        stream.write(text)
        await stream.drain()
    stream.close()
    return b""


async def _read(stream: asyncio.StreamReader) -> bytes:
    found = bytearray()
    while chunk := await stream.read(65_536):
        found += chunk
        if len(found) > LIMIT_BYTES:
            raise GhFailure(f"gh printed more than {LIMIT_BYTES // 1024**2} MiB")
    return bytes(found)

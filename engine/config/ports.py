"""Ports of runs: each has a block of ten that no other live run of this home has."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Iterator
from contextlib import closing
from zlib import crc32

from engine.config.locks import locked
from engine.config.paths import Paths, private_folder
from engine.domain.lifecycle import ACTIVE
from engine.store.reading import StoreReader
from engine.system.files import read_regular

BLOCK = 10
FIRST, END = 20000, 32760
"""Below the ports that Linux assigns to programs that ask for any."""
BLOCKS = (END - FIRST) // BLOCK


def assigned(paths: Paths, run: str) -> int | None:
    """Return the first port of a run's block; None where it has none yet."""
    try:
        text = read_regular(paths.port(run)).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None


async def assign(paths: Paths, run: str, store: StoreReader) -> int | None:
    """Return a run a block of ports, the one it had if that is free; None where there is none."""
    async with locked(paths.home / "locks" / "ports.lock"):
        live = [other.id for other in await store.runs(statuses=ACTIVE) if other.id != run]
        return await asyncio.to_thread(_assign, paths, run, live)


def _assign(paths: Paths, run: str, live: Iterable[str]) -> int | None:
    taken = {assigned(paths, other) for other in live}
    before = assigned(paths, run)
    if before is not None and before not in taken:
        return before
    for port in _in_turn(run):
        if port not in taken and _is_free(port):
            private_folder(paths.run(run))
            paths.port(run).write_text(f"{port}\n")
            return port
    paths.port(run).unlink(missing_ok=True)
    return None


def _in_turn(run: str) -> Iterator[int]:
    """Return all blocks, from one that depends on the run: neighbours in time differ."""
    start = crc32(run.encode()) % BLOCKS
    for number in range(BLOCKS):
        yield FIRST + (start + number) % BLOCKS * BLOCK


def _is_free(first: int) -> bool:
    """Return whether no program of this machine listens on a port of the block."""
    return all(_can_listen(port) for port in range(first, first + BLOCK))


def _can_listen(port: int) -> bool:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

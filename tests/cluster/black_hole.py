"""A TCP proxy on loopback that can swallow bytes in either direction and close nothing.

    python tests/cluster/black_hole.py LISTEN_PORT TARGET_PORT FOLDER

As a program, it swallows while there is a file `to-target` or `to-client` in FOLDER: a partition
that neither side sees, in one direction or both. Bytes sent meanwhile arrive afterwards, as a
network does that repeats lost packets; connections made meanwhile hang.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

TO_TARGET, TO_CLIENT = "to-target", "to-client"
POLL_S = 0.02


class BlackHole:
    """A proxy to a port of this machine."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self._open = {TO_TARGET: asyncio.Event(), TO_CLIENT: asyncio.Event()}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.heal()

    async def __aenter__(self) -> BlackHole:
        await self.start(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self, port: int) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Close it with all connections."""
        assert self._server
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def swallow(self, *directions: str) -> None:
        """Deliver nothing more in these directions; without any, in both."""
        for direction in directions or tuple(self._open):
            self._open[direction].clear()

    def heal(self, *directions: str) -> None:
        """Deliver again, what was held first."""
        for direction in directions or tuple(self._open):
            self._open[direction].set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            await self._join(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The handshake of TCP needs both directions.
        await self._open[TO_TARGET].wait()
        await self._open[TO_CLIENT].wait()
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            await asyncio.gather(
                self._pass_on(reader, other_writer, TO_TARGET),
                self._pass_on(other_reader, writer, TO_CLIENT),
            )
        finally:
            other_writer.close()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str
    ) -> None:
        while data := await reader.read(65536):
            await self._open[direction].wait()
            writer.write(data)
            await writer.drain()
        await self._open[direction].wait()
        writer.close()


async def _main(listen: int, target: int, folder: Path) -> None:
    hole = BlackHole(target)
    await hole.start(listen)
    while True:
        for direction in (TO_TARGET, TO_CLIENT):
            is_swallowed = (folder / direction).exists()
            hole.swallow(direction) if is_swallowed else hole.heal(direction)
        await asyncio.sleep(POLL_S)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))

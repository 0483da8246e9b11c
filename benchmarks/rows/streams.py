"""The delay of an event to many streams of the API, against one stream."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from statistics import median

from benchmarks.row import Bench, Round, Row, alternating

ROOT = Path(__file__).parents[2]
STREAMS = 200
LIMIT_S = 60
Note = Callable[[int], Awaitable[None]]


@contextmanager
def _rounds(bench: Bench) -> Generator[Round]:
    from engine.config.paths import Paths
    from engine.domain.api_token import Scope
    from engine.domain.model import Agent, RunSpec
    from engine.engine import Engine

    folder = bench.folder()
    paths = Paths(folder / "home", folder / "config.yaml")
    paths.config.write_text("api: {requests_per_minute: 100000}\n")
    events = bench.size(20, 7)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        engine = runner.run(stack.enter_async_context(Engine.open(paths)))
        spec = RunSpec("sim: say hello", "a run", "bench", agent=Agent.SIMULATED)
        run = runner.run(engine.start(spec))
        made = runner.run(engine.api_tokens.create("bench", Scope.READ))
        address = runner.run(stack.enter_async_context(_serving(folder)))

        async def note(number: int) -> None:
            await engine.annotations.note(run.id, f"note {number}")

        def of(streams: int) -> float:
            return runner.run(_delay(address, made.secret, streams, events, note))

        yield alternating(lambda: of(STREAMS), lambda: of(1))
        runner.run(stack.aclose())


@asynccontextmanager
async def _serving(folder: Path) -> AsyncGenerator[tuple[str, int]]:
    """Serve the API in a process of its own; yields its host and port."""
    home = {"SWARM_HOME": str(folder / "home"), "SWARM_CONFIG": str(folder / "config.yaml")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "swarm_tui.py"), "api", "--port", "0"),
        env={**os.environ, **home},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout
        line = (await process.stdout.readline()).decode()
        found = re.search(r"http://([\d.]+):(\d+)", line)
        assert found, line
        yield found[1], int(found[2])
    finally:
        process.terminate()
        await process.communicate()


async def _delay(
    address: tuple[str, int], secret: str, streams: int, events: int, note: Note
) -> float:
    """Return the time from a change until the last of the streams has its event."""
    took: list[float] = []
    async with AsyncExitStack() as opened, asyncio.timeout(LIMIT_S):
        readers: list[asyncio.StreamReader] = []
        for _ in range(streams):
            reader, writer = await asyncio.open_connection(*address)
            opened.callback(writer.close)
            head = f"GET /v1/events/stream?new=true HTTP/1.1\r\nHost: {address[0]}:{address[1]}"
            writer.write(f"{head}\r\nAuthorization: Bearer {secret}\r\n\r\n".encode())
            await reader.readuntil(b"\nid: ")
            readers.append(reader)
        for number in range(events):
            began = time.perf_counter()
            await note(time.monotonic_ns() + number)
            await asyncio.gather(*(reader.readuntil(b"\ndata: ") for reader in readers))
            took.append(time.perf_counter() - began)
    return median(took)


ROWS = [
    Row(
        name="api.streams",
        what=f"an event in another process until the last of {STREAMS} streams has it",
        yardstick="until one stream has it",
        target=3,
        aim=1.5,
        rounds=_rounds,
    )
]

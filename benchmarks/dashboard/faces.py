"""The programs that are measured: `python -m benchmarks.dashboard.faces FACE HOME [RATE [REST]]`.

The dashboard is the real one, on a real engine; beside it events are handed to its view and its bus
at a rate, after a rest in seconds. An empty Textual app on the same engine reads the same batches.
A stock app shows the same events with Textual's own widgets.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.config.paths import Paths
from engine.config.settings import Config
from engine.domain.events import Event
from engine.domain.model import Status
from engine.engine import Engine

if TYPE_CHECKING:
    from textual.app import App

    from tui.app import SwarmApp

TICK_S = 0.05
"""The engine hands on what its followers found this often."""


@asynccontextmanager
async def _open(home: Path) -> AsyncGenerator[Engine]:
    async with Engine.open(Paths(home, home / "config.yaml"), Config(), follow=True) as engine:
        yield engine


def feed(rate: float, rest_s: float = 0) -> Callable[[Engine], Awaitable[None]]:
    """Make what happens in an engine at a rate, as if its followers had found it."""

    async def fed(engine: Engine) -> None:
        import time

        from benchmarks.dashboard.load import Stream

        await asyncio.sleep(rest_s)
        live = [run.id for run in engine.view.runs.values() if run.status is Status.RUNNING]
        stream = Stream(live, rate)
        seqs = {run: engine.view.runs[run].seq for run in live}
        while rate:
            now, events = time.time(), list[Event]()
            for run, said in stream.due().items():
                first = seqs[run] + 1
                seqs[run] += len(said)
                events += [Event(run, seq, now, 1, body) for seq, body in enumerate(said, first)]
            changed = engine.view.apply(events)
            engine._publish(events, changed)
            await asyncio.sleep(TICK_S)

    return fed


async def dashboard(home: Path, rate: float, rest_s: float = 0) -> None:
    """Show the dashboard."""
    from tui.cli.commands.dashboard import show

    async def fed(app: SwarmApp) -> None:
        engine = app.engine
        assert isinstance(engine, Engine)
        await feed(rate, rest_s)(engine)

    await show(lambda: _open(home), fed if rate else None)


async def _beside(app: App[None], engine: Engine, rate: float) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, app.exit)
    task = asyncio.ensure_future(feed(rate)(engine))
    try:
        await app.run_async()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def empty(home: Path, rate: float) -> None:
    """Show an app with nothing on it, that reads every batch."""
    from textual import work
    from textual.app import App, ComposeResult
    from textual.widgets import Static

    async with _open(home) as engine:

        class Empty(App[None]):
            def compose(self) -> ComposeResult:
                yield Static("ready")

            def on_mount(self) -> None:
                self.read()

            @work
            async def read(self) -> None:
                async for batch in engine.batches():
                    self.seen = len(batch.events)

        await _beside(Empty(), engine, rate)


async def plain(home: Path, rate: float) -> None:
    """Show a Textual app with one line, that knows nothing of ours; `d` lists `home` as a tree."""
    del rate
    from benchmarks.dashboard.plain import Plain

    await Plain(home).run_async()


async def stock(home: Path, rate: float) -> None:
    """Show the runs in a DataTable and the chosen run's events in a Log."""
    from benchmarks.dashboard.stock import Stock

    async with _open(home) as engine:
        await _beside(Stock(engine), engine, rate)


FACES: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
    "dashboard": dashboard,
    "empty": empty,
    "plain": plain,
    "stock": stock,
}


if __name__ == "__main__":
    face, home, *numbers = sys.argv[1:]
    asyncio.run(FACES[face](Path(home), *map(float, numbers or ["0"])))

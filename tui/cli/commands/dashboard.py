"""The dashboard, opened from the command line: signals, terminal, exit code."""

from __future__ import annotations

import asyncio
import gc
import os
import select
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from engine.domain.errors import user_error
from engine.engine import Engine
from tui.cli.support import output, session
from tui.terminal import splash

if TYPE_CHECKING:
    from tui.app import SwarmApp
    from tui.commands.command_line import CommandNames

SERVER_S = 1.0
"""Time from one look whether `serve` is still there to the next."""
Opening = Callable[[], AbstractAsyncContextManager[Engine]]


def require_terminal() -> None:
    """Refuse without a terminal that the dashboard can be shown on."""
    if not (has_terminal() or in_browser()):
        raise user_error("NOT_A_TERMINAL")


def in_browser() -> bool:
    """Return whether `serve` started this process, to be shown by it."""
    return os.environ.get("TEXTUAL_DRIVER", "").startswith("textual.drivers.web_driver:")


def has_terminal() -> bool:
    """Return whether a dashboard can be shown."""
    return output.is_terminal(sys.stdin, sys.stdout)


def run_dashboard(command_line: CommandNames) -> int:
    """Run `swarm-tui` without arguments, and return the exit code."""
    output.prepare()
    try:
        return open_dashboard(command_line)
    except KeyboardInterrupt:
        from tui.cli.support import failure

        return failure.EXIT_CANCELLED
    except Exception as error:
        from tui.cli.support import failure  # late: most dashboards begin

        return failure.report(error, as_json=False, debug=False)


def open_dashboard(command_line: CommandNames) -> int:
    """Open the dashboard on the user's home and stay until it is left."""
    require_terminal()
    return session.start(_open(command_line))


async def _open(command_line: CommandNames) -> int:
    seen = asyncio.Event()

    def opening() -> AbstractAsyncContextManager[Engine]:
        return session.open_engine(follow=True, supervise=True, after=seen.wait)

    return await show(opening, seen=seen.set, command_line=command_line)


@asynccontextmanager
async def _told(opening: Opening) -> AsyncGenerator[Engine]:
    """Open an engine; where that fails, restore the screen for the message."""
    try:
        async with opening() as engine:
            yield engine
    finally:
        splash.leave()


async def show(
    opening: Opening,
    beside: Callable[[SwarmApp], Awaitable[object]] | None = None,
    *,
    goes_on: bool = True,
    seen: Callable[[], object] | None = None,
    command_line: CommandNames = tuple,
) -> int:
    """Show the dashboard on an engine, with a task `beside` it that ends with it.

    A closed window counts as quitting with the runs left running; `goes_on` states whether they
    can: the owner of the engine ensures it when the engine closes. `seen` is called as soon as
    something is on the screen.
    """
    for name in ("COLUMNS", "LINES"):  # the terminal knows its size: an exported one may be stale
        os.environ.pop(name, None)
    gc.disable()  # what is made before the first paint stays: to look through it stops the world
    from tui.app import SwarmApp  # brings Textual: only those pay for it who look at it

    def painted() -> None:
        session.collect_garbage()
        if seen:
            seen()

    loop = asyncio.get_running_loop()
    async with _told(opening) as engine:
        app = SwarmApp(engine, goes_on=goes_on, seen=painted, command_line=command_line)
        app.contain_faults()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, app.exit)
        tasks = engine.tasks.branch()
        if beside:
            tasks.start("demo", lambda: beside(app))
        if in_browser():
            tasks.start("browser window", lambda: _leave_with_server(app))
        try:
            from tui.cli.support.suspend import hands_over

            with hands_over(engine, app.stop_process) if goes_on else nullcontext():
                await app.run_async()
        finally:
            await tasks.close()
    if app.queue.farewell and not in_browser():
        output.say_aside(app.queue.farewell)
    return app.return_code or 0


async def _leave_with_server(app: SwarmApp) -> None:
    """Close the dashboard when `serve` is gone, however it ended."""
    server = select.poll()
    server.register(sys.stdin.fileno(), 0)  # reported without a request: the other end is closed
    while not server.poll(0):  # noqa: ASYNC110  a kill is not reported
        await asyncio.sleep(SERVER_S)
    app.exit()

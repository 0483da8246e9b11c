"""`swarm-tui serve`: the dashboard in a browser on this machine."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec

import click

from tui.cli.support import output
from tui.cli.support.options import NumberParam, everywhere, examples

PORT = 8000


@click.command(epilog=examples("serve", "serve --port 0", "serve --api"))
@click.option(
    "--port",
    type=NumberParam(0, 65535),
    default=PORT,
    help="Listen on this port; 0 chooses a free one.",
    show_default=True,
)
@click.option("--api", "with_api", is_flag=True, help="Serve the HTTP API, too, on its own port.")
@click.option(
    "--api-port",
    type=NumberParam(0, 65535),
    help="The port of the API; 0 chooses a free one. Default: `api.port` of the settings.",
)
@everywhere()
def serve(port: int, with_api: bool, api_port: int | None) -> int:
    """Open the dashboard in a browser on this machine, at the printed address.

    The address opens it once, within five minutes; press Enter for a new one. The dashboard in
    the browser can do everything that you can. It listens on a loopback address only. Closing
    the page or this command leaves runs running. From elsewhere: `ssh -L 8000:HOST:8000` with
    the HOST of the address, then open localhost:8000 instead of it. Needs this package's
    `serve` extra, and with --api the `api` extra; `swarm-tui api --help` explains the API.
    """
    from engine.domain.errors import user_error
    from tui.cli.support import session

    if find_spec("textual_serve") is None:
        raise user_error("SERVE_MISSING")
    if api_port is not None and not with_api:
        raise click.UsageError("--api-port is for --api.")
    if not with_api:
        return session.start(session.unless_stopped(_serve_alone(port)))
    from tui.cli.api.launch import require_api

    require_api()
    return session.start(session.unless_stopped(_serve_with_api(port, api_port)))


async def _serve_alone(port: int) -> int:
    import asyncio

    from tui.cli.support import session

    async with session.open_engine():
        pass  # a mistake in the home or the settings is reported here, not on an empty page
    async with _dashboard(port):
        output.say("The HTTP API is off: add --api to serve it, too.")
        await asyncio.Event().wait()
    return 0


async def _serve_with_api(port: int, api_port: int | None) -> int:
    from tui.cli.api.launch import ApiAddress, serve_api
    from tui.cli.mcp.mounts import mounts
    from tui.cli.support import session

    async with session.open_engine(follow=True) as engine, _dashboard(port):
        await serve_api(engine, ApiAddress(port=api_port), mounts())
    return 0


@asynccontextmanager
async def _dashboard(port: int) -> AsyncGenerator[None]:
    """Serve the dashboard, and print its address."""
    from tui.cli.web import server
    from tui.cli.web.access import WebAccess

    door, *kept = _bind(port)
    access = WebAccess()
    listener = await server.listen(door, access)
    host, port = door.getsockname()

    def tell() -> None:
        output.say(f"The dashboard: http://{host}:{port}/#{access.new_token()}")

    try:
        tell()
        output.say(
            "It opens once, within 5 minutes. Enter: a new address. Ctrl-C ends this; runs go on."
        )
        output.say("Its page can also answer requests of agents: share the address with no one.")
        with _on_enter(tell):
            yield
    finally:
        await listener.close()
        for each in kept:
            each.close()


@contextmanager
def _on_enter(do: Callable[[], None]) -> Generator[None]:
    """Call `do` for each line on stdin, while this process is in the foreground."""
    import asyncio

    loop = asyncio.get_running_loop()
    handle = 0

    def read() -> None:
        try:
            # In the background, reading would stop this process.
            is_ours = not os.isatty(handle) or os.tcgetpgrp(handle) == os.getpgrp()
            data = os.read(handle, 4096) if is_ours else b""
        except OSError:
            data = b""
        if not data:
            loop.remove_reader(handle)
        elif b"\n" in data:
            do()

    try:
        loop.add_reader(handle, read)
    except OSError:  # a file or none at all: it holds no keys
        yield
        return
    try:
        yield
    finally:
        loop.remove_reader(handle)


def _bind(port: int) -> list[socket.socket]:
    from engine.domain.errors import user_error
    from tui.cli.web.connections import bind

    try:
        return bind(port)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        why = "is in use" if error.errno == errno.EADDRINUSE else "is not for you to use"
        raise user_error("PORT_UNAVAILABLE", f"The port {port} {why}.") from None

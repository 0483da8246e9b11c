"""`swarm-tui serve`: the dashboard in a browser on this machine."""

from __future__ import annotations

import errno
import secrets
import socket
from importlib.util import find_spec

import click

from tui.cli import output
from tui.cli.options import Number, everywhere, examples

PORT = 8000


@click.command(epilog=examples("serve", "serve --port 0"))
@click.option(
    "--port", type=Number(0, 65535), default=PORT, help="0: any that is free.", show_default=True
)
@everywhere()
def serve(port: int) -> int:
    """Show the dashboard in a browser on this machine, at the address that this prints.

    It listens on 127.0.0.1 only, and lets in who has the token in that address: whoever has it can
    do what you can, so keep it to yourself. Closing the page or this command leaves runs running.
    From elsewhere: `ssh -L 8000:127.0.0.1:8000`. Needs this package's `serve` extra.
    """
    from engine.domain.errors import user_error
    from tui.cli import session

    if find_spec("textual_serve") is None:
        raise user_error("SERVE_MISSING")
    return session.start(session.unless_stopped(_serve(port)))


async def _serve(port: int) -> int:
    import asyncio

    from tui.cli import session, web

    async with session.open_engine():
        pass  # what is wrong with the home or the settings is told here, not on an empty page
    token = secrets.token_urlsafe(32)
    door = _door(web.HOST, port)
    runner = await web.listen(door, token)
    try:
        output.say(f"The dashboard: http://{web.HOST}:{door.getsockname()[1]}/?token={token}")
        output.say("Ctrl-C ends this; runs go on.")
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
    return 0


def _door(host: str, port: int) -> socket.socket:
    from engine.domain.errors import user_error

    try:
        return socket.create_server((host, port))
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        why = "is in use" if error.errno == errno.EADDRINUSE else "is not for you to use"
        raise user_error("PORT_UNAVAILABLE", f"The port {port} {why}.") from None

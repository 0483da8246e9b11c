"""`swarm-tui api`: the HTTP API, and the tokens of its clients."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.system.files import expanded
from tui.cli.support.lazy import LazyCommand, LazyGroup
from tui.cli.support.options import FileParam, NumberParam, TextParam, everywhere, examples

if TYPE_CHECKING:
    from tui.cli.api.launch import ApiAddress

COMMANDS = {
    "token": LazyCommand(
        "tui.cli.commands.api_token:token", "Create, list and revoke tokens of clients"
    ),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    invoke_without_command=True,
    epilog=examples(
        "api token create ci --scope run",
        "api",
        "api --port 0",
        "api --socket ~/.swarm-api.sock",
        "api --host 192.0.2.7 --certificate host.pem --key host.key",
    ),
)
@click.option(
    "--port",
    type=NumberParam(0, 65535),
    help="Listen on this port; 0 chooses a free one. Default: `api.port` of the settings.",
)
@click.option(
    "--socket",
    "socket_path",
    type=FileParam(),
    metavar="PATH",
    help="Listen on a unix socket that only you can use; on a port only with --port, too.",
)
@click.option(
    "--host",
    type=TextParam(),
    metavar="ADDRESS",
    help="Listen on this address instead of 127.0.0.1; one that others reach needs TLS.",
)
@click.option("--certificate", type=FileParam(), metavar="FILE", help="Use TLS with this PEM file.")
@click.option("--key", type=FileParam(), metavar="FILE", help="The key of the certificate, in PEM.")
@everywhere()
@click.pass_context
def api(
    ctx: click.Context,
    port: int | None,
    socket_path: str | None,
    host: str | None,
    certificate: str | None,
    key: str | None,
) -> int | None:
    """Serve the HTTP API, for scripts and agents on this machine.

    Each client needs a token of `swarm-tui api token create`. Runs go on when this ends. The API
    describes itself at /openapi.json; docs/api.md has examples. Needs this package's `api` extra.
    """
    if ctx.invoked_subcommand is not None:
        return None
    if bool(certificate) != bool(key):
        raise click.UsageError("--certificate and --key need each other.")
    if socket_path and port is None and (host or certificate):
        raise click.UsageError("--host and --certificate are for a port: add --port.")
    from tui.cli.api.launch import ApiAddress, require_api
    from tui.cli.support import session

    require_api()
    files = (Path(certificate), Path(key)) if certificate and key else None
    path = expanded(socket_path) if socket_path else None
    address = ApiAddress(port=port, host=host, socket_path=path, certificate=files)
    return session.start(session.unless_stopped(_serve(address)))


async def _serve(address: ApiAddress) -> int:
    from tui.cli.api.launch import serve_api
    from tui.cli.mcp.mounts import mounts
    from tui.cli.support import session

    async with session.open_engine(follow=True) as engine:
        await serve_api(engine, address, mounts())
    return 0

"""Servers of Dask that carry out nothing but our operation."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import mkdtemp

from engine.execution.cluster.dask.library import Library, Server
from engine.execution.cluster.dask.tls import TlsFiles, incoming, outgoing

MOST_CONNECTIONS = 512


def bare_server(library: Library, files: TlsFiles | None, scratch: Path) -> Server:
    """Return a server without operations; `scratch` is a folder that it may make.

    Raises `UserError` CERTIFICATE_INVALID.
    """
    path = list(sys.path)
    try:
        server = library.new_server(
            {},
            blocked_handlers=[],
            connection_limit=MOST_CONNECTIONS,
            connection_args=outgoing(files),
            local_directory=str(scratch),
            needs_workdir=False,
        )
    finally:
        # Dask puts its folder first: modules would be imported from there.
        sys.path[:] = path
    # `identity`, `dump_state` and others are of no use here.
    server.handlers.clear()
    return server


async def listen(
    server: Server, files: TlsFiles | None, host: str, port: int, shown_host: str | None = None
) -> str:
    """Start a server at an address and return where others reach it; raises OSError.

    `host` is empty for all addresses of the machine; others then use `shown_host`.
    """
    await server.start()
    scheme = "tls" if files else "tcp"
    bracketed = f"[{host}]" if ":" in host else host
    await server.listen(
        f"{scheme}://{bracketed}:{port}",
        allow_offload=False,
        default_host=shown_host or None,
        **incoming(files),
    )
    return server.address


def scratch_folder() -> Path:
    """Return a new folder for a server that has none of its own."""
    return Path(mkdtemp(prefix="swarm-tui-"))

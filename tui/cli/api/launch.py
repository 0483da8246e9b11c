"""The start of the API's server from a command: its addresses, and what is printed about them."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from engine.domain.errors import user_error
from engine.domain.record import record
from engine.domain.text import printable_name
from tui.cli.support import output

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.ports.engine import EnginePort
    from tui.cli.api.application import Mount
    from tui.cli.api.context import ApiContext
    from tui.cli.api.listeners import Listener


@record
class ApiAddress:
    """Address of the API: a port unless only a socket is named, with TLS if there are files.

    `certificate` are the files of a certificate and of its key.
    """

    port: int | None = None
    host: str | None = None
    socket_path: Path | None = None
    certificate: tuple[Path, Path] | None = None


def require_api() -> None:
    """Raise `UserError` API_MISSING where the extra is not installed."""
    if find_spec("litestar") is None or find_spec("uvicorn") is None:
        raise user_error("API_MISSING")


async def serve_api(
    engine: EnginePort,
    address: ApiAddress,
    mounts: Sequence[Callable[[ApiContext], Mount]] = (),
) -> None:
    """Serve the API until this is cancelled, and print its addresses; raises `UserError`.

    `mounts` make parts of it that have a protocol of their own.
    """
    from tui.cli.api.certificates import tls_context
    from tui.cli.api.listeners import on_socket
    from tui.cli.api.server import serve

    tls = tls_context(*address.certificate) if address.certificate else None
    with ExitStack() as stack:
        listeners: list[Listener] = []
        if address.socket_path:
            listeners.append(on_socket(address.socket_path))
            stack.callback(listeners[-1].close)
        if address.port is not None or not address.socket_path:
            listeners.append(_on_port(address, engine.config.api.port))
            stack.callback(listeners[-1].close)
        for listener in listeners:
            output.say(f"The API: {listener.address}")
        output.say(await _access(engine))
        names = [_as_host(address.host)] if address.host else []
        await serve(engine, listeners, names=names, tls=tls, mounts=mounts)


def _on_port(address: ApiAddress, usual: int) -> Listener:
    from tui.cli.api import listeners

    host = listeners.resolve(address.host) if address.host else listeners.LOOPBACK
    has_tls = address.certificate is not None
    if not (has_tls or listeners.is_loopback(host)):
        shown = printable_name(address.host or host)
        raise user_error("API_TLS_NEEDED", f"{shown} can be reached from other machines.")
    port = usual if address.port is None else address.port
    return listeners.on_port(host, port, has_tls=has_tls)


def _as_host(host: str) -> str:
    """Return an address as it is written in the header `Host`."""
    return f"[{host}]" if ":" in host else host


async def _access(engine: EnginePort) -> str:
    """Return how clients get access: how to create a token, if there is none."""
    if await engine.api_tokens.all():
        return "Clients send `Authorization: Bearer TOKEN`. Ctrl-C ends this; runs go on."
    return (
        "There is no token yet: `swarm-tui api token create NAME --scope run` makes one. "
        "Ctrl-C ends this; runs go on."
    )

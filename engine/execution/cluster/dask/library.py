"""Dask distributed as this program uses it: imported late, silent, without pickles, with ceilings.

The library registers log handlers on stderr and decodes pickles from the network. Both are turned
off before the first connection: text on a terminal destroys the dashboard, and a pickle of another
machine can run anything here.
"""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, Protocol, cast

from engine.domain.errors import UserError, user_error
from engine.execution.cluster.dask import ceilings

LOGGERS = ("distributed", "distributed.client", "distributed.gc", "tornado", "tornado.application")
SETTINGS: dict[str, object] = {
    "distributed.comm.timeouts.connect": "5s",
    "distributed.comm.timeouts.tcp": "30s",
    "distributed.comm.compression": False,
    "distributed.comm.retry.count": 0,
    "distributed.diagnostics.nvml": False,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.admin.system-monitor.disk": False,
}
"""Settings of Dask that hold whatever a file or variable of the user's contains."""

_loading = threading.Lock()
_loaded: list[Library] = []


class Comm(Protocol):
    """A connection."""

    @property
    def extra_info(self) -> dict[str, Any]:
        """Return facts about it; `peercert` is the certificate of the other side."""
        ...

    def abort(self) -> None:
        """Close it at once."""
        ...


class Pool(Protocol):
    """A pool of connections."""

    async def start(self) -> None:
        """Prepare it, inside the event loop."""
        ...

    async def connect(self, addr: str, timeout: float | None = None) -> Comm:  # noqa: ASYNC109  as Dask has it
        """Return a connection that no other call uses; raises OSError."""
        ...

    def reuse(self, addr: str, comm: Comm) -> None:
        """Take a connection back."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class Server(Protocol):
    """A server of Dask: the scheduler, or a node."""

    handlers: dict[str, Callable[..., Any]]
    rpc: Pool

    @property
    def address(self) -> str:
        """Return where others reach it."""
        ...

    async def start(self) -> object:
        """Start it."""
        ...

    async def listen(self, port_or_addr: str, **settings: object) -> None:
        """Listen at an address."""
        ...

    async def close(self) -> None:
        """Close it with its connections."""
        ...


class Library:
    """The parts of Dask distributed that are in use."""

    def __init__(self) -> None:
        core = importlib.import_module("distributed.core")
        self.new_pool: Callable[..., Pool] = core.ConnectionPool
        self.new_server: Callable[..., Server] = core.Server
        self.send_recv: Callable[..., Awaitable[Any]] = core.send_recv


def load() -> Library:
    """Return the library, imported and set up by the first call, which takes about a second.

    Raises `UserError` CLUSTER_NOT_INSTALLED.
    """
    with _loading:
        if not _loaded:
            _loaded.append(_import())
        return _loaded[0]


def _import() -> Library:
    try:
        library = Library()
    except ImportError as error:
        raise user_error("CLUSTER_NOT_INSTALLED") from error
    except Exception as error:
        # It reads YAML files and variables of the user's, and fails on a mistake there.
        raise _not_usable(error) from error
    importlib.import_module("dask.config").set(SETTINGS)
    _silence()
    _refuse_pickles()
    try:
        ceilings.install()
    except AttributeError as error:
        text = f"This version of Dask distributed cannot be used: {error}."
        raise user_error("CLUSTER_NOT_INSTALLED", text) from error
    return library


def _not_usable(error: Exception) -> UserError:
    text = f"Dask cannot be imported: {error}"
    return user_error("CLUSTER_NOT_INSTALLED", text, "Check the settings in `~/.config/dask`.")


def _silence() -> None:
    """Send the logs of the library nowhere."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
        logger.addHandler(logging.NullHandler())
        logger.setLevel(logging.CRITICAL + 1)
        logger.propagate = False


class PickleRefusedError(ValueError):
    """A message contained a pickle."""


def _refuse(*_: object, **__: object) -> NoReturn:
    raise PickleRefusedError("pickles are not accepted")


def _refuse_pickles() -> None:
    """Replace the functions that decode pickles from the network."""
    pickles = importlib.import_module("distributed.protocol.pickle")
    setattr(pickles, "loads", _refuse)  # noqa: B010  the module has no types
    serialize = importlib.import_module("distributed.protocol.serialize")
    families = cast(dict[str, tuple[Any, ...]], serialize.families)
    for name in ("pickle", "dask"):
        dumps, _, *rest = families[name]
        families[name] = (dumps, _refuse, *rest)

"""The processes of a cluster, for commands: scheduler, node, a trial of both, and certificates.

The library below is imported by the functions that need it.
"""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from engine.config.config_file import load_usable
from engine.config.paths import Paths
from engine.domain.errors import user_error
from engine.domain.record import record
from engine.execution.cluster.dask.process_messages import Files, Happening, NodeTask, ProcessReport
from engine.execution.cluster.dask.tls import (
    DEFAULT_PORT,
    TlsFiles,
    checked_address,
    is_loopback,
    tls_files,
)
from engine.execution.cluster.dask.wire import LONGEST_LEASE_S, SHORTEST_LEASE_S
from engine.system.files import expanded

if TYPE_CHECKING:
    from engine.execution.cluster.dask.nanny import Nanny

DEFAULT_LEASE_S = 30.0
LOOPBACK = "127.0.0.1"
Report = Callable[[ProcessReport], None]

__all__ = [
    "DEFAULT_LEASE_S",
    "DEFAULT_PORT",
    "Happening",
    "NodeOptions",
    "NodeRunner",
    "ProcessReport",
    "RunningScheduler",
    "TlsFiles",
    "Trial",
    "certificate_files",
    "make_certificates",
]


@record
class NodeOptions:
    """A node as a command names it; what is None comes from the settings of this machine."""

    scheduler: str | None = None
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    slots: int | None = None
    name: str | None = None
    root: Path | None = None
    lease_s: float = DEFAULT_LEASE_S
    host: str = ""
    port: int = 0


def require_cluster() -> None:
    """Raise `UserError` CLUSTER_NOT_INSTALLED where the extra is not installed."""
    if find_spec("distributed") is None or find_spec("cryptography") is None:
        raise user_error("CLUSTER_NOT_INSTALLED")


def require_linux() -> None:
    """Raise `UserError` NODE_NEEDS_LINUX where the guards of attempts cannot work."""
    if sys.platform != "linux":
        raise user_error("NODE_NEEDS_LINUX")


def cluster_folder(places: Paths) -> Path:
    """Return where nodes and certificates of this machine are by default: beside the home."""
    return places.home.with_name(f"{places.home.name}-cluster")


def host_name() -> str:
    """Return a name for this machine as a node."""
    found = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname().partition(".")[0]).strip("-")
    return found[:63] or "node"


def make_certificates(folder: Path, nodes: Sequence[str], days: int) -> Sequence[TlsFiles]:
    """Make the certificates that a folder lacks; return the new ones.

    Raises `UserError` CERTIFICATE_EXISTS, CERTIFICATE_INVALID, CLUSTER_NOT_INSTALLED and
    INPUT_INVALID for a folder that cannot be written. Blocking.
    """
    from engine.execution.cluster.dask import certificates

    require_cluster()
    try:
        return certificates.make_certificates(folder, nodes, days)
    except OSError as error:
        text = f"`{folder}` cannot be written: {error.strerror or error}."
        raise user_error("INPUT_INVALID", text) from error


def certificate_files(ca: str | None, certificate: str | None, key: str | None) -> TlsFiles | None:
    """Return the files of options; raises `UserError` CERTIFICATE_INVALID."""
    return tls_files(ca, certificate, key)


class NodeRunner:
    """A node on this machine, with a parent that starts it again when it is killed."""

    def __init__(self, places: Paths, options: NodeOptions, report: Report) -> None:
        """Check the options; raises `UserError`. Blocking."""
        from engine.execution.cluster.dask.certificates import checked_name
        from engine.execution.cluster.dask.nanny import Nanny
        from engine.execution.cluster.dask.tls import incoming

        require_linux()
        require_cluster()
        _check_lease(options.lease_s)
        settings = load_usable(places).config
        given = (options.ca, options.certificate, options.key)
        known = (settings.cluster.ca, settings.cluster.certificate, settings.cluster.key)
        files = tls_files(*(given if any(given) else known))
        scheduler = options.scheduler or settings.cluster.scheduler
        if not scheduler:
            raise user_error("CLUSTER_NOT_SET", "No scheduler is named.", "Name it: --scheduler.")
        incoming(files)  # a mistake in the files is reported before anything is started
        name = checked_name(options.name or host_name())
        root = options.root or cluster_folder(places) / "nodes" / name
        task = NodeTask(
            scheduler=checked_address(scheduler, files),
            name=name,
            slots=options.slots or settings.slots,
            root=str(expanded(root).absolute()),
            config=str(places.config),
            lease_s=options.lease_s,
            files=Files.of(files),
            host=options.host,
            port=options.port,
        )
        self._nanny: Nanny = Nanny(task, report)

    def stop(self) -> None:
        """Pass a signal to stop on: the first drains the node, the second ends its runs."""
        self._nanny.stop()

    async def run(self) -> int:
        """Run the node until it was stopped; return its exit code."""
        return await self._nanny.run()


class RunningScheduler:
    """A scheduler in this process."""

    def __init__(self, files: TlsFiles | None, host: str | None, port: int) -> None:
        """Check the options; raises `UserError` CLUSTER_INSECURE, CLUSTER_NOT_INSTALLED."""
        require_cluster()
        self._files = files
        self._host = host if host is not None else ("" if files else LOOPBACK)
        self._port = port
        if files is None and not is_loopback(self._host):
            raise user_error("CLUSTER_INSECURE", f"`{self._host or '*'}` is not on this machine.")

    async def run(self, started: Callable[[str], None]) -> None:
        """Serve until this is cancelled; `started` gets the address. Raises `UserError`."""
        from engine.execution.cluster.dask.library import load
        from engine.execution.cluster.dask.node_server import own_address
        from engine.execution.cluster.dask.scheduler import install
        from engine.execution.cluster.dask.servers import bare_server, listen, scratch_folder

        library = await asyncio.to_thread(load)
        scratch = await asyncio.to_thread(scratch_folder)
        server = bare_server(library, self._files, scratch)
        install(library, server)
        shown = self._host or await asyncio.to_thread(own_address, "192.0.2.1")
        try:
            try:
                started(await listen(server, self._files, self._host, self._port, shown))
            except OSError as error:
                text = f"Cannot listen at {self._host or '*'}:{self._port}: {error.strerror}."
                raise user_error("CLUSTER_ADDRESS_UNAVAILABLE", text) from error
            await asyncio.Event().wait()
        finally:
            await server.close()
            await asyncio.to_thread(_remove, scratch)


@record
class Trial:
    """A scheduler and nodes on this machine, over TLS on loopback."""

    places: Paths
    nodes: int
    slots: int | None
    port: int
    report: Report
    started: Callable[[str, TlsFiles], None]
    """Called with the scheduler's address and the files of a client."""

    async def run(self, stopping: asyncio.Event) -> int:
        """Run until `stopping` is set or all nodes failed, then end all. Raises `UserError`."""
        from engine.execution.cluster.dask.certificates import Certificates

        require_linux()
        require_cluster()
        names = [f"n{number}" for number in range(1, self.nodes + 1)]
        folder = cluster_folder(self.places) / "certificates"
        await asyncio.to_thread(_make_missing, folder, names)
        made = Certificates(folder)
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        scheduler = RunningScheduler(made.of("scheduler"), LOOPBACK, self.port)
        serving = asyncio.create_task(scheduler.run(address.set_result))
        try:
            await asyncio.wait((serving, address), return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
            self.started(await address, made.of("client"))
            runners = [
                await asyncio.to_thread(self._runner, name, address.result(), made.of(name))
                for name in names
            ]
            return await _run_all(runners, stopping)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    def _runner(self, name: str, scheduler: str, files: TlsFiles) -> NodeRunner:
        options = NodeOptions(
            scheduler=scheduler,
            ca=str(files.ca),
            certificate=str(files.certificate),
            key=str(files.key),
            slots=self.slots,
            name=name,
            host=LOOPBACK,
        )
        return NodeRunner(self.places, options, self.report)


async def _run_all(runners: Sequence[NodeRunner], stopping: asyncio.Event) -> int:
    """Run nodes to their end, at once when `stopping` is set; return the highest exit code."""

    async def stop_all() -> None:
        await stopping.wait()
        for runner in runners:
            runner.stop()
            runner.stop()

    waiting = asyncio.create_task(stop_all())
    try:
        codes = await asyncio.gather(*(runner.run() for runner in runners))
    finally:
        waiting.cancel()
    return max(codes)


def _check_lease(lease_s: float) -> None:
    """Raise `UserError` for a lease that no scheduler grants: the node would ask for ever."""
    if not SHORTEST_LEASE_S <= lease_s <= LONGEST_LEASE_S:
        raise user_error(
            "INPUT_INVALID",
            f"A node cannot have a lease of {lease_s:g} seconds.",
            f"Use --lease with {SHORTEST_LEASE_S:g} to {LONGEST_LEASE_S:g} seconds, such as 30s.",
        )


def _make_missing(folder: Path, names: Sequence[str]) -> None:
    from engine.execution.cluster.dask.certificates import DAYS, Certificates

    made = Certificates(folder)
    make_certificates(folder, [name for name in names if not made.has(name)], DAYS)


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)

"""Diagnosis of the cluster: settings, certificates, scheduler and nodes, within seconds."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from engine.agents.profiles import DEFAULT
from engine.config.settings import ClusterSettings
from engine.domain.errors import CATALOGUE, UserError, user_error
from engine.domain.finding import CheckHealth, Finding
from engine.domain.node import ClusterSummary, NodeCondition, NodeSummary
from engine.domain.text import one_line, printable_name
from engine.execution.cluster.dask.tls import TlsFiles, checked_address, outgoing, tls_files

CONNECT_S = 2.0
"""Seconds within which the scheduler has to accept a connection."""
SOON = timedelta(days=14)
"""Time before the end of a certificate from which on it is a warning."""
LARGEST_BYTES = 100_000
_NAME = "cluster"
_REPLACE = CATALOGUE["CERTIFICATE_INVALID"].recovery


async def examine_cluster(
    settings: ClusterSettings, refresh: Callable[[], Awaitable[ClusterSummary]], version: str
) -> list[Finding]:
    """Check the cluster of the settings; without one, nothing is checked.

    `refresh` asks its nodes, `version` is that of this program.
    """
    if not settings.scheduler:
        return []
    try:
        files = tls_files(settings.ca, settings.certificate, settings.key)
        address = checked_address(settings.scheduler, files)
    except UserError as error:
        return [_failed(error)]
    found = await asyncio.to_thread(_certificates, files) if files else []
    if any(one.health is CheckHealth.FAIL for one in found):
        return found
    if problem := await _connection_problem(address):
        return [*found, problem]
    cluster = await refresh()
    if cluster.problem:
        problem = cluster.problem
        return [*found, Finding(_NAME, CheckHealth.FAIL, problem.message, problem.recovery)]
    return [*found, _state(cluster), *_nodes(cluster, version)]


def _failed(error: UserError) -> Finding:
    return Finding(_NAME, CheckHealth.FAIL, error.message, error.recovery)


# Certificates


def _certificates(files: TlsFiles) -> list[Finding]:
    """Check that the files can be used, now and in the next days. Blocking."""
    try:
        outgoing(files)
        ends = {path: _end_of(path) for path in (files.ca, files.certificate)}
        is_open = bool(stat.S_IMODE(files.key.stat().st_mode) & 0o077)
    except UserError as error:
        return [_failed(error)]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return [_failed(user_error("CERTIFICATE_INVALID", f"A certificate is unusable: {reason}."))]
    found = list(_expiry(ends))
    if is_open:
        message = f"Others can read the key {printable_name(str(files.key))}."
        recovery = "Let only its owner read it: `chmod 600` on it."
        found.append(Finding(_NAME, CheckHealth.WARNING, message, recovery))
    return found


def _end_of(path: Path) -> datetime:
    """Return when a certificate expires; raises `UserError`, OSError and ValueError."""
    try:
        from cryptography.x509 import load_pem_x509_certificate
    except ImportError as error:
        raise user_error("CLUSTER_NOT_INSTALLED") from error
    with path.open("rb") as file:
        return load_pem_x509_certificate(file.read(LARGEST_BYTES)).not_valid_after_utc


def _expiry(ends: dict[Path, datetime]) -> Iterator[Finding]:
    now = datetime.now(UTC)
    for path, end in ends.items():
        name = printable_name(str(path))
        if end <= now:
            message = f"The certificate {name} expired on {end:%Y-%m-%d}."
            yield Finding(_NAME, CheckHealth.FAIL, message, _REPLACE)
        elif end - now < SOON:
            message = f"The certificate {name} expires on {end:%Y-%m-%d}."
            yield Finding(_NAME, CheckHealth.WARNING, message, _REPLACE)


# The scheduler and the nodes


async def _connection_problem(address: str) -> Finding | None:
    """Return why no connection to the scheduler can be made; None where one can."""
    parts = urlsplit(address)
    reason = f"no answer within {CONNECT_S:.0f} seconds"
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except TimeoutError:
        pass
    except OSError as error:
        reason = one_line(error.strerror or str(error))
    else:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return None
    message = f"The scheduler {printable_name(address)} cannot be reached: {reason}."
    recovery = CATALOGUE["CLUSTER_UNREACHABLE"].recovery
    return Finding(_NAME, CheckHealth.FAIL, message, recovery)


def _state(cluster: ClusterSummary) -> Finding:
    ready = [node for node in cluster.nodes if not node.is_away]
    if not ready:
        message = "No node of the cluster is ready."
        return Finding(_NAME, CheckHealth.WARNING, message, "Start one: `swarm-tui node`.")
    free = sum(node.machine.free_slots for node in ready if node.machine)
    slots = f"{free} slot{'' if free == 1 else 's'} free"
    message = f"{len(ready)} of {len(cluster.nodes)} nodes ready, {slots}"
    return Finding(_NAME, CheckHealth.OK, message)


def _nodes(cluster: ClusterSummary, version: str) -> Iterator[Finding]:
    for node in cluster.nodes:
        for message, recovery in _problems(node, version):
            name = f"node {printable_name(node.name)}"
            yield Finding(name, CheckHealth.WARNING, one_line(message), recovery)


def _problems(node: NodeSummary, version: str) -> Iterator[tuple[str, str]]:
    """Yield what keeps a node from working, and how to fix it."""
    runs = f"{len(node.runs)} run{'' if len(node.runs) == 1 else 's'}"
    if node.condition is NodeCondition.LOST:
        yield f"It was cut off, with {runs}.", CATALOGUE["NODE_LOST"].recovery
    elif node.is_away:
        yield f"It does not answer; {runs} there.", CATALOGUE["NODE_UNREACHABLE"].recovery
    if (machine := node.machine) is None or node.is_away:
        return
    if not machine.is_compatible or machine.version != version:
        words = f"It has swarm-tui {machine.version}, this machine {version}."
        yield words, CATALOGUE["NODE_INCOMPATIBLE"].recovery
    if not machine.agent_version:
        yield f"It has no {DEFAULT.title}.", f"Install {DEFAULT.title} there."
    elif not machine.is_logged_in:
        yield (
            f"{DEFAULT.title} is not ready: {machine.login}",
            f"Run `{DEFAULT.login_command}` there.",
        )

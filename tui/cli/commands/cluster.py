"""`swarm-tui cluster`: the scheduler of a cluster, a trial on this machine, and certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tui.cli.support import output
from tui.cli.support.cluster_options import SLOTS, port_option, tls_options
from tui.cli.support.lazy import LazyCommand, LazyGroup
from tui.cli.support.options import (
    FolderParam,
    NumberParam,
    TextParam,
    everywhere,
    examples,
    json_option,
)

if TYPE_CHECKING:
    import signal
    from collections.abc import Sequence

    from engine.cluster_processes import RunningScheduler, TlsFiles

COMMANDS = {
    "up": LazyCommand("tui.cli.commands.cluster:up", "Try a scheduler and nodes on this machine"),
    "scheduler": LazyCommand("tui.cli.commands.cluster:scheduler", "Start the scheduler"),
    "certificates": LazyCommand(
        "tui.cli.commands.cluster:certificates", "Make the certificates of a cluster"
    ),
}
PORT = 8786
DAYS = 825
MOST_DAYS = 3650
MOST_NODES = 32


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    epilog=examples(
        "cluster up --nodes 2",
        "cluster certificates certs --node n1 --node n2",
        "cluster scheduler --ca ca.pem --certificate scheduler.pem --key scheduler.key",
    ),
)
@everywhere()
def cluster() -> None:
    """Start the scheduler of a cluster, or a trial of one; make its certificates.

    Runs of this home then work on its nodes: set `cluster` in the settings. Nodes are started with
    `swarm-tui node` on their machines. Needs this package's `cluster` extra; docs/cluster.md
    explains the set-up.
    """


@click.command(epilog=examples("cluster up", "cluster up --nodes 3 --slots 2"))
@click.option(
    "--nodes",
    type=NumberParam(1, MOST_NODES),
    default=1,
    show_default=True,
    help="Start this many nodes.",
)
@click.option(
    "--slots",
    type=NumberParam(1, SLOTS),
    help="Run this many agents on each. Default: `slots` of the settings.",
)
@port_option("Let the scheduler listen on this port; 0 chooses a free one.", PORT)
@json_option("Print each report as a line of JSON.")
@everywhere()
def up(nodes: int, slots: int | None, port: int, as_json: bool) -> int:
    """Try a cluster: start a scheduler and nodes on this machine, until it is stopped.

    It uses TLS on loopback with certificates of its own, and prints the settings to use. Ctrl-C
    ends everything, runs on its nodes included.
    """
    from tui.cli.support import session

    return session.start(_up(nodes, slots, port, as_json=as_json))


@click.command(
    epilog=examples(
        "cluster scheduler --ca ca.pem --certificate scheduler.pem --key scheduler.key",
        "cluster scheduler --host 127.0.0.1",
    )
)
@tls_options
@click.option(
    "--host",
    type=TextParam(),
    help="Listen at this address only. Default: all with TLS, else loopback.",
)
@port_option("Listen on this port; 0 chooses a free one.", PORT)
@json_option("Print the address as JSON.")
@everywhere()
def scheduler(
    ca: str | None,
    certificate: str | None,
    key: str | None,
    host: str | None,
    port: int,
    as_json: bool,
) -> int:
    """Start the scheduler of a cluster, until it is stopped.

    Nodes and engines connect to it; it also connects to the nodes. It stores nothing and can be
    started again at any time: runs go on if it is back within their lease. Without certificates it
    listens on loopback only.
    """
    from engine.cluster_processes import RunningScheduler, certificate_files
    from tui.cli.support import session

    async def work() -> int:
        files = certificate_files(ca, certificate, key)
        return await _serve(RunningScheduler(files, host, port), as_json=as_json)

    return session.start(work())


@click.command(
    epilog=examples(
        "cluster certificates certs --node n1 --node n2", "cluster certificates certs --node n3"
    )
)
@click.argument("folder", type=FolderParam(), metavar="DIR")
@click.option(
    "--node", "nodes", multiple=True, type=TextParam(), help="Make one for this node (repeatable)."
)
@click.option(
    "--days",
    type=NumberParam(1, MOST_DAYS),
    default=DAYS,
    show_default=True,
    help="Let them expire after this many days.",
)
@json_option("Print the files as a JSON array.")
@everywhere()
def certificates(folder: str, nodes: Sequence[str], days: int, as_json: bool) -> int:
    """Make the certificates of a cluster in the folder DIR: what is missing there.

    These are a CA, one certificate each for the scheduler and for clients, and one for each NODE.
    Nothing is overwritten. Copy `ca.pem` and the two files of a machine's role to that machine;
    `ca.key` makes new members of the cluster: keep it here, readable for you alone.
    """
    from engine.cluster_processes import make_certificates
    from engine.system.files import expanded

    made = make_certificates(expanded(folder), nodes, days)
    if as_json:
        names = [{"certificate": str(one.certificate), "key": str(one.key)} for one in made]
        output.say_json(names)
        return 0
    for one in made:
        output.say(str(one.certificate))
    if not made:
        output.say_aside("Nothing is missing. Name nodes with --node.")
    return 0


async def _serve(running: RunningScheduler, *, as_json: bool) -> int:
    """Run the scheduler until a signal, which is its orderly end."""
    import asyncio

    from tui.cli.support import session

    def started(address: str) -> None:
        if as_json:
            output.say_json({"event": "listening", "scheduler": address})
        else:
            output.say(f"scheduler at {address}")

    def stop(_: signal.Signals) -> None:
        serving.cancel()

    serving = asyncio.ensure_future(running.run(started))
    with session.stops(stop):
        await asyncio.wait((serving,))
    if not serving.cancelled():
        serving.result()
    return 0


async def _up(nodes: int, slots: int | None, port: int, *, as_json: bool) -> int:
    import asyncio

    from engine.cluster_processes import Trial
    from engine.config import paths
    from tui.cli.support import session
    from tui.cli.support.cluster_reports import ClusterReports

    reports = ClusterReports(as_json=as_json)
    stopping = asyncio.Event()

    def started(address: str, files: TlsFiles) -> None:
        if as_json:
            output.say_json({"event": "listening", **_settings(address, files)})
        else:
            output.say(_settings_text(address, files))

    trial = Trial(paths.find(), nodes, slots, port, reports, started)
    with session.stops(lambda _signal: stopping.set()):
        code = await trial.run(stopping)
    reports.check()
    return code


def _settings(address: str, files: TlsFiles) -> dict[str, str]:
    return {
        "scheduler": address,
        "ca": str(files.ca),
        "certificate": str(files.certificate),
        "key": str(files.key),
    }


def _settings_text(address: str, files: TlsFiles) -> str:
    import json

    # A string of JSON is one of YAML, whatever the path contains.
    lines = [f"  {key}: {json.dumps(value)}" for key, value in _settings(address, files).items()]
    head = "# Settings of this cluster (`swarm-tui config edit`); then: swarm-tui run --on any"
    # An empty line separates the settings from the reports of nodes that follow.
    return "\n".join((head, "cluster:", *lines, ""))

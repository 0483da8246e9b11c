"""`swarm-tui node`: this machine as a node of a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.support.cluster_options import SLOTS, name_option, port_option, tls_options
from tui.cli.support.options import (
    DurationParam,
    FolderParam,
    NumberParam,
    TextParam,
    everywhere,
    examples,
    json_option,
)

if TYPE_CHECKING:
    from engine.cluster_processes import NodeOptions


@click.command(
    epilog=examples(
        "node --scheduler tls://192.0.2.7:8786 --ca ca.pem --certificate node-n1.pem "
        "--key node-n1.key --name n1",
        "node --scheduler tcp://127.0.0.1:8786 --slots 2",
    )
)
@click.option("--scheduler", type=TextParam(), metavar="ADDRESS", help="Join this scheduler.")
@click.option(
    "--slots",
    type=NumberParam(1, SLOTS),
    help="Run this many agents at a time. Default: `slots` of the settings.",
)
@name_option
@click.option(
    "--root",
    type=FolderParam(),
    metavar="DIR",
    help="Keep workspaces and output here. Default: a folder beside the home.",
)
@tls_options
@click.option(
    "--lease",
    "lease_s",
    type=DurationParam(),
    default="30s",
    show_default=True,
    metavar="TIME",
    help="End runs after this time without the scheduler.",
)
@click.option("--host", type=TextParam(), help="Listen at this address of the machine only.")
@port_option("Listen on this port; 0 chooses a free one.", 0)
@json_option("Print each report as a line of JSON.")
@everywhere()
def node(
    scheduler: str | None,
    slots: int | None,
    name: str | None,
    root: str | None,
    ca: str | None,
    certificate: str | None,
    key: str | None,
    lease_s: float,
    host: str | None,
    port: int,
    as_json: bool,
) -> int:
    """Run agents on this machine for engines on others, until it is stopped.

    It joins the scheduler and waits for runs; it starts again by itself after a crash, and goes on
    with its runs. The first signal (Ctrl-C, SIGTERM) lets its runs end and takes no new ones; the
    second ends them; the third leaves them to their lease. Options left out come from `cluster` in
    the settings. Needs Linux, and this package's `cluster` extra; docs/cluster.md explains the
    set-up.
    """
    from engine.cluster_processes import NodeOptions
    from tui.cli.support import session

    options = NodeOptions(
        scheduler=scheduler,
        ca=ca,
        certificate=certificate,
        key=key,
        slots=slots,
        name=name,
        root=Path(root) if root else None,
        lease_s=lease_s,
        host=host or "",
        port=port,
    )
    return session.start(_run(options, as_json=as_json))


async def _run(options: NodeOptions, *, as_json: bool) -> int:
    import asyncio

    from engine.cluster_processes import NodeRunner
    from engine.config import paths
    from tui.cli.support import session
    from tui.cli.support.cluster_reports import ClusterReports

    reports = ClusterReports(as_json=as_json)
    runner = await asyncio.to_thread(NodeRunner, paths.find(), options, reports)
    with session.stops(lambda _signal: runner.stop()):
        code = await runner.run()
    reports.check()
    return code

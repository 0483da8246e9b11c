"""`swarm-tui nodes`: the nodes of the cluster, and what runs there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from tui.cli.support import output
from tui.cli.support.options import everywhere, examples, json_option

if TYPE_CHECKING:
    from engine.domain.node import ClusterSummary


@click.command(epilog=examples("nodes", "nodes --json"))
@json_option("Print the cluster as one JSON object.")
@everywhere()
def nodes(as_json: bool) -> int:
    """Show the nodes of the cluster: condition, slots, load, free memory and disk, Codex, login.

    RUNS are those of this home at work there, SLOTS those taken by runs of any home; LOAD is per
    processor. The exit code is 3 where no cluster is set up, or its scheduler cannot be reached.
    """
    from tui.cli.support import session

    return session.start(_show(as_json=as_json))


async def _show(*, as_json: bool) -> None:
    from engine.domain.node_json import cluster_json
    from tui.cli.support import session
    from tui.cli.support.nodes import ask_cluster, check_answered

    async with session.open_engine() as engine:
        found = await ask_cluster(engine)
    if not as_json:
        _print(found)
    check_answered(found)
    if as_json:
        output.say_json(cluster_json(found))


def _print(found: ClusterSummary) -> None:
    """Print what is known; without an answer of the scheduler, only nodes that have runs."""
    from tui.cli.support.node_table import node_lines, problem_lines

    if found.nodes:
        output.say_styled(node_lines(found))
    elif not found.problem:
        output.say_aside("No node has joined the cluster yet: `swarm-tui node` starts one.")
    for line in problem_lines(found, time.time()):
        output.say_aside(line)

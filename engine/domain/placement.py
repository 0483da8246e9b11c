"""The machine on which a queued run can start now, and why it waits for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from engine.domain.hosts import requested_host
from engine.domain.model import ANY_NODE, LOCAL, Pause, Run, WorkspaceKind
from engine.domain.projection import View
from engine.domain.reasons import WaitingFor
from engine.domain.record import record
from engine.domain.text import printable_name

NO_CLUSTER = "no cluster set"
NOT_TAKEN = (
    "the supervising process does not use the cluster of the settings yet; if it stays so, restart "
    "it: `swarm-tui doctor` names it"
)
Pick = Callable[[Sequence[str]], str]


@record
class NodePlaces:
    """Places for runs on the nodes of the cluster, as the nodes were last seen."""

    is_set: bool = False
    """True if the settings name a cluster, here or of the engine that supervises."""
    is_taken: bool = True
    """True if the engine that supervises has it: its settings may be older than the file."""
    free: Mapping[str, int] = field(default_factory=dict[str, int])
    """Free slots of the nodes that are ready."""
    lost: frozenset[str] = frozenset()
    """Nodes that have ended their runs, for their leases have expired."""
    silent_since: Mapping[str, float] = field(default_factory=dict[str, float])
    """Since when nodes do not answer that queued runs wait for, in seconds since 1970."""
    machines: frozenset[str] = frozenset()
    """Machines that are not of the cluster: runs there take the same slots as runs here."""

    def is_node(self, host: str) -> bool:
        """Return whether a machine has slots of its own."""
        return host != LOCAL and host not in self.machines


def place_of(
    view: View, run: Run, nodes: NodePlaces, *, is_full_here: bool, pick: Pick | None = None
) -> str | None:
    """Return the machine on which a queued run can start now; None: it waits for one.

    Of any node, it is the one with the most free slots. `pick` chooses among equals; without it,
    chance does.
    """
    wanted = wanted_host(view, run, nodes)
    if not nodes.is_node(wanted):
        return None if is_full_here else wanted
    if wanted != ANY_NODE:
        return wanted if nodes.free.get(wanted, 0) > 0 else None
    most = max(nodes.free.values(), default=0)
    best = sorted(node for node, free in nodes.free.items() if free == most)
    if most <= 0:
        return None
    if pick is None:
        import random  # which a list of runs does not need

        pick = random.choice
    return pick(best)


def wanted_host(view: View, run: Run, nodes: NodePlaces) -> str:
    """Return the machine that a queued run waits for: that of its workspace, or as requested.

    A workspace on a lost node is waited for only if the run cannot start over on another node.
    """
    bound = _bound_host(view, run)
    if bound is None or moves(run, bound, nodes):
        return requested_host(run)
    return bound


def moves(run: Run, host: str, nodes: NodePlaces) -> bool:
    """Return whether a run starts over on another node than that of its workspace, which is lost.

    A message of the user is about the work there, and waits for the node.
    """
    is_free = requested_host(run) != host and not run.attempt_prompt
    return is_free and host in nodes.lost


def left_node(run: Run, host: str, nodes: NodePlaces) -> str:
    """Return the lost node that a run leaves when it starts on `host`; empty: none."""
    there = run.workspace.host if run.workspace and not run.in_trash else ""
    is_left = there not in ("", host) and run.host in ("", there)
    return there if is_left and moves(run, there, nodes) else ""


def node_hold(view: View, run: Run, places: Callable[[], NodePlaces]) -> Pause | None:
    """Return why a queued run waits for a node, as a hold of that run; None where it does not.

    The places are asked for only if it is not for this machine.
    """
    if wanted_host(view, run, NodePlaces()) == LOCAL:
        return None
    nodes = places()
    wanted = wanted_host(view, run, nodes)
    reason = _reason(wanted, nodes) if nodes.is_node(wanted) else ""
    since = nodes.silent_since.get(wanted)
    return Pause(reason, waiting_for=WaitingFor.NODE, since=since) if reason else None


def _reason(wanted: str, nodes: NodePlaces) -> str:
    name = printable_name(wanted)
    if not nodes.is_set:
        return NO_CLUSTER
    if not nodes.is_taken:
        return NOT_TAKEN
    if wanted == ANY_NODE:
        is_free = any(free > 0 for free in nodes.free.values())
        return "" if is_free else "no free slot on any node" if nodes.free else "no node answers"
    if wanted in nodes.lost:
        return f"node {name} is lost"
    if wanted not in nodes.free:
        return f"node {name} does not answer"
    return "" if nodes.free[wanted] > 0 else f"no free slot on {name}"


def _bound_host(view: View, run: Run) -> str | None:
    """Return the machine that has what the run works on; None: it can start on any."""
    workspace = run.workspace
    if workspace and not run.in_trash and run.host in ("", workspace.host):
        return workspace.host
    wish = run.spec.workspace
    if wish.kind is WorkspaceKind.FROM_RUN and requested_host(run) == ANY_NODE:
        earlier = view.runs.get(wish.source or "")
        return earlier.workspace.host if earlier and earlier.workspace else None
    return None

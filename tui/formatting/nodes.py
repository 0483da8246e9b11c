"""Nodes of the cluster as words and figures, for the dashboard and the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.domain.hosts import host_of
from engine.domain.model import Run
from engine.domain.node import ClusterSummary, NodeCondition, NodeMachine, NodeSummary
from engine.domain.record import record
from engine.domain.text import printable_name, size
from tui.formatting.numbers import age, ago
from tui.formatting.runs import run_glyph, run_word, tone
from tui.formatting.symbols import sign
from tui.terminal.cells import clean, fit

NODE_TONES = {
    NodeCondition.READY: "good",
    NodeCondition.UNREACHABLE: "warn",
    NodeCondition.LOST: "bad",
}
"""The tone of each condition."""
_LONGEST_NAME, _LONGEST_REASON = 60, 200


@record
class NodeColumn:
    """A column of the list of nodes: its heading, the text of a cell, and its width."""

    name: str
    text: Callable[[NodeSummary], str]
    width: int
    is_number: bool = True


def _slots_of(node: NodeSummary) -> str:
    """Return the taken slots and all; unknown for a node that is lost, which has ended its runs."""
    known = node.machine if node.condition is not NodeCondition.LOST else None
    return f"{known.busy_slots}/{known.slots}" if known else sign("–", "-")


def _of_machine(text: Callable[[NodeMachine], str]) -> Callable[[NodeSummary], str]:
    """Return the text of a fact that is unknown until the node has answered."""
    return lambda node: text(node.machine) if node.machine else sign("–", "-")


def _codex(machine: NodeMachine) -> str:
    if not machine.agent_version:
        return "none"
    return clean(machine.agent_version, 20) if machine.is_logged_in else "no login"


NODE_COLUMNS = (
    NodeColumn("STATE", lambda node: node.condition.value, 11, is_number=False),
    NodeColumn("RUNS", lambda node: str(len(node.runs)), 4),
    NodeColumn("SLOTS", _slots_of, 7),
    NodeColumn("LOAD", _of_machine(lambda it: f"{it.load_per_processor:.2f}"), 5),
    NodeColumn("MEMORY", _of_machine(lambda it: size(it.memory_bytes)), 10),
    NodeColumn("DISK", _of_machine(lambda it: size(it.disk_bytes)), 10),
    NodeColumn("CODEX", _of_machine(_codex), 9),
)
"""All columns behind the name; MEMORY and DISK are what is free, LOAD is per processor."""


def node_name(node: NodeSummary) -> str:
    """Return the name of a node, to show."""
    return host_name(node.name)


def host_name(host: str) -> str:
    """Return the name of a machine, to show."""
    return clean(printable_name(host), _LONGEST_NAME)


def node_problems(node: NodeSummary, now: float, version: str) -> Iterator[str]:
    """Yield sentences on what keeps a node from working; `version` is that of swarm-tui here."""
    if node.is_away:
        yield away_sentence(node, now)
    machine = node.machine
    if machine is None:
        return
    name = node_name(node)
    if not machine.is_compatible:
        there = clean(machine.version, 40)
        yield f"{name} has swarm-tui {there}, this machine {version}: install the same version."
    elif machine.version != version:
        yield f"{name} has swarm-tui {clean(machine.version, 40)}, this machine {version}."
    if not machine.agent_version:
        yield f"{name} has no Codex."
    elif not machine.is_logged_in:
        yield f"{name}: Codex is not ready: {clean(machine.login, _LONGEST_REASON)}"


def away_sentence(node: NodeSummary, now: float) -> str:
    """Return what is known of a node that does not answer, and what becomes of its runs."""
    name, runs = node_name(node), _counted(len(node.runs))
    if node.condition is NodeCondition.LOST:
        rest = f"; {runs} there will be reported as lost" if node.runs else ""
        return f"{name} was cut off, and has ended its runs{rest}."
    away = (
        "does not answer" if node.since is None else f"has not answered for {age(now - node.since)}"
    )
    rest = f" {runs} there may still be at work." if node.runs else ""
    return f"{name} {away}.{rest}"


def away_words(cluster: ClusterSummary) -> str:
    """Return in a few words which nodes with runs are away; empty where all answer."""
    away = cluster.away
    first = next(iter(away), None)
    if first is None:
        return ""
    runs = _counted(sum(len(node.runs) for node in away))
    if len(away) > 1:
        return f"{len(away)} nodes do not answer {sign('·', '-')} {runs}"
    verb = "is lost" if first.condition is NodeCondition.LOST else "does not answer"
    return f"{node_name(first)} {verb} {sign('·', '-')} {runs}"


def files_note(run: Run, cluster: ClusterSummary) -> str:
    """Return of which state the shown files of a run are, while its node is away."""
    host = host_of(run)
    node = next((node for node in cluster.nodes if node.name == host and node.is_away), None)
    if node is None:
        return ""
    verb = "is lost" if node.condition is NodeCondition.LOST else "does not answer"
    state = f"checkpoint {run.checkpoint}{sign(' · ', ' - ')}" if run.checkpoint else ""
    return f"{state}{node_name(node)} {verb}"


def scheduler_words(cluster: ClusterSummary, now: float) -> str:
    """Return in a line how the cluster stands."""
    address = clean(printable_name(cluster.scheduler), _LONGEST_NAME)
    if cluster.problem:
        seen = "" if cluster.answered_at is None else f"; seen {ago(cluster.answered_at, now)}"
        return f"{address} does not answer{seen}"
    ready = [node for node in cluster.nodes if not node.is_away]
    free = sum(node.machine.free_slots for node in ready if node.machine)
    count = f"{len(ready)} of {len(cluster.nodes)} nodes ready"
    return f"{address} {sign('·', '-')} {count} {sign('·', '-')} {_free_slots(free)}"


def _free_slots(free: int) -> str:
    return f"{free} slot{'' if free == 1 else 's'} free"


def _counted(runs: int) -> str:
    return f"{runs} run{'' if runs == 1 else 's'}"


def node_filter(node: NodeSummary) -> str:
    """Return the filter of the runs on a node."""
    name = node.name.replace('"', "")
    return f'on:"{name}"' if not name.isalnum() else f"on:{name}"


def node_lines(
    node: NodeSummary, now: float, version: str, most_runs: int
) -> list[tuple[str, str]]:
    """Return all that is known of a node in lines, each with its tone: problems, facts, runs."""
    problem_tone = NODE_TONES[node.condition] if node.is_away else "warn"
    lines = [(text, problem_tone) for text in node_problems(node, now, version)]
    if node.machine:
        lines += [(text, "dim") for text in _fact_lines(node, node.machine, now)]
    if not node.runs:
        return [*lines, ("No run of this home is at work there.", "dim")]
    lines += [(_run_line(run), tone(run.status)) for run in node.runs[:most_runs]]
    rest = len(node.runs) - most_runs
    return [*lines, (f"{_counted(rest)} more", "dim")] if rest > 0 else lines


def _fact_lines(node: NodeSummary, machine: NodeMachine, now: float) -> Iterator[str]:
    between = f" {sign('·', '-')} "
    if node.is_away:
        yield f"As it was {ago(machine.seen_at, now)}:"
    other = f", {_counted(machine.other_runs)} of other homes" if machine.other_runs else ""
    # A lost node has ended its runs: their slots are not taken any more.
    taken = f"{machine.busy_slots} of {machine.slots} slots taken{other}"
    load = f"load {machine.load:.2f} on {machine.processors} processors"
    yield between.join((load,) if node.condition is NodeCondition.LOST else (taken, load))
    free = f"{size(machine.memory_bytes)} memory and {size(machine.disk_bytes)} disk free"
    codex = f"Codex {clean(machine.agent_version, 40)}" if machine.agent_version else "no Codex"
    login = "login ok" if machine.is_logged_in else "no login"
    accounts = f", accounts: {clean(', '.join(machine.accounts), 100)}" if machine.accounts else ""
    yield free
    yield between.join((f"swarm-tui {clean(machine.version, 40)}", codex, f"{login}{accounts}"))


def _run_line(run: Run) -> str:
    return f"{run_glyph(run)} {run.id}  {fit(run_word(run), 10)} {clean(run.spec.title, 200)}"

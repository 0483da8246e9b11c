"""`swarm-tui nodes`: the nodes of the cluster as a table and as JSON."""

from __future__ import annotations

import msgspec
import pytest
from known_cluster import SCHEDULER, KnownCluster, ready, unreachable
from typed import Swarm

from engine.config.paths import Paths
from engine.domain.errors import user_error
from engine.lazy_services import LazyServices
from tui.cli import json
from tui.terminal.cells import cells

SETTINGS = f"cluster: {{scheduler: '{SCHEDULER}'}}\n"


@pytest.fixture
def cluster(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> KnownCluster:
    """The cluster of the settings."""
    paths.config.write_text(SETTINGS)
    found = KnownCluster()
    monkeypatch.setattr(LazyServices, "require_cluster", found.connected)
    return found


def test_nodes_are_a_table_that_fits_80_columns(inside: Swarm, cluster: KnownCluster) -> None:
    cluster.states = [ready("n1", "one", "two"), ready("n2", load=0.4), unreachable("n3", 90)]
    done = inside("nodes")
    assert (done.code, done.err) == (0, "n3 has not answered for 1m.\n")
    heading, first, second, third = done.out.splitlines()
    assert heading.split() == ["NODE", "STATE", "RUNS", "SLOTS", "LOAD", "MEMORY", "DISK", "CODEX"]
    assert first.split() == [
        *("n1", "ready", "0", "2/8", "0.50", "12.0", "GiB", "84.0", "GiB", "0.171.0")
    ]
    assert "0.10" in second
    assert third.split()[:4] == ["n3", "unreachable", "0", "–"]
    assert max(map(cells, done.out.splitlines())) <= 80


def test_a_long_name_is_cut_on_a_terminal_only(
    inside: Swarm, cluster: KnownCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "node-" * 10
    cluster.states = [ready(name)]
    assert name in inside("nodes").out
    monkeypatch.setattr("tui.cli.support.node_table.terminal_width", lambda: 80)
    lines = inside("nodes").out.splitlines()
    assert max(map(cells, lines)) <= 80 and "node-node-" in lines[1]


def test_hostile_facts_of_a_node_harm_no_terminal(inside: Swarm, cluster: KnownCluster) -> None:
    evil = "\x1b[31mred\x1b]0;title\x07\n\x9b2J\u202e"
    cluster.states = [ready(f"n{evil}", agent_version=evil, login=evil, version=evil)]
    done = inside("nodes")
    assert done.code == 0
    assert not set(done.out + done.err) & set("\x1b\x07\x9b\u202e")
    assert len(done.out.splitlines()) == 2


def test_problems_of_a_node_are_named(inside: Swarm, cluster: KnownCluster) -> None:
    cluster.states = [
        ready("n1", agent_version=""),
        ready("n2", login="Codex is not logged in."),
        ready("n3", version="0.2.0"),
        ready("n4", version="9.0", protocol=99),
    ]
    assert inside("nodes").err.splitlines() == [
        "n1 has no Codex.",
        "n2: Codex is not ready: Codex is not logged in.",
        "n3 has swarm-tui 0.2.0, this machine 0.1.0.",
        "n4 has swarm-tui 9.0, this machine 0.1.0: install the same version.",
    ]


def test_nodes_as_json_have_the_documented_shape(inside: Swarm, cluster: KnownCluster) -> None:
    cluster.states = [ready("n1", "one"), unreachable("n2")]
    told = inside("nodes", "--json").json
    msgspec.convert(told, json.DOCUMENTS["nodes"], strict=True)
    assert told["scheduler"] == SCHEDULER
    first, second = told["nodes"]
    assert (first["machine"]["free_slots"], first["machine"]["other_runs"]) == (7, 1)
    assert (second["condition"], second["machine"]) == ("unreachable", None)
    assert second["unreachable_since"]


def test_an_empty_cluster_names_the_command_that_adds_a_node(
    inside: Swarm, cluster: KnownCluster
) -> None:
    del cluster
    done = inside("nodes")
    assert (done.code, done.out) == (0, "")
    assert "`swarm-tui node` starts one" in done.err


def test_a_scheduler_that_cannot_be_reached_is_an_error(
    inside: Swarm, cluster: KnownCluster
) -> None:
    cluster.error = user_error("CLUSTER_UNREACHABLE")
    done = inside("nodes")
    assert (done.code, done.out) == (3, "")
    assert "CLUSTER_UNREACHABLE" in done.err
    assert inside("nodes", "--json").json["error"]["code"] == "CLUSTER_UNREACHABLE"


def test_without_a_cluster_the_line_to_add_is_named(inside: Swarm) -> None:
    done = inside("nodes")
    assert (done.code, done.out) == (3, "")
    assert "cluster: {scheduler: 'tls://HOST:8786'}" in done.err
    assert inside("nodes", "--json").json["error"]["code"] == "CLUSTER_NOT_SET"

"""`--on` of the commands that start runs again: on a node that is named, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from known_cluster import SCHEDULER, KnownCluster, ready
from typed import Swarm

from engine.config.paths import Paths
from engine.lazy_services import LazyServices
from tui.cli.support import foreground


@pytest.fixture
def cluster(
    paths: Paths, here: Path, swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> KnownCluster:
    """The cluster of the settings, after the batch `x` has failed here; nothing supervises."""
    (here / "rows.csv").write_text("prompt\nsim: fail no\nsim: fail quota\n")
    words = ("--from", "rows.csv", "--empty", "--name", "x", "--agent", "simulated")
    assert swarm("batch", *words).code == 1
    paths.config.write_text(f"cluster: {{scheduler: '{SCHEDULER}'}}\n")
    found = KnownCluster(ready("n1"), ready("n2"))
    monkeypatch.setattr(LazyServices, "require_cluster", found.connected)

    def nothing(_: object) -> None:
        return

    monkeypatch.setattr(foreground, "go_on", nothing)
    return found


def test_failed_runs_of_a_batch_start_over_on_the_node_that_is_named(
    inside: Swarm, cluster: KnownCluster
) -> None:
    refused = inside("batch", "retry", "x", "--on", "n9", "--detach")
    assert refused.code == 3 and "NODE_UNKNOWN" in refused.err
    assert {run["status"] for run in inside("ls", "--json").json} == {"failed"}
    done = inside("batch", "retry", "x", "--on", "n1", "--detach", "--json")
    assert (done.code, done.err) == (0, "")
    listed = inside("ls", "--on", "n1", "--json").json
    assert [(run["host"], run["status"]) for run in listed] == [("n1", "queued")] * 2
    assert inside("ls", "--on", "local", "--json").json == []
    one = listed[0]["id"]
    assert inside("cancel", one).code == 0
    assert inside("retry", one, "--on", "any", "--detach").code == 0
    assert [run["id"] for run in inside("ls", "--on", "any", "--json").json] == [one]

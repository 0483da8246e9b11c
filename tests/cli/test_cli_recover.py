"""`doctor --recover`: a deleted database is reported by all commands, and its runs rebuilt."""

from __future__ import annotations

import json
from collections.abc import Callable

from typed import Swarm

from engine.config.paths import Paths


def test_a_deleted_database_is_reported_and_its_live_run_goes_on(
    swarm: Swarm, detached: Callable[..., str], paths: Paths
) -> None:
    run = detached("sim: numbered 60 every=0.1\nsim: say end")
    while "n 3" not in swarm("logs", run).out:
        pass
    for part in paths.home.glob("swarm.db*"):
        part.unlink()
    for words in (["ls"], ["show", run], ["cancel", run], ["run", "--empty", "x"], ["du"]):
        done = swarm(*words)
        assert (done.code, "DATABASE_MISSING" in done.err) == (3, True), words
    done = swarm("doctor", "--json")
    health = {finding["name"]: finding["health"] for finding in done.json["findings"]}
    assert (done.code, health["database"]) == (1, "fail")
    assert health.keys() >= {"codex", "git", "disk", "home", "settings", "terminal", "supervisor"}
    done = swarm("doctor", "--recover", "--json")
    assert done.code == 0, done.out  # whatever else is wrong, as with the login of Codex
    told = json.loads(done.out)["recovered"]
    assert (told["runs"], told["unreadable"], told["aside"]) == (1, [], None)
    assert swarm("wait", run).code == 0
    said = swarm("logs", run).out
    assert [said.count(f"n {n}\n") for n in (1, 30, 60)] == [1, 1, 1]

"""`apply` of a run that changed nothing: stated, and not counted as applied."""

from __future__ import annotations

from pathlib import Path

import repos
from typed import Swarm


def test_run_without_changes_is_not_applied(swarm: Swarm, inside: Swarm, here: Path) -> None:
    here.rmdir()
    repos.repository(here)
    run = swarm("run", "--agent", "simulated", "--json", "sim: say hello").events[0]["run"]
    before = repos.git(here, "log", "--all", "--format=%H")
    done = inside("apply", run)
    assert (done.code, "nothing to apply" in done.out) == (0, True)
    told = inside("apply", run, "--json").json
    assert (told["applied"], told["files"], told["outcome"]) == (False, [], "applied")
    assert inside("show", run, "--json").json["applied"] is None
    assert repos.git(here, "log", "--all", "--format=%H") == before

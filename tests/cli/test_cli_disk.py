"""`du` and `cleanup`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typed import Swarm

from engine.config.paths import Paths


def started(swarm: Swarm, *lines: str) -> str:
    """Execute a run of the simulated agent and return its id."""
    prompt = "\n".join(f"sim: {line}" for line in lines)
    done = swarm("run", "--empty", "--agent", "simulated", "--json", prompt)
    assert done.code == 0, done.err
    return json.loads(done.out.splitlines()[0])["run"]


def test_du_says_what_takes_room(swarm: Swarm, paths: Paths) -> None:
    run = started(swarm, "write big.txt " + "x" * 9000)
    told = swarm("du")
    assert (told.code, told.err) == (0, "")
    for word in ("workspaces", "run files", "database", run, "free"):
        assert word in told.out
    found = json.loads(swarm("du", "--json").out)
    (workspace,) = [one for one in found["places"] if one["kind"] == "workspace"]
    assert workspace["run"] == run
    assert workspace["apparent"] > 9000
    assert found["free"] > 0
    assert json.loads(swarm("du", "--json", "--project", "nobody's").out)["places"] == []


def test_a_cleanup_says_what_it_would_do_and_asks(swarm: Swarm, paths: Paths) -> None:
    bare = started(swarm, "say nothing to do")
    unsaved = started(swarm, "write work.txt work")
    planned = swarm("cleanup", "--dry-run")
    assert planned.code == 0
    assert "would go: 1 workspace" in planned.out
    assert "1 changed file not applied" in planned.out
    refused = swarm("cleanup")
    assert refused.code == 3
    assert "--force" in refused.err
    told = json.loads(swarm("cleanup", "--dry-run", "--json").out)
    assert [item["run"] for item in told["take"]] == [bare]
    assert [item["run"] for item in told["keep"]] == [unsaved]
    assert len(list(paths.workspaces.glob("*/*"))) == 2


def test_a_cleanup_deletes_and_gives_back(swarm: Swarm, paths: Paths) -> None:
    run = started(swarm, "say nothing to do")
    (workspace,) = paths.workspaces.glob("*/*")
    done = swarm("cleanup", "--force")
    assert (done.code, done.err) == (0, "")
    assert f"{run}  deleted" in done.out
    assert not workspace.exists()
    back = swarm("cleanup", "--undo")
    assert back.out == f"{run} is back: {workspace}\n"
    assert workspace.is_dir()
    assert swarm("cleanup", "--undo").code == 3


def test_the_trash_can_be_emptied(swarm: Swarm, paths: Paths) -> None:
    run = started(swarm, "write work.txt work")
    done = json.loads(swarm("cleanup", "--including-unsaved", "--force", "--json").out)
    assert [one["run"] for one in done["cleaned"]] == [run]
    assert swarm("cleanup", "--empty-trash").code == 3
    told = json.loads(swarm("cleanup", "--empty-trash", "--force", "--json").out)
    assert told["removed"] == 1
    assert list(paths.trash.iterdir()) == []
    assert (paths.run(run) / "unsaved.patch").is_file()


@pytest.mark.parametrize("text", ["0", "0d", "0s"])
def test_older_than_zero_means_all_that_have_ended(swarm: Swarm, text: str) -> None:
    run = started(swarm, "say done")
    planned = json.loads(swarm("cleanup", "--older-than", text, "--dry-run", "--json").out)
    assert [item["run"] for item in planned["take"]] == [run]
    assert swarm("cleanup", "--older-than", "-1").code == 2


def test_nothing_to_delete_is_no_failure(swarm: Swarm, tmp_path: Path) -> None:
    done = swarm("cleanup", "--older-than", "7d", "--status", "failed")
    assert (done.code, done.out) == (0, "There is nothing to delete.\n")
    wrong = swarm("cleanup", "--status", "failled")
    assert wrong.code == 2
    assert "Did you mean 'failed'?" in wrong.err

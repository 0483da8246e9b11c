"""`--base` on the command line: pinned when a run is requested, one for a batch, used again."""

from __future__ import annotations

from pathlib import Path

import pytest
import repos
from typed import Swarm


@pytest.fixture
def source(here: Path) -> Path:
    """A repository in the current folder, whose branch `old` is one commit behind."""
    here.rmdir()
    repos.repository(here, {"a.txt": "one\n"})
    repos.git(here, "branch", "old")
    (here / "a.txt").write_text("two\n")
    repos.commit(here, "second")
    return here


SIM = ("--agent", "simulated")


def test_a_run_starts_from_its_base_and_again_when_fresh(swarm: Swarm, source: Path) -> None:
    old = repos.git(source, "rev-parse", "old")
    assert swarm("run", *SIM, "--base", "old", "sim: say x").code == 0
    run = swarm("show", "@last", "--json").json
    assert run["workspace"]["base"] == {"ref": "old", "commit": old}
    assert f"old ({old[:12]})" in swarm("show", "@last").out
    assert (Path(run["workspace"]["path"]) / "a.txt").read_text() == "one\n"
    repos.git(source, "branch", "-D", "old")
    assert swarm("retry", "@last", "--fresh").code == 0
    fresh = swarm("show", "@last", "--json").json["workspace"]
    assert fresh["path"] != run["workspace"]["path"]
    assert repos.git(Path(fresh["path"]), "rev-parse", "HEAD") == old


def test_all_runs_of_a_batch_start_from_what_was_there(swarm: Swarm, source: Path) -> None:
    tip = repos.git(source, "rev-parse", "HEAD")
    verify = f"git -C '{source}' -c user.name=a -c user.email=a@b commit -q --allow-empty -m more"
    assert swarm("slots", "1").code == 0
    words = ("--count", "3", "--verify", verify, "--yes")
    assert swarm("batch", *SIM, *words, "sim: say x").code == 0
    runs = swarm("ls", "--json").json
    assert {run["workspace"]["base"]["commit"] for run in runs} == {tip}
    assert {run["workspace"]["base"]["ref"] for run in runs} == {"HEAD"}
    assert repos.git(source, "rev-parse", "HEAD") != tip


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--base", "nowhere"), 3, "BASE_INVALID"),
        (("--base", "HEAD@{1}"), 3, "BASE_INVALID"),
        (("--base", "pr/1"), 3, "FETCH_FAILED"),
        (("--base=--upload-pack=x",), 3, "BASE_INVALID"),
        (("--base", "old", "--empty"), 2, "go with a worktree"),
        (("--base", "old", "--include-uncommitted"), 2, "base HEAD only"),
    ],
)
def test_a_wrong_base_queues_nothing(
    swarm: Swarm, source: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    done = swarm("run", *SIM, *words, "sim: say x")
    assert (done.code, said in done.err) == (code, True)
    assert swarm("ls", "--json").json == []


def test_shells_complete_branches_and_tags(swarm: Swarm, source: Path) -> None:
    repos.git(source, "tag", "oak")
    swarm("ls")
    line = "swarm-tui run --base o"
    env = {"_SWARM_TUI_COMPLETE": "bash_complete", "COMP_LINE": line, "COMP_POINT": "99"}
    out = swarm(**env).out
    assert "old\tbranch" in out
    assert "oak\ttag" in out

"""A run whose checkpoints are lost: every command says that its changes are unknown."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import repos
from typed import Swarm

from engine.config.paths import Paths

WORDS = "The changes of this run are unknown"


@pytest.fixture
def batch(swarm: Swarm, here: Path, paths: Paths) -> list[str]:
    """Two runs of a batch that changed the same file; the first has lost its checkpoints."""
    repos.repository(here / "s", {"a.txt": "one\n"})
    prompt = "sim: write a.txt two"
    words = ("batch", "--count", "2", "--agent", "simulated", "--worktree", "s", prompt)
    assert swarm(*words).code == 0
    runs = sorted(run["id"] for run in swarm("ls", "--json").json)
    for store in paths.run(runs[0]).glob("checkpoints/*.git"):
        shutil.rmtree(store / "refs")
        shutil.rmtree(store / "objects")  # else the checkpoints are found there again
    return runs


def test_every_command_says_that_the_changes_are_unknown(
    swarm: Swarm, here: Path, paths: Paths, batch: list[str]
) -> None:
    lost, whole = batch
    for words in (
        ("diff",),
        ("diff", "--stat"),
        ("diff", "--json"),
        ("apply",),
        ("apply", "--check"),
        ("apply", "--as", "patch"),
        ("restore",),
        ("restore", "--checkpoint", "0"),
    ):
        told = swarm(words[0], lost, *words[1:])
        assert told.code == 3, words
        assert WORDS in told.out + told.err, words
        assert "CHANGES_UNKNOWN" in told.out + told.err, words
    assert (here / "s" / "a.txt").read_text() == "one\n"
    for words in (("files", lost), ("get", lost, "a.txt")):
        told = swarm(*words)
        assert (told.code, WORDS in told.err) == (0, True), words
    assert swarm("get", lost, "a.txt").out == "two\n"
    assert "unknown" in swarm("show", lost).out
    assert swarm("show", lost, "--json").json["changes"] is None
    listed = {run["id"]: run for run in swarm("ls", "--json").json}
    assert listed[lost]["changes"] is None
    assert listed[lost]["overlaps"] == listed[whole]["overlaps"] == []
    assert listed[whole]["changes"]["files"] == 1
    assert "unknown" in swarm("ls").out
    compared = swarm("batch", "compare", "--json").json
    assert {one["run"]: one["changes"] for one in compared[0]["runs"]} == {
        lost: None,
        whole: {"a.txt": "+1 −1"},
    }
    assert compared[0]["winner"] == whole
    for kind in ("csv", "md"):
        assert "unknown" in swarm("batch", "report", "--format", kind).out
    plan = swarm("cleanup", "--dry-run", "--json").json
    assert plan["take"] == []
    assert {one["run"] for one in plan["keep"]} == {lost, whole}
    why = {one["run"]: one["why"] for one in plan["keep"]}
    assert why[lost] == WORDS[0].lower() + WORDS[1:]
    plan = swarm("cleanup", "--artefacts-only", "--force", "--json").json
    assert WORDS in {one["run"]: one["why"] for one in plan["keep"]}[lost]
    told = swarm("cleanup", "--force", "--including-unsaved", lost)
    assert (told.code, "no patch of its work" in told.out + told.err) == (1, True)
    assert swarm("get", lost, "a.txt").out == "two\n"


def test_show_looks_itself(swarm: Swarm, batch: list[str]) -> None:
    lost, _ = batch
    assert swarm("show", lost, "--json").json["changes"] is None
    assert "changes  " in swarm("show", lost).out


def test_apply_of_several_names_the_run_whose_changes_are_unknown(
    swarm: Swarm, batch: list[str]
) -> None:
    lost, whole = batch
    told = swarm("apply", "--check", whole, lost)
    assert told.code == 1  # some of several were not applied
    assert f"{lost} skipped: {WORDS}" in told.out

"""The last apply of edits undone: all files as before, or a refusal that changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
import repos
from typed import Swarm

from tui.cli import json as shapes

SCRIPT = r"""Work
sim: write a.txt changed
sim: write new/deep.txt new
sim: delete sub/b.txt
"""


@pytest.fixture
def run_id(swarm: Swarm, here: Path) -> str:
    """The id of a run that changed, added and deleted a file in a worktree of `here`."""
    here.rmdir()
    repos.repository(here)
    return swarm("run", "--agent", "simulated", "--json", SCRIPT).events[0]["run"]


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    found = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {str(path): (path.stat().st_mode, path.read_bytes()) for path in found}


def test_all_files_are_as_before_and_the_run_waits_for_review_again(
    inside: Swarm, here: Path, run_id: str
) -> None:
    (here / "mine.txt").write_text("mine")
    (here / "a.txt").chmod(0o640)
    before = files(here)
    assert inside("apply", run_id).code == 0
    assert files(here) != before
    done = inside("apply", "--undo", run_id, "--json")
    assert (done.code, done.err) == (0, "")
    msgspec.convert(done.json, shapes.UndoneJson)
    assert done.json["files"] == ["a.txt", "new/deep.txt", "sub/b.txt"]
    assert files(here) == before
    assert not (here / "new").exists()
    assert inside("show", run_id, "--json").json["applied"] is None
    assert inside("apply", "--undo", run_id).code == 3
    assert inside("apply", run_id).code == 0, "it can be applied again"
    assert (here / "a.txt").read_text().strip() == "changed"
    assert inside("apply", "--undo", run_id).out == f"{run_id} undone: 3 files in {here}\n"
    assert files(here) == before


@pytest.mark.parametrize("name", ["a.txt", "new/deep.txt", "sub/b.txt"])
def test_a_file_that_changed_since_is_named_and_nothing_is_undone(
    inside: Swarm, here: Path, run_id: str, name: str
) -> None:
    inside("apply", run_id)
    (here / name).parent.mkdir(exist_ok=True)
    (here / name).write_text("mine\n")
    before = files(here)
    done = inside("apply", "--undo", run_id)
    assert (done.code, f"changed since: {name}" in done.err) == (3, True)
    assert "UNDO_REFUSED" in done.err
    assert files(here) == before
    assert inside("show", run_id, "--json").json["applied"] is not None


def test_another_commit_or_branch_refuses_it(inside: Swarm, here: Path, run_id: str) -> None:
    inside("apply", run_id)
    repos.git(here, "checkout", "-q", "-b", "other")
    assert "can be undone" in inside("apply", "--undo", run_id).err
    repos.git(here, "checkout", "-q", "main")
    repos.commit(here, "taken")
    before = files(here)
    assert "another commit" in inside("apply", "--undo", run_id).err
    assert files(here) == before


def test_only_the_last_of_several_applies_is_undone(
    swarm: Swarm, inside: Swarm, here: Path, run_id: str
) -> None:
    inside("apply", run_id)
    first = files(here)
    more = "sim: write a.txt again"
    assert swarm("resume", run_id, more).code == 0
    inside("apply", run_id)
    assert (here / "a.txt").read_text().strip() == "again"
    assert inside("apply", "--undo", run_id).code == 0
    assert files(here) == first
    inside("apply", run_id)
    assert (here / "a.txt").read_text().strip() == "again"


def test_a_commit_and_a_merge_are_left_to_git(inside: Swarm, here: Path, run_id: str) -> None:
    for how, hint in (("commit", "git branch -D"), ("merge", "git revert")):
        assert inside("apply", run_id, "--as", how).code == 0
        done = inside("apply", "--undo", run_id)
        assert (done.code, hint in done.err) == (3, True)


def test_a_copy_outside_of_git_is_restored(swarm: Swarm, inside: Swarm, here: Path) -> None:
    (here / "a.txt").write_text("one\n")
    os.symlink("a.txt", here / "link")
    script = "sim: write a.txt two\nsim: delete link"
    run = swarm("run", "--copy", ".", "--agent", "simulated", "--json", script).events[0]["run"]
    assert inside("apply", run).code == 0
    assert inside("apply", "--undo", run).code == 0
    assert (here / "a.txt").read_text() == "one\n"
    assert os.readlink(here / "link") == "a.txt"

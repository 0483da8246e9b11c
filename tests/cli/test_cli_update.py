"""`update`: workspaces moved onto the newest commit of their base, and conflicts handed over."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import msgspec
import pytest
import repos
from typed import Swarm

from engine.config.paths import Paths
from engine.config.thread_lock import holding
from engine.domain.errors import user_error
from engine.runs import conflict_message
from engine.runs.updates import RunUpdates
from engine.workspaces.apply import placement
from tui.cli import json as shapes

LINES = "one\ntwo\nthree\n"


@pytest.fixture
def repository(here: Path) -> Path:
    here.rmdir()
    return repos.repository(here, {"a.txt": LINES, "b.txt": "b\n"})


def start(inside: Swarm, source: Path, script: str = "Work\nsim: write a.txt ONE") -> str:
    where = ("--worktree", str(source))
    return inside("run", *where, "--agent", "simulated", "--json", script).events[0]["run"]


def upstream(repository: Path, files: dict[str, str | bytes]) -> str:
    repos.write(repository, files)
    return repos.commit(repository, "upstream")


def test_an_update_its_check_and_its_undo(repository: Path, inside: Swarm) -> None:
    run = start(inside, repository)
    assert inside("update", run).out.startswith(f"{run} is at the newest commit of main, ")
    newest = upstream(repository, {"b.txt": "newer b\n", "c.txt": "c\n"})
    shown = inside("show", run).out
    assert "updated" not in shown
    assert "1 commit behind main" in shown
    assert inside("update", run, "--check").out == (
        f"{run} would be updated to main {newest[:10]}: 1 commit, 2 files\n"
    )
    done = inside("update", run, "--json")
    assert (done.code, done.err) == (0, "")
    msgspec.convert(done.json, shapes.UpdatedJson)
    assert (done.json["updated"], done.json["files"]) == (True, ["b.txt", "c.txt"])
    shown = inside("show", run, "--json").json
    msgspec.convert(shown, shapes.ShownRunJson)
    assert (shown["update"]["new"], shown["changes"]["files"]) == (newest, 1)
    assert "main" in inside("show", run).out
    assert [one["path"] for one in inside("diff", run, "--json").json["changes"]] == ["a.txt"]
    assert "newer" not in inside("diff", run).out
    undone = inside("update", run, "--undo", "--json")
    msgspec.convert(undone.json, shapes.UpdateUndoneJson)
    assert undone.json["files"] == ["b.txt", "c.txt"]
    assert inside("show", run, "--json").json["update"] is None
    assert inside("update", run, "--undo").code == 3
    assert inside("update", run).code == 0
    assert inside("apply", run, "--json").json["files"] == ["a.txt"]


def test_a_conflict_changes_nothing_and_is_handed_to_the_agent(
    repository: Path, inside: Swarm
) -> None:
    run = start(inside, repository)
    upstream(repository, {"a.txt": "main one\ntwo\nthree\n", "c.txt": "c\n"})
    refused = inside("update", run)
    assert (refused.code, "a.txt" in refused.err) == (3, True)
    assert "--resolve" in refused.err
    checked = inside("update", run, "--check", "--json")
    assert checked.code == 1
    assert [one["path"] for one in checked.json["conflicts"]] == ["a.txt"]
    done = inside("update", run, "--resolve", "--json")
    assert (done.code, done.json["resumed"]) == (0, True)
    ended = inside("wait", run, "--json").json[0]
    assert "a.txt (changed by the run and by main)" in ended["attempt_prompt"]
    # The simulated agent has done nothing about it.
    assert ended["update"]["conflicts"] == ["a.txt"]
    assert "conflict markers are left in a.txt" in inside("logs", run).out
    again = inside("update", run, "--resolve", "--json")
    assert (again.code, again.json["resumed"]) == (0, True)
    inside("wait", run)
    inside("resume", run, "sim: write a.txt solved")
    ended = inside("show", run, "--json").json
    assert ended["update"]["conflicts"] == []
    assert "main one" not in inside("diff", run, "c.txt").out
    nothing = inside("update", run, "--resolve")
    assert (nothing.code, "newest commit of main already" in nothing.err) == (3, True)


def test_an_apply_that_conflicts_is_handed_to_the_agent(repository: Path, inside: Swarm) -> None:
    run = start(inside, repository)
    upstream(repository, {"a.txt": "main one\ntwo\nthree\n"})
    done = inside("apply", run, "--resolve", "--json")
    assert (done.code, done.json["resumed"]) == (1, True)
    inside("wait", run)
    inside("resume", run, "sim: write a.txt solved")
    assert "a.txt" in inside("apply", run, "--json").json["files"]
    assert (repository / "a.txt").read_text().strip() == "solved"


def test_several_runs_are_updated_each_on_its_own(repository: Path, inside: Swarm) -> None:
    first, second = (
        start(inside, repository),
        start(inside, repository, "Work\nsim: write new.txt n"),
    )
    upstream(repository, {"a.txt": "main one\ntwo\nthree\n"})
    done = inside("update", first, second)
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[0].startswith(f"{first} UPDATE_CONFLICT: ")
    assert lines[1].startswith(f"{second} updated to main ")
    lines = inside("update", first, second, "--json").out.splitlines()
    found = [json.loads(line) for line in lines]
    for one in found:
        msgspec.convert(one, shapes.UpdatedJson)
    assert [one["error"] is None for one in found] == [False, True]


def test_wrong_usage_and_a_deleted_workspace(repository: Path, inside: Swarm) -> None:
    run = start(inside, repository)
    assert inside("update", run, "--check", "--resolve").code == 2
    assert inside("update", run, "--undo", "--check").code == 2
    assert inside("cleanup", "--force", "--including-unsaved").code == 0
    assert "WORKSPACE_MISSING" in inside("update", run).err


def test_a_queued_run_is_refused(repository: Path, inside: Swarm) -> None:
    inside("pause")
    run = inside(
        "run", "--worktree", str(repository), "--agent", "simulated", "--detach", "--json", "Work"
    ).json["id"]
    assert "RUN_NOT_ENDED" in inside("update", run).err


def test_an_update_that_could_not_be_recorded_is_recorded_by_the_next_one(
    repository: Path, inside: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(inside, repository)
    newest = upstream(repository, {"a.txt": "main one\ntwo\nthree\n"})

    async def lost(*_: object) -> None:
        raise user_error("DISK_FULL")

    with monkeypatch.context() as patch:
        patch.setattr(RunUpdates, "_append", lost)
        assert inside("update", run, "--resolve").code == 3
    assert inside("show", run, "--json").json["update"]["conflicts"] == ["a.txt"]
    done = inside("update", run, "--resolve", "--json")
    assert (done.code, done.json["resumed"]) == (0, True)
    shown = inside("wait", run, "--json").json[0]["update"]
    assert (shown["new"], shown["conflicts"]) == (newest, ["a.txt"])


def workspace(inside: Swarm, run: str) -> Path:
    return Path(inside("show", run, "--json").json["workspace"]["path"])


def check_state(inside: Swarm, run: str, base: str | None, own: list[str]) -> None:
    """Check that record, files, diff and HEAD are those of an update to `base`, or of none."""
    root = workspace(inside, run)
    recorded = inside("show", run, "--json").json["update"]
    assert (recorded and recorded["new"]) == base
    assert (root / "c.txt").exists() == (base is not None)
    assert [one["path"] for one in inside("diff", run, "--json").json["changes"]] == own
    changed = repos.git(root, "status", "--porcelain", "-uall").splitlines()
    assert [line.split()[-1] for line in changed] == ["a.txt"]
    reaches = repos.git(root, "branch", "--contains", base or "HEAD", "--list", "swarm/*")
    assert reaches
    assert ("upstream" in repos.git(root, "log", "--format=%s")) == (base is not None)


@pytest.mark.parametrize("is_committed", [False, True])
def test_a_restore_moves_files_record_and_commit_together(
    repository: Path, inside: Swarm, is_committed: bool
) -> None:
    run = start(inside, repository)
    own = ["a.txt"]
    if is_committed:
        root = workspace(inside, run)
        repos.write(root, {"own.txt": "own\n"})
        repos.git(root, "add", "own.txt")
        repos.git(root, "commit", "-q", "-m", "own")
        own = ["a.txt", "own.txt"]
    newest = upstream(repository, {"c.txt": "c\n"})
    update = inside("update", run, "--json")
    assert update.code == 0
    before = inside("show", run, "--json").json["update"]["checkpoint"]
    check_state(inside, run, newest, own)
    undone = inside("update", run, "--undo", "--json").json
    check_state(inside, run, None, own)
    assert inside("restore", run, "--checkpoint", str(undone["undo"])).code == 0
    check_state(inside, run, newest, own)
    assert inside("restore", run, "--checkpoint", str(before)).code == 0
    check_state(inside, run, None, own)
    assert inside("update", run, "--undo").code == 3
    assert inside("restore", run, "--checkpoint", str(undone["undo"])).code == 0
    assert inside("update", run, "--undo").code == 0
    check_state(inside, run, None, own)


def test_the_undo_of_a_second_update_is_back_at_the_first(repository: Path, inside: Swarm) -> None:
    run = start(inside, repository)
    first = upstream(repository, {"c.txt": "c\n"})
    assert inside("update", run).code == 0
    upstream(repository, {"c.txt": "c2\n"})
    assert inside("update", run).code == 0
    assert inside("update", run, "--undo").code == 0
    check_state(inside, run, first, ["a.txt"])
    assert inside("update", run, "--undo").code == 0
    check_state(inside, run, None, ["a.txt"])


def killed(inside: Swarm, owner: object, name: str, *words: str) -> None:
    """Run a command in a process of its own that is killed when it calls a function."""
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        return

    async def die(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    try:  # the child never returns
        setattr(owner, name, die)
        inside(*words)
    finally:
        os._exit(1)


KILLS = [(placement, "_follow"), (RunUpdates, "_append")]


@pytest.mark.parametrize(("owner", "name"), KILLS)
def test_a_killed_update_and_a_killed_undo_are_recorded_by_the_next_command(
    repository: Path, inside: Swarm, owner: object, name: str
) -> None:
    run = start(inside, repository)
    newest = upstream(repository, {"c.txt": "c\n"})
    killed(inside, owner, name, "update", run)
    check_state(inside, run, newest, ["a.txt"])
    killed(inside, owner, name, "update", run, "--undo")
    check_state(inside, run, None, ["a.txt"])
    again = inside("update", run, "--undo")
    assert (again.code, "was not updated" in again.err) == (3, True)
    assert inside("update", run).code == 0
    check_state(inside, run, newest, ["a.txt"])


@pytest.mark.parametrize(("owner", "name"), [*KILLS, (conflict_message, "conflict_message")])
def test_a_killed_resolve_is_continued_by_the_next_one(
    repository: Path, inside: Swarm, owner: object, name: str
) -> None:
    run = start(inside, repository)
    newest = upstream(repository, {"a.txt": "main one\ntwo\nthree\n", "c.txt": "c\n"})
    killed(inside, owner, name, "update", run, "--resolve")
    assert inside("show", run, "--json").json["update"]["conflicts"] == ["a.txt"]
    check_state(inside, run, newest, ["a.txt"])
    for words in (("--check",), ()):
        refused = inside("apply", run, *words)
        assert (refused.code, "a.txt" in refused.err) == (3, True)
    done = inside("update", run, "--resolve", "--json")
    assert (done.code, done.json["resumed"]) == (0, True)
    inside("wait", run)


def test_an_open_thread_stops_an_update_and_a_restore(
    repository: Path, inside: Swarm, paths: Paths
) -> None:
    run = start(inside, repository)
    upstream(repository, {"c.txt": "c\n"})

    async def lock() -> None:
        async with holding(paths, run):
            for words in (
                ("update", run),
                ("update", run, "--undo"),
                ("restore", run, "--checkpoint", "0"),
            ):
                done = await asyncio.to_thread(inside, *words)
                assert (done.code, "THREAD_IN_USE" in done.err) == (3, True), words

    asyncio.run(lock())
    check_state(inside, run, None, ["a.txt"])


@pytest.mark.parametrize("how", ["commit", "merge"])
def test_an_undo_after_an_apply_names_the_cause_and_the_restore(
    repository: Path, inside: Swarm, how: str
) -> None:
    run = start(inside, repository)
    upstream(repository, {"c.txt": "c\n"})
    assert inside("update", run).code == 0
    assert inside("apply", run, "--as", how).code == 0
    root = workspace(inside, run)
    head = repos.git(root, "rev-parse", "HEAD")
    refused = inside("update", run, "--undo")
    assert refused.code == 3
    assert "applied or pushed since" in refused.err
    before = inside("show", run, "--json").json["update"]["checkpoint"]
    assert f"restore {run} --checkpoint {before}" in " ".join(refused.err.split())
    assert repos.git(root, "rev-parse", "HEAD") == head
    undo = inside("restore", run, "--checkpoint", str(before), "--json").json["undo"]
    check_state(inside, run, None, ["a.txt"])
    assert inside("restore", run, "--checkpoint", str(undo)).code == 0
    assert repos.git(root, "rev-parse", "HEAD") == head


def test_markers_that_are_left_are_named_until_they_are_gone(
    repository: Path, inside: Swarm
) -> None:
    run = start(inside, repository)
    upstream(repository, {"a.txt": "main one\ntwo\nthree\n"})
    assert inside("update", run, "--resolve").code == 0
    inside("wait", run)
    assert "conflict markers are left in a.txt" in inside("update", run).err
    upstream(repository, {"c.txt": "c\n"})
    assert "conflict markers are left in a.txt" in inside("update", run).err
    assert "a.txt" in inside("apply", run, "--check").err
    assert "conflict markers are left in a.txt" in inside("apply", run, "--as", "commit").err
    repos.write(workspace(inside, run), {"a.txt": "solved\n"})
    assert inside("update", run).err == ""
    assert inside("apply", run).code == 0


def test_a_run_from_an_ended_run_has_the_source_of_that_one(
    repository: Path, inside: Swarm
) -> None:
    first = start(inside, repository)
    where = ("--agent", "simulated", "--json")
    second = inside("run", "--from-run", first, *where, "More\nsim: write d.txt d").events[0]["run"]
    third = inside("run", "--from-run", second, *where, "More\nsim: write e.txt e").events[0]["run"]
    newest = upstream(repository, {"b.txt": "newer b\n"})
    done = inside("update", third, "--json")
    assert (done.code, done.json["new"], done.json["files"]) == (0, newest, ["b.txt"])
    assert inside("apply", third).code == 0
    assert (repository / "e.txt").read_text() == "e\n"
    assert inside("apply", second, "--as", "commit").code == 0
    assert repos.git(repository, "show", f"swarm/{second}:d.txt") == "d"
    assert inside("forget", second, "--yes").code == 0
    refused = inside("apply", third)
    assert refused.code != 0
    assert "has no source" in refused.err


@pytest.mark.parametrize("is_fork", [True, False])
def test_a_fresh_start_is_refused_without_the_workspace_it_starts_from(
    repository: Path, inside: Swarm, is_fork: bool
) -> None:
    first = start(inside, repository)
    words = ("fork", first) if is_fork else ("run", "--agent", "simulated", "--from-run", first)
    second = inside(*words, "--json", "More\nsim: write d.txt d").events[0]["run"]
    assert inside("forget", first, "--yes", "--force").code == 0
    before = inside("show", second, "--json").json
    refused = inside("retry", "--fresh", second)
    assert refused.code != 0
    assert f"from the workspace of the run {first}" in refused.err
    assert "--fresh" not in refused.err
    after = inside("show", second, "--json").json
    assert (after["status"], after["attempt"]) == (before["status"], before["attempt"])

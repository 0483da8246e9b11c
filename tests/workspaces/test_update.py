"""A workspace moved onto the newest commit of its base, with real repositories."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import repos
from scenes import Scene, scene

from engine.domain.errors import UserError
from engine.domain.model import WorkspaceKind
from engine.workspaces.apply.apply import ApplyMode, ApplyResult, apply
from engine.workspaces.apply.conflict_files import marked
from engine.workspaces.apply.restore import restore
from engine.workspaces.apply.update import UpdateResult, WorkspaceUpdate
from engine.workspaces.apply.upstream import BaseSource, branch_noted
from engine.workspaces.checkpoints.checkpoints import Checkpoints

LINES = "".join(f"line {n}\n" for n in range(1, 13))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repos.repository(tmp_path / "s", {"a.txt": LINES, "b.txt": "b\n", "gone": "x\n"})


def edited(number: int, text: str, before: str = LINES) -> str:
    return before.replace(f"line {number}\n", f"{text}\n")


def updating(one: Scene) -> tuple[WorkspaceUpdate, BaseSource]:
    assert one.workspace
    branch = branch_noted(one.run.git.git_dir)
    return (
        WorkspaceUpdate(one.run, one.workspace, one.home),
        BaseSource(one.source, None, branch),
    )


async def update(one: Scene, *, markers: bool = False, base: str | None = None) -> UpdateResult:
    """Update after a check that found the same files."""
    updates, where = updating(one)
    where = replace(where, base=base)
    checked = await updates.check(where)
    done = await updates.update(where, markers=markers)
    assert checked.newer == done.newer
    if not checked.conflicts:
        assert checked.files == done.files
    return done


async def refused(one: Scene, base: str | None = None) -> UserError:
    """Return the error of an update that is refused; nothing changes."""
    before = repos.files(one.root)
    changed = await one.changed()
    with pytest.raises(UserError) as raised:
        updates, where = updating(one)
        await updates.update(replace(where, base=base))
    assert repos.files(one.root) == before
    assert await one.changed() == changed
    return raised.value


def upstream(source: Path, files: dict[str, str | bytes], message: str = "upstream") -> str:
    repos.write(source, files)
    return repos.commit(source, message)


async def test_only_the_own_changes_are_shown_and_applied_after_an_update(
    source: Path, home: Path
) -> None:
    here = await scene(source, home)
    repos.write(here.root, {"a.txt": edited(2, "RUN 2"), "new.txt": "n\n"})
    newest = upstream(source, {"a.txt": edited(9, "MAIN 9"), "more/c.txt": "c\n"})
    done = await update(here)
    assert done.files == ("a.txt", "more/c.txt")
    assert (done.newer.name, done.newer.commits, done.newer.new) == ("main", 1, newest)
    both = edited(9, "MAIN 9", edited(2, "RUN 2"))
    assert (here.root / "a.txt").read_text() == both
    assert (here.root / "more/c.txt").read_text() == "c\n"
    assert await here.changed() == ["a.txt", "new.txt"]
    assert repos.git(here.root, "rev-parse", "HEAD") == newest
    assert repos.git(here.root, "status", "--porcelain").split("\n") == [" M a.txt", "?? new.txt"]
    assert (await here.apply()).files == ("a.txt", "new.txt")
    assert (source / "a.txt").read_text() == both


@pytest.mark.parametrize("how", [ApplyMode.COMMIT, ApplyMode.MERGE])
async def test_a_commit_after_an_update_lies_on_the_newest_commit(
    source: Path, home: Path, how: ApplyMode
) -> None:
    here = await scene(source, home)
    repos.write(here.root, {"a.txt": edited(2, "RUN 2")})
    newest = upstream(source, {"a.txt": edited(9, "MAIN 9"), "c.txt": "c\n"})
    await update(here)
    done = await here.apply(how)
    assert done.files == ("a.txt",)
    assert repos.git(source, "rev-parse", f"{done.commit}^") == newest
    assert repos.git(source, "show", f"{done.commit}:a.txt") + "\n" == edited(
        9, "MAIN 9", edited(2, "RUN 2")
    )


async def test_a_second_update_and_one_without_news(source: Path, home: Path) -> None:
    here = await scene(source, home)
    repos.write(here.root, {"new.txt": "n\n"})
    upstream(source, {"c.txt": "c\n"})
    await update(here)
    assert (await update(here)).files == ()
    upstream(source, {"c.txt": "c2\n"})
    assert (await update(here)).files == ("c.txt",)
    assert await here.changed() == ["new.txt"]
    reopened = await Checkpoints.open(here.run.git.git_dir, here.workspace)  # type: ignore[arg-type]  set by scene
    assert [one.path for one in (await reopened.changes()).files] == ["new.txt"]
    assert [one.path for one in (await reopened.changes(0, 1)).files] == ["new.txt"]


async def test_a_conflict_changes_nothing_and_names_the_file(source: Path, home: Path) -> None:
    here = await scene(source, home)
    repos.write(here.root, {"a.txt": edited(2, "RUN 2"), "gone": "run\n"})
    repos.git(source, "rm", "-q", "gone")
    upstream(source, {"a.txt": edited(2, "MAIN 2"), "c.txt": "c\n"})
    error = await refused(here)
    assert error.code == "UPDATE_CONFLICT"
    assert "a.txt (changed by the run and by main)" in error.message
    assert "gone (changed by the run, deleted by main)" in error.message
    updates, where = updating(here)
    checked = await updates.check(where)
    assert [one.path for one in checked.conflicts] == ["a.txt", "gone"]


async def test_markers_keep_both_sides_and_bring_the_rest(source: Path, home: Path) -> None:
    here = await scene(source, home)
    repos.write(here.root, {"a.txt": edited(2, "RUN 2")})
    upstream(source, {"a.txt": edited(2, "MAIN 2"), "c.txt": "c\n"})
    done = await update(here, markers=True)
    assert [one.path for one in done.conflicts] == ["a.txt"]
    text = (here.root / "a.txt").read_text()
    for part in ("<<<<<<< the run\nRUN 2\n||||||| the base before\nline 2\n=======\nMAIN 2\n",):
        assert part in text
    assert (here.root / "c.txt").exists()
    assert marked(here.root, [b"a.txt", b"c.txt", b"absent"]) == [b"a.txt"]
    repos.write(here.root, {"a.txt": edited(2, "RUN and MAIN 2")})
    assert await here.changed() == ["a.txt"]
    assert (await here.apply()).files == ("a.txt",)


async def test_both_added_deleted_and_binary_files_with_markers(source: Path, home: Path) -> None:
    here = await scene(source, home)
    repos.write(here.root, {"new": "run\n", "bin": b"run\0", "gone": "run\n"})
    (here.root / "b.txt").unlink()
    repos.git(source, "rm", "-q", "gone")
    upstream(source, {"new": "main\n", "bin": b"main\0", "b.txt": "b2\n"})
    done = await update(here, markers=True)
    assert [one.path for one in done.conflicts] == ["b.txt", "bin", "gone", "new"]
    assert "run\n" in (here.root / "new").read_text()
    assert "main\n" in (here.root / "new").read_text()
    assert (here.root / "bin").read_bytes() == b"run\0"
    assert (here.root / "gone").read_text() == "run\n"
    assert not (here.root / "b.txt").exists()
    assert await here.changed() == ["b.txt", "bin", "gone", "new"]


async def test_the_checkpoint_from_before_brings_back_files_diff_and_commit(
    source: Path, home: Path
) -> None:
    here = await scene(source, home)
    repos.write(here.root, {"a.txt": edited(2, "RUN 2")})
    before, head = repos.files(here.root), repos.git(here.root, "rev-parse", "HEAD")
    upstream(source, {"a.txt": edited(9, "MAIN 9"), "c.txt": "c\n"})
    done = await update(here)
    assert done.checkpoint
    await updating(here)[0].undo(done.checkpoint.n, done.head)
    assert repos.files(here.root) == before
    assert repos.git(here.root, "rev-parse", "HEAD") == head
    assert repos.git(here.root, "status", "--porcelain").split() == ["M", "a.txt"]
    assert await here.changed() == ["a.txt"]
    assert (await update(here)).files == ("a.txt", "c.txt")  # and it can be updated again
    await restore(here.run, done.checkpoint.n)
    assert await here.changed() == ["a.txt"]
    await restore(here.run, done.made.n if done.made else 0)
    assert await here.changed() == ["a.txt"]
    assert (here.root / "c.txt").exists()


async def test_a_source_that_is_gone_is_named_as_gone(source: Path, home: Path) -> None:
    here = await scene(source, home, kind=WorkspaceKind.COPY)
    source.rename(source.with_name("elsewhere"))
    with pytest.raises(UserError, match="does not exist any more") as raised:
        await update(here)
    assert raised.value.code == "UPDATE_REFUSED"


async def test_an_undo_is_refused_after_other_commits(source: Path, home: Path) -> None:
    here = await scene(source, home)
    upstream(source, {"c.txt": "c\n"})
    done = await update(here)
    assert done.checkpoint
    upstream(here.root, {"own": "o\n"})
    with pytest.raises(UserError) as raised:
        await updating(here)[0].undo(done.checkpoint.n, done.head)
    assert raised.value.code == "UNDO_REFUSED"


async def test_the_first_checkpoint_stays_what_it_was(source: Path, home: Path) -> None:
    here = await scene(source, home)
    upstream(source, {"a.txt": edited(9, "MAIN 9")})
    await update(here)
    await restore(here.run, 0)
    assert (here.root / "a.txt").read_text() == LINES
    assert await here.changed() == []


async def test_uncommitted_work_that_the_run_started_from_stays_in_the_baseline(
    source: Path, home: Path
) -> None:
    repos.write(source, {"b.txt": "mine\n", "draft": "d\n"})
    here = await scene(source, home, include_uncommitted=True)
    repos.write(here.root, {"a.txt": edited(2, "RUN 2")})
    repos.write(source, {"a.txt": edited(9, "MAIN 9")})
    repos.git(source, "add", "a.txt")
    repos.git(source, "commit", "-q", "-m", "upstream")
    await update(here)
    assert await here.changed() == ["a.txt"]
    assert (here.root / "b.txt").read_text() == "mine\n"
    repos.git(source, "commit", "-q", "-am", "now committed")
    await update(here)
    assert await here.changed() == ["a.txt"]
    assert (await here.apply()).files == ("a.txt",)


async def test_changes_since_an_earlier_checkpoint_are_the_own_ones(
    source: Path, home: Path
) -> None:
    here = await scene(source, home)
    repos.write(here.root, {"a.txt": edited(2, "RUN 2"), "one": "1\n"})
    first = await here.run.record("first")
    repos.write(here.root, {"two": "2\n"})
    upstream(source, {"b.txt": "main\n", "c.txt": "c\n"})
    await update(here)
    since = await here.run.changes(first.n)
    assert [one.path for one in since.files] == ["two"]
    assert await here.run.content("b.txt", first.n) == b"b\n"
    assert await here.run.content("b.txt", 0) == b"main\n"


async def test_own_changes_that_are_upstream_by_now_are_no_longer_shown(
    source: Path, home: Path
) -> None:
    here = await scene(source, home)
    repos.write(here.root, {"a.txt": edited(2, "RUN 2"), "new": "n\n"})
    upstream(source, {"a.txt": edited(2, "RUN 2")})
    assert (await update(here)).files == ()
    assert await here.changed() == ["new"]


@pytest.mark.parametrize("is_committed", [True, False])
async def test_work_that_was_applied_before_is_not_brought_twice(
    source: Path, home: Path, is_committed: bool
) -> None:
    here = await scene(source, home)
    repos.write(here.root, {"a.txt": edited(2, "RUN 2")})
    await here.apply()
    if is_committed:
        repos.commit(source, "applied")
    else:
        repos.git(source, "stash", "-q")
    upstream(source, {"a.txt": edited(9, "MAIN 9", (source / "a.txt").read_text())})
    if not is_committed:
        repos.git(source, "stash", "pop", "-q", ok=False)
    await update(here)
    assert await here.changed() == ([] if is_committed else ["a.txt"])
    repos.write(here.root, {"new.txt": "n\n"})
    files = (await here.apply()).files
    assert files == ("new.txt",)
    assert (source / "a.txt").read_text() == edited(9, "MAIN 9", edited(2, "RUN 2"))


async def test_an_apply_to_the_old_commit_brings_nothing_of_the_base(
    source: Path, home: Path, tmp_path: Path
) -> None:
    here = await scene(source, home)
    repos.write(here.root, {"new.txt": "n\n"})
    other = tmp_path / "other"
    repos.git(source, "worktree", "add", "-q", "--detach", str(other))

    async def to_other() -> ApplyResult:
        return await apply(here.run, here.wish(ApplyMode.EDITS, other), home)

    assert (await to_other()).files == ("new.txt",)
    upstream(source, {"a.txt": edited(9, "MAIN 9")})
    await update(here)
    repos.write(here.root, {"new2.txt": "n\n"})
    assert (await to_other()).files == ("new2.txt",)
    assert (other / "a.txt").read_text() == LINES


async def test_own_commits_are_merged_with_the_newest_commit(source: Path, home: Path) -> None:
    here = await scene(source, home)
    own = upstream(here.root, {"a.txt": edited(2, "RUN 2")}, "own")
    repos.write(here.root, {"new": "n\n"})
    newest = upstream(source, {"a.txt": edited(9, "MAIN 9"), "c": "c\n"})
    await update(here)
    parents = repos.git(here.root, "log", "-1", "--format=%P").split()
    assert parents == [own, newest]
    assert repos.git(here.root, "status", "--porcelain") == "?? new"
    assert await here.changed() == ["a.txt", "new"]
    assert (await here.apply(ApplyMode.MERGE)).files == ("a.txt", "new")
    assert (source / "a.txt").read_text() == edited(9, "MAIN 9", edited(2, "RUN 2"))


async def test_own_commits_that_conflict_are_refused_by_name(source: Path, home: Path) -> None:
    here = await scene(source, home)
    upstream(here.root, {"a.txt": edited(2, "RUN 2")}, "own")
    repos.write(here.root, {"a.txt": edited(2, "MAIN 2")})  # the files would fit
    upstream(source, {"a.txt": edited(2, "MAIN 2")})
    error = await refused(here)
    assert (error.code, "a.txt" in error.message) == ("UPDATE_REFUSED", True)


async def test_a_base_that_the_run_has_merged_itself(source: Path, home: Path) -> None:
    here = await scene(source, home)
    first = upstream(source, {"a.txt": edited(9, "MAIN 9")})
    repos.git(here.root, "merge", "-q", first)
    repos.write(here.root, {"a.txt": edited(9, "RUN 9"), "own": "o\n"})
    await update(here)
    assert (here.root / "a.txt").read_text() == edited(9, "RUN 9")
    assert await here.changed() == ["a.txt", "own"]
    upstream(source, {"c": "c\n"})
    await update(here)
    assert (here.root / "a.txt").read_text() == edited(9, "RUN 9")
    assert await here.changed() == ["a.txt", "own"]


async def test_another_branch_or_an_open_merge_in_the_workspace_is_refused(
    source: Path, home: Path
) -> None:
    here = await scene(source, home)
    upstream(source, {"c": "c\n"})
    repos.git(here.root, "switch", "-q", "-c", "other")
    assert "other" in (await refused(here)).message
    repos.git(here.root, "switch", "-q", here.branch or "")
    place = Path(repos.git(here.root, "rev-parse", "--absolute-git-dir"))
    (place / "MERGE_HEAD").write_text(repos.git(source, "rev-parse", "HEAD") + "\n")
    assert "MERGE_HEAD" in (await refused(here)).message


async def test_a_detached_head_moves(source: Path, home: Path) -> None:
    here = await scene(source, home)
    repos.git(here.root, "switch", "-q", "--detach")
    newest = upstream(source, {"c": "c\n"})
    await update(here)
    assert repos.git(here.root, "rev-parse", "HEAD") == newest
    assert repos.git(here.root, "branch", "--show-current") == ""


async def test_a_rewritten_base_is_followed(source: Path, home: Path) -> None:
    upstream(source, {"mistake": "m\n"})
    here = await scene(source, home)
    repos.write(here.root, {"new": "n\n"})
    repos.git(source, "reset", "-q", "--hard", "HEAD^")
    newest = upstream(source, {"c": "c\n"})
    done = await update(here)
    assert done.newer.is_rewritten
    assert done.files == ("c", "mistake")
    assert not (here.root / "mistake").exists()
    assert await here.changed() == ["new"]
    assert repos.git(here.root, "rev-parse", "HEAD") == newest


async def test_a_rewritten_base_with_own_commits_is_refused(source: Path, home: Path) -> None:
    upstream(source, {"mistake": "m\n"})
    here = await scene(source, home)
    upstream(here.root, {"new": "n\n"})
    repos.git(source, "reset", "-q", "--hard", "HEAD^")
    upstream(source, {"c": "c\n"})
    assert "was rewritten" in (await refused(here)).message


async def test_a_base_branch_that_was_deleted_is_refused_and_another_can_be_named(
    source: Path, home: Path
) -> None:
    repos.git(source, "switch", "-q", "-c", "topic")
    here = await scene(source, home)
    repos.git(source, "switch", "-q", "main")
    newest = upstream(source, {"c": "c\n"})
    assert (await update(here)).files == ()  # its base is the branch that was checked out
    repos.git(source, "branch", "-q", "-D", "topic")
    error = await refused(here)
    assert (error.code, "topic" in error.message) == ("UPDATE_REFUSED", True)
    assert (await update(here, base="main")).newer.new == newest


async def test_a_copy_is_updated_without_its_own_repository(source: Path, home: Path) -> None:
    repos.write(source, {"draft": "d\n"})
    here = await scene(source, home, "copy")
    head = repos.git(here.root, "rev-parse", "HEAD")
    repos.write(here.root, {"a.txt": edited(2, "RUN 2")})
    repos.write(source, {"a.txt": edited(9, "MAIN 9")})
    repos.git(source, "commit", "-q", "-am", "upstream")
    assert (await update(here)).files == ("a.txt",)
    assert await here.changed() == ["a.txt"]
    assert repos.git(here.root, "rev-parse", "HEAD") == head
    assert (await here.apply()).files == ("a.txt",)


async def test_a_copy_of_a_folder_in_a_repository_gets_what_changed_in_there(
    source: Path, home: Path
) -> None:
    upstream(source, {"in/x": "x\n"})
    here = await scene(source / "in", home, "copy")
    repos.write(here.root, {"new": "n\n"})
    upstream(source, {"in/x": "x2\n", "out": "o\n"})
    assert (await update(here)).files == ("x",)
    assert await here.changed() == ["new"]


@pytest.mark.parametrize("kind", [WorkspaceKind.IN_PLACE, WorkspaceKind.COPY])
async def test_what_has_no_newer_commit_is_refused(
    tmp_path: Path, home: Path, kind: WorkspaceKind
) -> None:
    plain = tmp_path / "plain"
    repos.write(plain, {"a": "a\n"})
    here = await scene(plain, home, kind)
    assert (await refused(here)).code == "UPDATE_REFUSED"


async def test_line_endings_of_the_base_are_those_of_the_workspace(
    tmp_path: Path, home: Path
) -> None:
    source = repos.repository(
        tmp_path / "s", {".gitattributes": "*.txt text eol=crlf\n", "a.txt": LINES}
    )
    here = await scene(source, home)
    crlf = LINES.replace("\n", "\r\n").encode()
    assert (here.root / "a.txt").read_bytes() == crlf
    (here.root / "a.txt").write_bytes(crlf.replace(b"line 2\r", b"RUN 2\r"))
    upstream(source, {"a.txt": edited(9, "MAIN 9"), "new.txt": "n\n"})
    await update(here)
    wanted = crlf.replace(b"line 2\r", b"RUN 2\r").replace(b"line 9\r", b"MAIN 9\r")
    assert (here.root / "a.txt").read_bytes() == wanted
    assert (here.root / "new.txt").read_bytes() == b"n\r\n"
    assert await here.changed() == ["a.txt"]
    assert repos.git(here.root, "status", "--porcelain").split() == ["M", "a.txt"]


async def test_files_outside_a_sparse_checkout_stay_absent(source: Path, home: Path) -> None:
    upstream(source, {"in/x": "x\n", "out/y": "y\n", "out/z": "z\n"})
    repos.git(source, "sparse-checkout", "set", "in")
    here = await scene(source, home)
    repos.write(here.root, {"in/new": "n\n"})
    repos.git(source, "sparse-checkout", "disable")
    (source / "out/z").unlink()
    upstream(source, {"in/x": "x2\n", "out/y": "y2\n"})
    await update(here)
    assert not (here.root / "out").exists()
    assert (here.root / "in/x").read_text() == "x2\n"
    assert await here.changed() == ["in/new"]
    assert repos.git(here.root, "status", "--porcelain") == "?? in/new"


async def test_submodules_and_control_folders_stay_and_are_named(
    source: Path, home: Path, tmp_path: Path
) -> None:
    library = repos.repository(tmp_path / "lib", {"l": "1\n"})
    allow = ("-c", "protocol.file.allow=always")
    repos.git(source, *allow, "submodule", "add", "-q", str(library), "lib")
    upstream(source, {".swarm/config.yaml": "{}\n"}, "with a submodule")
    here = await scene(source, home)
    repos.write(here.root, {"new": "n\n"})
    upstream(source / "lib", {"l": "2\n"}, "newer")
    upstream(source, {".swarm/config.yaml": "slots: 2\n", "c": "c\n"})
    done = await update(here)
    assert done.left == (".swarm/config.yaml", "lib")
    assert await here.changed() == ["new"]


async def test_folders_and_files_that_change_places(source: Path, home: Path) -> None:
    here = await scene(source, home)
    repos.write(here.root, {"b.txt": "run\n", "c/run": "r\n"})
    (source / "b.txt").unlink()
    (source / "gone").unlink()
    upstream(source, {"b.txt/deep": "d\n", "gone/deep": "d\n", "c": "a file\n"})
    error = await refused(here)
    assert error.code == "UPDATE_CONFLICT"
    await update(here, markers=True)
    assert (here.root / "gone/deep").read_text() == "d\n"
    assert (here.root / "b.txt").read_text() == "run\n"
    assert (here.root / "c/run").read_text() == "r\n"


async def test_a_shallow_clone_is_updated(source: Path, home: Path, tmp_path: Path) -> None:
    upstream(source, {"c": "c\n"})
    clone = tmp_path / "clone"
    repos.git(tmp_path, "clone", "-q", "--depth", "1", f"file://{source}", str(clone))
    here = await scene(clone, home)
    repos.write(here.root, {"new": "n\n"})
    upstream(source, {"d": "d\n"})
    upstream(source, {"e": "e\n"})
    repos.git(clone, "fetch", "-q", "--depth", "1", "origin", "main")
    repos.git(clone, "merge", "-q", "--allow-unrelated-histories", "FETCH_HEAD")
    assert (await update(here)).files == ("d", "e")
    assert await here.changed() == ["new"]


async def test_the_store_keeps_the_baseline_when_it_is_packed(source: Path, home: Path) -> None:
    here = await scene(source, home)
    repos.write(here.root, {"new": "n\n"})
    upstream(source, {"c": "c\n"})
    await update(here)
    await here.run.pack()
    assert here.workspace
    again = await Checkpoints.open(here.run.git.git_dir, here.workspace)
    assert [one.path for one in (await again.changes()).files] == ["new"]


STEPS = {
    "files are staged": (
        "engine.workspaces.apply.file_transaction",
        "FileTransaction.place",
        False,
    ),
    "a file is moved aside": (
        "engine.workspaces.apply.file_transaction",
        "FileTransaction._move_aside",
        True,
    ),
    "a file is put": ("engine.workspaces.apply.file_transaction", "FileTransaction._put", True),
    "all files are put": (
        "engine.workspaces.apply.file_transaction",
        "FileTransaction.place",
        True,
    ),
    "the checkpoint counts": (
        "engine.workspaces.checkpoints.checkpoint_refs",
        "CheckpointRefs.add",
        True,
    ),
    "before HEAD moves": ("engine.workspaces.apply.placement", "_follow", False),
    "after HEAD moved": ("engine.workspaces.apply.placement", "_follow", True),
    "the journal is empty": (
        "engine.workspaces.apply.file_transaction",
        "FileTransaction._note",
        True,
    ),
}
"""Steps at which the program is killed: a function, before it or after its first call."""


def _kill_at(step: str) -> None:
    """Kill this process at a step."""
    module, name, is_after = STEPS[step]
    owner: object = importlib.import_module(module)
    *above, last = name.split(".")
    for part in above:
        owner = getattr(owner, part)
    real = getattr(owner, last)

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    async def later(*args: object) -> object:
        result = await real(*args) if is_after else None
        die()
        return result

    def now(*args: object) -> object:
        if last == "_note" and (args[0]._begun or not args[0]._steps):  # type: ignore[attr-defined]  a transaction
            return real(*args)
        result = real(*args) if is_after else None
        die()
        return result

    setattr(owner, last, later if inspect.iscoroutinefunction(real) else now)


def _killed_at(step: str, one: Scene) -> None:
    """Update in a process of its own that is killed at a step."""
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        return
    try:  # the child never returns
        _kill_at(step)
        updates, where = updating(one)
        asyncio.run(updates.update(where))
    finally:
        os._exit(1)


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_update_leaves_the_old_or_the_new_state(
    source: Path, home: Path, step: str
) -> None:
    here = asyncio.run(scene(source, home))
    repos.write(here.root, {"a.txt": edited(2, "RUN 2")})
    old_head = repos.git(here.root, "rev-parse", "HEAD")
    new_head = upstream(source, {"a.txt": edited(9, "MAIN 9"), "c.txt": "c\n"})
    _killed_at(step, here)

    async def after() -> None:
        from engine.workspaces.apply import placement

        assert here.workspace
        store = await Checkpoints.open(here.run.git.git_dir, here.workspace)
        await placement.finish(store)
        assert not placement.is_unfinished(store.git.git_dir)
        assert [one.path for one in (await store.changes()).files] == ["a.txt"]
        is_new = (here.root / "c.txt").exists()
        text = edited(2, "RUN 2")
        assert (here.root / "a.txt").read_text() == (edited(9, "MAIN 9", text) if is_new else text)
        assert repos.git(here.root, "rev-parse", "HEAD") == (new_head if is_new else old_head)
        assert repos.git(here.root, "status", "--porcelain").split() == ["M", "a.txt"]
        again = Scene(here.source, here.root, store, home, here.branch, (), here.workspace)
        await update(again)
        assert (here.root / "c.txt").exists()
        assert [one.path for one in (await store.changes()).files] == ["a.txt"]
        assert store.root.is_dir()
        assert here.workspace.kind is WorkspaceKind.WORKTREE

    asyncio.run(after())


@pytest.mark.parametrize("base", [None, "origin/main", "main"])
async def test_a_base_is_fetched_first_only_on_request(
    source: Path, home: Path, tmp_path: Path, base: str | None
) -> None:
    clone = tmp_path / "clone"
    repos.git(tmp_path, "clone", "-q", str(source), str(clone))
    here = await scene(clone, home)
    newest = upstream(source, {"c.txt": "c\n"})
    updates, where = updating(here)
    where = replace(where, base=base)
    assert not (await updates.check(where)).newer.is_news
    done = await updates.update(where, fetch=True)
    assert (done.newer.new, done.files) == (newest, ("c.txt",))
    # The branch itself was not moved: the workspace stays at what was fetched.
    again = await updates.update(replace(where, base="main"))
    assert (again.newer.is_news, again.newer.new) == (False, newest)

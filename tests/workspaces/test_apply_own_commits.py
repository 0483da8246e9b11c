"""Changes applied after commits, resets and other branches in the workspace: no conflict."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import repos
from test_apply import LINES, Scene, scene

from engine.domain.errors import UserError
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.workspaces.apply.apply import ApplyMode, apply
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create import create

WAYS = [ApplyMode.EDITS, ApplyMode.COMMIT, ApplyMode.MERGE]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repos.repository(
        tmp_path / "s", {"a.txt": LINES, "gone": "x\n", "base.txt": "b\n", ".gitignore": "*.log\n"}
    )


def begin(root: Path, text: str = "LINE 3") -> None:
    """Commit some work in the workspace."""
    repos.write(root, {"a.txt": LINES.replace("line 3\n", f"{text}\n"), "brief": "b\n"})
    repos.write(root, {"sub/new": "n\n"})
    (root / "gone").unlink(missing_ok=True)
    repos.commit(root, "work")


def go_on(root: Path) -> None:
    """Leave the workspace in a state that contradicts what was committed."""
    text = LINES.replace("line 3\n", "Line three\n").replace("line 9\n", "LINE 9\n")
    repos.write(root, {"a.txt": text, "gone": "back\n", "sub/new": "n\nm\n"})
    (root / "brief").unlink(missing_ok=True)


def committed(root: Path) -> None:
    begin(root)


def committed_twice(root: Path) -> None:
    begin(root)
    begin(root, "LINE three")


def amended(root: Path) -> None:
    begin(root)
    repos.write(root, {"a.txt": LINES.replace("line 3\n", "other 3\n")})
    repos.git(root, "commit", "-q", "-a", "--amend", "-m", "amended")


def reset(root: Path) -> None:
    begin(root)
    repos.git(root, "reset", "-q", "--hard", "HEAD~")


def reset_softly(root: Path) -> None:
    begin(root)
    repos.git(root, "reset", "-q", "--soft", "HEAD~")


def rebased(root: Path) -> None:
    begin(root)
    repos.write(root, {"more": "m\n"})
    repos.commit(root, "more")
    repos.git(root, "-c", "core.editor=true", "rebase", "-q", "--root", "--onto", "HEAD~2")


def switched(root: Path) -> None:
    repos.git(root, "switch", "-qc", "feature")
    begin(root)


def switched_after_committing(root: Path) -> None:
    begin(root)
    repos.git(root, "switch", "-qc", "feature", "HEAD~")
    begin(root, "other 3")


def detached(root: Path) -> None:
    repos.git(root, "switch", "-q", "--detach")
    begin(root)


def branch_deleted(root: Path) -> None:
    begin(root)
    repos.git(root, "switch", "-q", "--detach")
    repos.git(root, "branch", "-qD", "swarm/r1")


def branch_renamed(root: Path) -> None:
    begin(root)
    repos.git(root, "branch", "-m", "mine")


def orphaned(root: Path) -> None:
    repos.git(root, "switch", "-q", "--orphan", "fresh")
    repos.write(root, {"base.txt": "b\n", ".gitignore": "*.log\n"})
    begin(root)


def reverted(root: Path) -> None:
    begin(root)
    repos.git(root, "revert", "--no-edit", "HEAD")


def stashed(root: Path) -> None:
    begin(root)
    repos.write(root, {"a.txt": "stashed\n"})
    repos.git(root, "stash", "push", "-q")


ACTS = [
    committed,
    committed_twice,
    amended,
    reset,
    reset_softly,
    rebased,
    switched,
    switched_after_committing,
    detached,
    branch_deleted,
    branch_renamed,
    orphaned,
    reverted,
    stashed,
]


def arrived(here: Scene, how: ApplyMode) -> dict[str, tuple[str, int, bytes]]:
    """Return the files as they are where they went."""
    if how is not ApplyMode.COMMIT:
        return repos.files(here.source)
    out = here.source.parent / "out"
    repos.git(
        here.source, "worktree", "add", "-q", "--detach", "--force", str(out), here.branch or ""
    )
    found = repos.files(out)
    repos.git(here.source, "worktree", "remove", "--force", str(out))
    return found


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("act", ACTS)
async def test_what_the_workspace_is_comes_whatever_was_committed(
    source: Path, home: Path, act: Callable[[Path], None], how: ApplyMode
) -> None:
    here = await scene(source, home)
    act(here.root)
    go_on(here.root)
    assert (await here.check(how)).fits
    await here.apply(how)
    assert arrived(here, how) == repos.files(here.root)
    # And more, after that.
    repos.write(here.root, {"a.txt": LINES, "later": "l\n"})
    (here.root / "gone").unlink(missing_ok=True)
    repos.commit(here.root, "more")
    (here.root / "later").unlink()
    await here.apply(how)
    assert arrived(here, how) == repos.files(here.root)
    assert (await here.check(how)).files == ()


@pytest.mark.parametrize("act", ACTS)
async def test_a_commit_and_then_a_merge(
    source: Path, home: Path, act: Callable[[Path], None]
) -> None:
    here = await scene(source, home)
    act(here.root)
    await here.apply(ApplyMode.COMMIT)
    go_on(here.root)
    await here.apply(ApplyMode.COMMIT)
    repos.write(source, {"mine": "m\n"})
    repos.commit(source, "mine")
    await here.apply(ApplyMode.MERGE)
    wanted = repos.files(here.root) | {"mine": ("file", 0, b"m\n")}
    assert repos.files(source) == wanted
    assert repos.git(source, "status", "--porcelain") == ""
    repos.git(source, "merge-base", "--is-ancestor", here.branch or "", "HEAD")


@pytest.mark.parametrize("how", [ApplyMode.COMMIT, ApplyMode.MERGE])
async def test_the_history_of_the_agent_is_kept(source: Path, home: Path, how: ApplyMode) -> None:
    here = await scene(source, home)
    detached(here.root)
    commit = repos.git(here.root, "rev-parse", "HEAD")
    await here.apply(how)
    assert repos.git(source, "rev-parse", here.branch or "") == commit
    assert repos.git(here.root, "status", "--porcelain") == ""
    go_on(here.root)
    done = await here.apply(how)
    assert repos.git(source, "rev-parse", f"{here.branch}~") == commit
    assert done.files == ("a.txt", "brief", "gone", "sub/new")


async def test_the_index_of_another_branch_is_left_alone(source: Path, home: Path) -> None:
    here = await scene(source, home)
    switched(here.root)
    go_on(here.root)
    before = repos.git(here.root, "status", "--porcelain")
    await here.apply(ApplyMode.COMMIT)
    assert repos.git(here.root, "status", "--porcelain") == before
    assert repos.git(here.root, "branch", "--show-current") == "feature"


@pytest.mark.parametrize("how", [ApplyMode.COMMIT, ApplyMode.MERGE])
async def test_main_merged_in_by_the_agent(source: Path, home: Path, how: ApplyMode) -> None:
    here = await scene(source, home)
    repos.write(source, {"base.txt": "upstream\n", "up": "u\n", "a.log": "tracked\n"})
    repos.git(source, "add", "-f", "a.log")
    repos.commit(source, "upstream")
    begin(here.root)
    repos.git(here.root, "merge", "-q", "main")
    repos.write(source, {"base.txt": "upstream, later\n", "up": "later\n"})
    repos.commit(source, "later")
    go_on(here.root)
    await here.apply(how)
    if how is ApplyMode.MERGE:
        assert (source / "base.txt").read_text() == "upstream, later\n"
        assert (source / "up").read_text() == "later\n"
        assert (source / "a.txt").read_text() == (here.root / "a.txt").read_text()
        assert not (source / "brief").exists()
    assert repos.git(source, "show", f"{here.branch}:a.log") == "tracked"
    assert repos.git(source, "show", f"{here.branch}:base.txt") == "upstream"


async def test_main_merged_in_and_reset_away_reverts_nothing(source: Path, home: Path) -> None:
    here = await scene(source, home)
    repos.write(source, {"base.txt": "upstream\n", "up": "u\n"})
    repos.commit(source, "upstream")
    repos.git(here.root, "merge", "-q", "main")
    repos.git(here.root, "reset", "-q", "--hard", "HEAD~")
    repos.write(here.root, {"new": "n\n"})
    await here.apply(ApplyMode.MERGE)
    assert (source / "base.txt").read_text() == "upstream\n"
    assert (source / "up").read_text() == "u\n"
    assert (source / "new").exists()


@pytest.mark.parametrize("take", ["merge", "cherry-pick"])
async def test_what_i_took_by_hand_goes_on(source: Path, home: Path, take: str) -> None:
    here = await scene(source, home)
    begin(here.root)
    repos.git(source, take, here.branch or "")
    go_on(here.root)
    await here.apply(ApplyMode.MERGE)
    assert repos.files(source) == repos.files(here.root)


async def test_my_own_commits_on_its_branch_are_not_reverted(source: Path, home: Path) -> None:
    here = await scene(source, home)
    begin(here.root)
    repos.git(here.root, "switch", "-q", "--detach")
    repos.git(source, "switch", "-q", here.branch or "")
    repos.write(source, {"base.txt": "mine\n"})
    repos.commit(source, "mine")
    repos.git(source, "switch", "-q", "main")
    repos.write(here.root, {"sub/new": "n\nm\n"})
    await here.apply(ApplyMode.COMMIT)
    assert repos.git(source, "show", f"{here.branch}:base.txt") == "mine"
    assert repos.git(source, "show", f"{here.branch}:sub/new") == "n\nm"


async def test_a_commit_of_a_copy_that_committed(source: Path, home: Path) -> None:
    here = await scene(source, home, "copy")
    here.branch = "swarm/copy"
    begin(here.root)
    await here.apply(ApplyMode.COMMIT)
    go_on(here.root)
    repos.commit(here.root, "more")
    await here.apply(ApplyMode.COMMIT)
    assert arrived(here, ApplyMode.COMMIT) == repos.files(here.root)
    await here.apply(ApplyMode.MERGE)
    assert repos.files(source) == repos.files(here.root)


async def in_place(source: Path, home: Path) -> Scene:
    spec = WorkspaceSpec(WorkspaceKind.IN_PLACE, str(source))
    target = home / "workspaces" / "p" / "r1"
    made = await asyncio.to_thread(create.make, spec, target, home, lambda: False)
    run = await Checkpoints.make(home / "runs" / "r1" / "checkpoints.git", made.workspace)
    await run.record("baseline")
    return Scene(source, source, run, home, None)


# A soft reset leaves content in the index that is nowhere else: a merge does not replace it.
NOT_IN_PLACE = (reset_softly, branch_deleted, branch_renamed, switched_after_committing, rebased)


@pytest.mark.parametrize("act", [act for act in ACTS if act not in NOT_IN_PLACE])
async def test_a_merge_in_place_commits_what_is_there(
    source: Path, home: Path, act: Callable[[Path], None]
) -> None:
    here = await in_place(source, home)
    act(source)
    go_on(source)
    before, head = repos.files(source), repos.git(source, "rev-parse", "HEAD")
    done = await here.apply(ApplyMode.MERGE)
    assert repos.files(source) == before
    assert repos.git(source, "status", "--porcelain") == ""
    assert repos.git(source, "rev-parse", "HEAD~") == head
    assert (done.commit, done.signed) == (repos.git(source, "rev-parse", "HEAD"), False)
    assert (await here.apply(ApplyMode.MERGE)).files == ()


@pytest.mark.parametrize("how", [ApplyMode.EDITS, ApplyMode.COMMIT])
async def test_other_ways_in_place_leave_the_folder_alone(
    source: Path, home: Path, how: ApplyMode
) -> None:
    here = await in_place(source, home)
    here.branch = "swarm/r1"
    begin(source)
    go_on(source)
    before, head = repos.files(source), repos.git(source, "rev-parse", "HEAD")
    await here.apply(how)
    assert repos.files(source) == before
    assert repos.git(source, "rev-parse", "HEAD") == head
    if how is ApplyMode.COMMIT:
        assert arrived(here, how) == before


async def test_edits_and_then_a_merge_of_the_same(source: Path, home: Path) -> None:
    here = await scene(source, home)
    begin(here.root)
    await here.apply(ApplyMode.EDITS)
    await here.apply(ApplyMode.MERGE)
    assert repos.git(source, "status", "--porcelain") == ""
    go_on(here.root)
    await here.apply(ApplyMode.EDITS)
    repos.write(source, {"base.txt": "mine\n"})
    await here.apply(ApplyMode.MERGE)
    assert repos.git(source, "status", "--porcelain") == " M base.txt"


async def test_edits_that_i_staged_otherwise_are_not_merged_over(source: Path, home: Path) -> None:
    here = await scene(source, home)
    begin(here.root)
    repos.write(source, {"a.txt": "staged\n"})
    repos.git(source, "add", "a.txt")
    repos.write(source, {"a.txt": (here.root / "a.txt").read_bytes()})
    await here.refused(ApplyMode.MERGE, "a.txt (has uncommitted changes here)")


@pytest.mark.parametrize("setting", ["core.autocrlf", "attribute"])
async def test_lf_files_in_place_merge_where_git_would_write_crlf(
    source: Path, home: Path, setting: str
) -> None:
    if setting == "attribute":
        repos.write(source, {".gitattributes": "* text=auto eol=crlf\n"})
        repos.commit(source, "attributes")
    else:
        repos.git(source, "config", "core.autocrlf", "true")
    here = await in_place(source, home)
    written: dict[str, str | bytes] = {
        "new.txt": b"1\n2\n",
        "base.txt": b"changed\nby the agent\n",
        "crlf.txt": b"1\r\n",
    }
    repos.write(source, written)
    await here.apply(ApplyMode.MERGE)
    assert {name: (source / name).read_bytes() for name in written} == written
    assert repos.git(source, "status", "--porcelain") == ""
    assert repos.git(source, "show", "HEAD:crlf.txt") == "1"
    assert (await here.apply(ApplyMode.MERGE)).files == ()


async def test_other_content_in_place_is_not_merged_over(source: Path, home: Path) -> None:
    repos.git(source, "config", "core.autocrlf", "true")
    here = await in_place(source, home)
    repos.write(source, {"new.txt": b"1\n2\n"})
    number = (await here.run.record("later")).n
    repos.write(source, {"new.txt": b"1\n2\nmine\n"})
    with pytest.raises(UserError) as raised:
        await apply(here.run, replace(here.wish(ApplyMode.MERGE), until=number), home)
    assert "new.txt (is already there" in raised.value.message
    assert (source / "new.txt").read_bytes() == b"1\n2\nmine\n"

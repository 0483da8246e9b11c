"""Linked worktrees: made side by side, complete, and gone without a trace."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest
import repos

from engine.domain.errors import UserError
from engine.domain.model import Workspace, WorkspaceKind, WorkspaceSpec
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create import checkout, create, worktree


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with one commit."""
    return repos.repository(tmp_path / "s")


async def make(source: Path, home: Path, run: str = "r1", **how: bool) -> worktree.CreatedWorkspace:
    target = home / "workspaces" / "p" / run
    return await worktree.create(source, target, f"swarm/{run}", home, **how)


async def test_a_worktree_is_what_git_would_make(source: Path, home: Path) -> None:
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o755)
    (source / "link").symlink_to("a.txt")
    repos.commit(source, "more")
    made = await make(source, home)
    target = Path(made.workspace.path)
    assert made.notices == ()
    assert made.workspace == Workspace(str(target), WorkspaceKind.WORKTREE, str(source), "swarm/r1")
    assert repos.files(target) == repos.files(source)
    assert repos.git(target, "status", "--porcelain", "--branch") == "## swarm/r1"
    assert repos.git(target, "diff-files") == ""
    assert repos.git(source, "status", "--porcelain") == ""
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert sorted(path.name for path in target.parent.iterdir()) == ["r1"]


async def test_fifty_at_once_from_one_repository(tmp_path: Path, home: Path) -> None:
    source = repos.repository(tmp_path / "s", {f"d{n % 5}/f{n}": f"{n}\n" for n in range(50)})
    made = await asyncio.gather(*(make(source, home, f"r{n}") for n in range(50)))
    for one in made:
        assert repos.files(Path(one.workspace.path)) == repos.files(source)
    assert len(repos.git(source, "worktree", "list").splitlines()) == 51
    repository = await worktree.must_find(source)
    await asyncio.gather(
        *(
            worktree.remove(repository, Path(one.workspace.path), one.workspace.branch, home)
            for one in made
        )
    )
    assert repos.git(source, "worktree", "list").count("\n") == 0
    assert repos.git(source, "branch", "--format=%(refname:short)") == "main"
    assert repos.git(source, "fsck") == ""
    assert not (source / ".git" / "worktrees").exists()


async def test_uncommitted_work_is_left_out_and_told(source: Path, home: Path) -> None:
    repos.write(source, {"a.txt": "mine\n", "new.txt": "new\n"})
    made = await make(source, home)
    assert (Path(made.workspace.path) / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert made.lacking.notice(Path(made.workspace.path)) == (
        "not in the workspace: "
        "2 uncommitted files of the source (--include-uncommitted brings them along)"
    )


async def test_uncommitted_work_is_brought_along_and_left_alone(source: Path, home: Path) -> None:
    repos.write(source, {".gitignore": "*.log\n", "del": "x\n", "swap": "x\n", "-rf": "x\n"})
    repos.commit(source, "more")
    repos.write(source, {"a.txt": "staged\n", "x.log": "ignored\n", "n/e\nw": "new\n"})
    repos.git(source, "add", "a.txt")
    repos.write(source, {"a.txt": "staged\nand not\n"})
    repos.git(source, "rm", "-q", "--cached", "sub/b.txt")
    (source / "del").unlink()
    (source / "swap").unlink()
    repos.write(source, {"swap/inner": "now a folder\n"})
    (source / "-rf").chmod(0o755)
    (source / "link").symlink_to("/etc/passwd")
    index = (source / ".git" / "index").read_bytes()
    before = repos.git(source, "status", "--porcelain")
    made = await make(source, home, include_uncommitted=True)
    wanted = repos.files(source)
    del wanted["x.log"]
    assert repos.files(Path(made.workspace.path)) == wanted
    assert (source / ".git" / "index").read_bytes() == index
    assert repos.git(source, "status", "--porcelain") == before
    assert repos.git(source, "stash", "list") == ""
    run = await Checkpoints.make(home / "c.git", made.workspace)
    await run.record("baseline")
    assert (await run.changes()).files == ()


async def test_line_ends_are_the_users(tmp_path: Path, home: Path) -> None:
    source = repos.repository(
        tmp_path / "s", {".gitattributes": "*.bat eol=crlf\n", "a.bat": "x\n"}
    )
    (source / "a.bat").unlink()
    repos.git(source, "checkout", "a.bat")
    made = await make(source, home)
    assert made.notices == ()
    assert (Path(made.workspace.path) / "a.bat").read_bytes() == b"x\r\n"
    assert repos.git(Path(made.workspace.path), "status", "--porcelain") == ""


@pytest.mark.parametrize("state", ["detached", "bare", "subfolder", "linked", "sha256", "split"])
async def test_repositories_in_every_state(tmp_path: Path, home: Path, state: str) -> None:
    more = ["--object-format=sha256"] if state == "sha256" else []
    source = given = repos.repository(tmp_path / "s", None, *more)
    wanted = repos.files(source)
    if state == "detached":
        repos.git(source, "checkout", "-q", "--detach")
    elif state == "bare":
        given = tmp_path / "bare.git"
        repos.git(tmp_path, "clone", "-q", "--bare", str(source), str(given))
        source = given
    elif state == "subfolder":
        given = source / "sub"
    elif state == "linked":
        given = tmp_path / "linked"
        repos.git(source, "worktree", "add", "-q", str(given))
    elif state == "split":
        repos.git(source, "update-index", "--split-index")
    made = await make(given, home, include_uncommitted=True)
    assert made.notices == ()
    target = Path(made.workspace.path)
    assert repos.files(target) == wanted
    assert repos.git(target, "status", "--porcelain") == ""
    run = await Checkpoints.make(home / "c.git", made.workspace)
    await run.record("baseline")
    repos.write(target, {"new": "x\n"})
    assert [file.path for file in (await run.changes()).files] == ["new"]
    repository = await worktree.must_find(given)
    assert await worktree.remove(repository, target, "swarm/r1", home)
    assert "swarm" not in repos.git(source, "worktree", "list") + repos.git(source, "branch", "-a")


async def test_what_cannot_be_is_said_before_anything_is_made(tmp_path: Path, home: Path) -> None:
    (tmp_path / "plain").mkdir()
    repos.git(tmp_path, "init", "-q", "unborn")
    wanted = {"plain": "in no git repository", "unborn": "no commit yet", "gone": "does not exist"}
    for name, message in wanted.items():
        with pytest.raises(UserError, match=message):
            await worktree.must_find(tmp_path / name)
        with pytest.raises(UserError, match=message):
            await make(tmp_path / name, home)
    assert not (home / "workspaces" / "p" / "r1").exists()


async def test_a_branch_with_work_of_its_own_is_never_lost(source: Path, home: Path) -> None:
    made = await make(source, home)
    target = Path(made.workspace.path)
    work = repos.commit(target, "work")
    repository = await worktree.must_find(source)
    assert not await worktree.remove(repository, target, "swarm/r1", home)
    again = await make(source, home)
    assert again.workspace.branch == "swarm/r1-2"
    assert repos.git(source, "rev-parse", "swarm/r1") == work
    assert await worktree.remove(repository, target, "swarm/r1-2", home)
    repos.git(source, "merge", "-q", "swarm/r1")
    repository = await worktree.must_find(source)
    assert await worktree.remove(repository, target, "swarm/r1", home)
    assert repos.git(source, "branch", "--format=%(refname:short)") == "main"


async def test_a_branch_that_is_checked_out_elsewhere_stays(source: Path, home: Path) -> None:
    made = await make(source, home)
    repository = await worktree.must_find(source)
    repos.git(Path(made.workspace.path), "checkout", "-q", "--detach")
    repos.git(source, "checkout", "-q", "swarm/r1")
    target = Path(made.workspace.path)
    tip = repos.git(source, "rev-parse", "swarm/r1")
    assert not await worktree.remove(repository, target, "swarm/r1", home, kept=tip)
    assert (await make(source, home)).workspace.branch == "swarm/r1-2"
    assert repos.git(source, "status", "--porcelain", "--branch") == "## swarm/r1"


async def test_a_begun_worktree_is_made_anew(source: Path, home: Path) -> None:
    made = await make(source, home)
    target = Path(made.workspace.path)
    (target / "a.txt").unlink()
    repos.write(target, {"rest": "x\n"})
    again = await make(source, home)
    assert again == made
    assert repos.files(target) == repos.files(source)


async def test_a_failed_or_cancelled_one_leaves_nothing(
    source: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = asyncio.Event()

    async def never(*_: object) -> list[str]:
        waiting.set()
        await asyncio.sleep(60)
        return []

    monkeypatch.setattr(checkout, "filters", never)
    task = asyncio.create_task(make(source, home))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert repos.git(source, "worktree", "list").count("\n") == 0
    assert repos.git(source, "branch", "--format=%(refname:short)") == "main"
    assert list((home / "workspaces" / "p").iterdir()) == []


async def test_what_somebody_removed_by_hand_is_forgotten_with_the_next_one(
    source: Path, home: Path, tmp_path: Path
) -> None:
    gone, kept, new = [Path((await make(source, home, f"r{n}")).workspace.path) for n in range(3)]
    (kept / "a.txt").write_text("work\n")
    repos.commit(kept, "a commit of its own")
    repos.git(source, "worktree", "add", "-q", str(tmp_path / "theirs"))
    for folder in (gone, kept, new, tmp_path / "theirs"):
        shutil.rmtree(folder)
    for name in ("r0", "r1", "theirs"):  # r2 may be in the making still
        os.utime(source / ".git" / "worktrees" / name / "gitdir", (0, 0))
    await make(source, home, "next")
    listed = repos.git(source, "worktree", "list")
    assert [name for name in ("r0", "r1", "r2", "theirs") if f"/{name} " in listed] == [
        "r2",
        "theirs",
    ]
    branches = repos.git(source, "branch", "--format=%(refname:short)").split()
    assert branches == ["main", "swarm/next", "swarm/r1", "swarm/r2", "theirs"]


async def test_the_workspace_of_an_earlier_run_with_its_git(source: Path, home: Path) -> None:
    first = Path((await make(source, home)).workspace.path)
    repos.write(first, {".gitignore": "*.log\n", "x.log": "kept\n", "a.txt": "changed\n"})
    repos.git(first, "add", "a.txt")
    (first / "sub" / "b.txt").unlink()
    before = repos.git(first, "status", "--porcelain")
    spec = WorkspaceSpec(WorkspaceKind.FROM_RUN, str(first))
    second = first.with_name("r2")
    made = await asyncio.to_thread(create.make, spec, second, home, lambda: False)
    assert made.workspace.branch == "swarm/r2"
    assert repos.files(second) == repos.files(first)
    assert repos.git(second, "status", "--porcelain") == before
    repos.git(second, "commit", "-qm", "in the second")
    assert repos.git(first, "status", "--porcelain") == before
    assert repos.git(source, "worktree", "list").count("\n") == 2


@pytest.mark.parametrize(("free", "fits"), [(3 * 9000 - 1, False), (3 * 9000, True)])
async def test_worktree_without_room_for_its_files_is_not_begun(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, free: int, fits: bool
) -> None:
    sized: dict[str, str | bytes] = {f"{name}\n{name}.bin": b"x" * 9000 for name in "abc"}
    source = repos.repository(tmp_path / "sized", sized)
    before = repos.git(source, "worktree", "list"), repos.git(source, "branch")
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=free))
    target = home / "workspaces" / "p" / "r1"
    if fits:
        await make(source, home)
        assert len(repos.files(target)) == 3
        return
    with pytest.raises(UserError, match=r"The checkout takes 26\.4 KiB") as caught:
        await make(source, home)
    assert caught.value.code == "DISK_FULL"
    assert not target.exists()
    assert (repos.git(source, "worktree", "list"), repos.git(source, "branch")) == before

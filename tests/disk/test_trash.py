"""What goes to the trash comes back as it was, and the user's repository stays clean."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
import repos

from engine.config.paths import Paths
from engine.disk import trash as module
from engine.disk.trash import Trash
from engine.domain.errors import UserError
from engine.domain.model import Run, RunSpec, Workspace, WorkspaceKind, WorkspaceSpec
from engine.workspaces.create import create
from engine.workspaces.files.removal import RemovalResult


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with one commit."""
    return repos.repository(tmp_path / "s")


def a_run(paths: Paths, workspace: WorkspaceSpec, name: str = "r1") -> Run:
    """Make a run with a workspace, as a supervisor does."""
    target = paths.workspace("p", name)
    target.parent.mkdir(parents=True, exist_ok=True)
    made = create.create(workspace, target, paths.home, lambda: False)
    run = Run(name, RunSpec("do it", "Do it", "p", workspace=workspace), 0.0)
    run.workspace = made
    return run


def worktree(source: Path) -> WorkspaceSpec:
    return WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))


def state(folder: Path) -> tuple[str, ...]:
    """All that git has to say of a repository's refs and worktrees."""
    return (
        repos.git(folder, "for-each-ref"),
        repos.git(folder, "worktree", "list", "--porcelain"),
        repos.git(folder, "status", "--porcelain"),
    )


async def made(paths: Paths, spec: WorkspaceSpec) -> tuple[Run, Path]:
    run = await asyncio.to_thread(a_run, paths, spec)
    assert run.workspace
    return run, Path(run.workspace.path)


async def test_a_worktree_goes_without_a_trace_and_comes_back(paths: Paths, source: Path) -> None:
    before = state(source)
    run, target = await made(paths, worktree(source))
    repos.write(target, {"a.txt": "changed\n", "new.txt": "new\n", "staged.txt": "staged\n"})
    repos.git(target, "add", "staged.txt")
    files, status = repos.files(target), repos.git(target, "status", "--porcelain", "--branch")
    trash = Trash(paths)
    entry = await trash.put(run)
    assert state(source) == before
    assert not target.exists()
    assert trash.list() == [entry]
    await trash.restore(entry)
    assert repos.files(target) == files
    assert repos.git(target, "status", "--porcelain", "--branch") == status
    assert trash.list() == []
    assert list(paths.trash.iterdir()) == []


async def test_a_workspace_from_a_run_needs_that_run_no_more(paths: Paths, source: Path) -> None:
    before = state(source)
    first, earlier = await made(paths, worktree(source))
    spec = WorkspaceSpec(WorkspaceKind.FROM_RUN, str(earlier))
    second = await asyncio.to_thread(a_run, paths, spec, "r2")
    assert second.workspace
    target = Path(second.workspace.path)
    repos.write(target, {"new.txt": "new\n"})
    files, status = repos.files(target), repos.git(target, "status", "--porcelain", "--branch")
    trash = Trash(paths)
    await trash.put(first)
    entry = await trash.put(second)
    assert state(source) == before
    await trash.restore(entry)
    assert repos.files(target) == files
    assert repos.git(target, "status", "--porcelain", "--branch") == status


async def test_commits_that_are_nowhere_else_come_back(paths: Paths, source: Path) -> None:
    before = state(source)
    run, target = await made(paths, worktree(source))
    repos.write(target, {"work.txt": "work\n"})
    commit = repos.commit(target, "work")
    repos.git(target, "checkout", "-q", "--detach")
    repos.write(target, {"more.txt": "more\n"})
    detached = repos.commit(target, "more")
    trash = Trash(paths)
    entry = await trash.put(run)
    assert state(source) == before
    repos.git(source, "reflog", "expire", "--expire=now", "--all")
    repos.git(source, "gc", "-q", "--prune=now")
    assert repos.git(source, "cat-file", "-t", commit, ok=False) == ""
    await trash.restore(entry)
    assert repos.git(target, "rev-parse", "HEAD") == detached
    assert repos.git(source, "rev-parse", "swarm/r1") == commit
    assert repos.git(target, "status", "--porcelain") == ""
    repos.git(source, "fsck", "--strict")


async def test_a_copy_goes_and_comes_back(paths: Paths, source: Path) -> None:
    run, target = await made(paths, WorkspaceSpec(WorkspaceKind.COPY, str(source)))
    (target / os.fsdecode(b"\xff\n")).write_text("odd")
    target.chmod(0o500)
    files = repos.files(target)
    trash = Trash(paths)
    entry = await trash.put(run)
    assert not target.exists()
    await trash.restore(entry)
    assert repos.files(target) == files
    assert repos.git(target, "status", "--porcelain") != ""


async def test_without_its_repository_the_files_are_kept(paths: Paths, source: Path) -> None:
    run, target = await made(paths, worktree(source))
    repos.write(target, {"work.txt": "work\n"})
    trash = Trash(paths)
    entry = await trash.put(run)
    source.rename(source.with_name("elsewhere"))
    with pytest.raises(UserError) as caught:
        await trash.restore(entry)
    assert caught.value.code == "SOURCE_NOT_FOUND"
    assert (trash.content(entry) / "work.txt").read_text() == "work\n"
    source.with_name("elsewhere").rename(source)
    await trash.restore(entry)
    assert (target / "work.txt").read_text() == "work\n"


async def test_what_is_not_ours_is_never_taken(paths: Paths, source: Path, tmp_path: Path) -> None:
    trash = Trash(paths)
    run, target = await made(paths, WorkspaceSpec(WorkspaceKind.EMPTY))
    other = tmp_path / "other"
    other.mkdir()
    elsewhere = paths.workspaces / "linked"
    elsewhere.symlink_to(tmp_path)
    unsafe = [
        Workspace(str(source), WorkspaceKind.IN_PLACE, str(source)),
        Workspace(str(source), WorkspaceKind.COPY, str(source)),
        Workspace(str(paths.home), WorkspaceKind.EMPTY),
        Workspace(str(paths.workspaces), WorkspaceKind.EMPTY),
        Workspace(str(target.parent), WorkspaceKind.EMPTY),
        Workspace(str(target / ".."), WorkspaceKind.EMPTY),
        Workspace(str(elsewhere / "other"), WorkspaceKind.EMPTY),
    ]
    for workspace in unsafe:
        run.workspace = workspace
        with pytest.raises(UserError) as caught:
            await trash.put(run)
        assert caught.value.code == "WORKSPACE_UNSAFE"
    run.workspace = Workspace(str(target / "gone"), WorkspaceKind.EMPTY)
    with pytest.raises(UserError) as caught:
        await trash.put(run)
    assert caught.value.code == "WORKSPACE_MISSING"
    assert (other.is_dir(), target.is_dir(), source.is_dir()) == (True, True, True)
    assert trash.list() == []


async def test_nothing_is_put_over_what_is_there_again(paths: Paths) -> None:
    run, target = await made(paths, WorkspaceSpec(WorkspaceKind.EMPTY))
    trash = Trash(paths)
    entry = await trash.put(run)
    repos.write(target, {"second.txt": "2"})
    with pytest.raises(UserError) as caught:
        await trash.restore(entry)
    assert caught.value.code == "WORKSPACE_BUSY"
    assert (target / "second.txt").read_text() == "2"
    assert trash.list() == [entry]


class Killed(BaseException):
    """Stands for the end of the process."""


STEPS = (
    *("write", "move", "worktree_registry.unregister", "rewrite"),
    *("worktree_registry.worktree.register", "worktree_registry.fill"),
)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_at_any_step_loses_nothing(
    paths: Paths, source: Path, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    run, target = await made(paths, worktree(source))
    repos.write(target, {"work.txt": "work\n"})
    repos.commit(target, "work")
    repos.write(target, {"more.txt": "more\n"})
    files, status = repos.files(target), repos.git(target, "status", "--porcelain", "--branch")
    trash = Trash(paths)
    with monkeypatch.context() as patch:
        _kill(patch, step, when)
        with pytest.raises(Killed):
            await trash.restore(await trash.put(run))
    await trash.repair()
    if not target.exists() or not files.items() <= repos.files(target).items():
        (entry,) = trash.list()
        await trash.restore(entry)
    assert repos.files(target) == files
    assert repos.git(target, "status", "--porcelain", "--branch") == status
    await trash.repair()
    assert trash.list() == []
    assert repos.git(source, "status", "--porcelain") == ""


def _kill(patch: pytest.MonkeyPatch, step: str, when: str) -> None:
    *holders, name = step.split(".")
    place: Any = module
    for holder in holders:
        place = getattr(place, holder)
    real = getattr(place, name)

    def killed(*given: object, **named: object) -> object:
        if when == "before":
            raise Killed
        real(*given, **named)
        raise Killed

    async def killed_async(*given: object, **named: object) -> object:
        if when == "after":
            await real(*given, **named)
        raise Killed

    patch.setattr(place, name, killed_async if asyncio.iscoroutinefunction(real) else killed)
    # A killed process tidies nothing up.
    patch.setattr(module.removal, "remove", lambda *_: RemovalResult())


async def test_the_trash_is_emptied_for_good(paths: Paths, source: Path) -> None:
    run, _ = await made(paths, worktree(source))
    trash = Trash(paths)
    entry = await trash.put(run)
    gone = trash.doom(entry)
    assert trash.list() == []
    assert trash.doomed() == [gone]
    with pytest.raises(UserError):
        await trash.restore(entry)
    assert module.removal.remove(gone).left == []
    assert list(paths.trash.iterdir()) == []


async def test_damage_in_the_trash_costs_nothing(paths: Paths) -> None:
    for name, text in {
        "a": "",
        "b": "{}",
        "c": '{"id": "c", "path": "/etc"}',
        "d": "[" * 9999,
    }.items():
        repos.write(paths.trash / name, {"entry.json": text, "workspace/x": "x"})
    repos.write(paths.trash, {"file": "x"})
    trash = Trash(paths)
    assert trash.list() == []
    await trash.repair()
    assert len(list(paths.trash.iterdir())) == 5


async def test_a_branch_that_the_user_makes_later_is_theirs(paths: Paths, source: Path) -> None:
    run, target = await made(paths, worktree(source))
    repos.write(target, {"work.txt": "work\n"})
    repos.commit(target, "work")
    trash = Trash(paths)
    entry = await trash.put(run)
    repos.git(source, "checkout", "-q", "-b", "swarm/r1")
    repos.write(source, {"mine.txt": "mine\n"})
    mine = repos.commit(source, "mine")
    repos.git(source, "checkout", "-q", "main")
    await trash.repair()
    # Nor does it go where a crash came before the trash had settled.
    settled = paths.trash / entry.id / "entry.json"
    settled.write_text(settled.read_text().replace('"is_settled":true', '"is_settled":false'))
    await trash.repair()
    assert repos.git(source, "rev-parse", "swarm/r1") == mine


async def test_a_trash_that_is_a_link_is_none_of_ours(paths: Paths, tmp_path: Path) -> None:
    other = tmp_path / "other"
    repos.write(other / "00000000000a-r1", {"entry.json": "{}", "index": ""})
    paths.home.mkdir(parents=True, exist_ok=True)
    paths.trash.symlink_to(other)
    await Trash(paths).repair()
    assert (other / "00000000000a-r1" / "index").exists()
    assert Trash(paths).doomed() == []

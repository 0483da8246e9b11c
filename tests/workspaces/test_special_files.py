"""Pipes, devices and sparse files where git reads: none makes it wait or takes memory."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import repos

from engine.domain.errors import UserError
from engine.domain.model import Workspace, WorkspaceKind, WorkspaceSpec
from engine.workspaces.apply.apply import ApplyMode, ApplyRequest, apply
from engine.workspaces.apply.restore import restore
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create import create, worktree
from engine.workspaces.create.uncommitted import uncommitted
from engine.workspaces.git import process_watch, repository
from engine.workspaces.git.user_git_config import user_git_config

SPARSE_BYTES = 3 * 1024**3
LIMIT_S = 60.0
"""Well below the limit of a git call, well above what a busy machine takes."""

IN_FOLDERS = (".gitignore", "sub/.gitignore", "deep/er/.gitignore")
NESTED = ("nested/.git/HEAD", "nested/.git/config", "nested/.git/commondir", "nested/.git/refs/heads/main")  # noqa: E501  # fmt: skip
IN_SOURCES = (".gitignore", ".gitattributes", "sub/.gitattributes", "untracked/.gitignore")
IN_GIT_DIRS = (
    "HEAD", "config", "config.worktree", "index", "packed-refs", "shallow", "info/exclude",
    "info/attributes", "info/grafts", "refs/heads/main", "refs/heads/x", "refs/stash", "logs/HEAD",
    "logs/refs/heads/main", "commondir", "objects/info/alternates", "objects/info/commit-graph",
    "objects/pack/pack-0000000000000000000000000000000000000000.idx",
)  # fmt: skip
READ_WHOLE = (
    "HEAD", "config", "config.worktree", "info/exclude", "info/attributes", "refs/heads/x",
    "objects/info/alternates", "commondir",
)  # fmt: skip


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_watch, "FIRST_LOOK_S", 0.1)


def plant(path: Path, kind: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        here = os.open(path.parent, os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(f"/proc/self/fd/{here}/{path.name}")
        os.close(here)
    else:
        with path.open("wb") as file:
            file.truncate(SPARSE_BYTES)


def child_peak_kib() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


async def refused(work: Awaitable[object], path: Path) -> None:
    with pytest.raises(UserError) as raised:
        await asyncio.wait_for(work, LIMIT_S)
    assert raised.value.code == "WORKSPACE_UNSAFE"
    assert str(path) in raised.value.message


async def refused_or_done(work: Awaitable[object], path: Path) -> None:
    """Not every git opens every one of these files."""
    try:
        await asyncio.wait_for(work, LIMIT_S)
    except UserError as error:
        assert error.code == "WORKSPACE_UNSAFE"
        assert str(path) in error.message


async def store(root: Path, home: Path) -> Checkpoints:
    root.mkdir(exist_ok=True)
    return await Checkpoints.make(
        home / "runs" / "r" / "c.git", Workspace(str(root), WorkspaceKind.EMPTY)
    )


Action = Callable[[Checkpoints], Awaitable[object]]
ACTIONS: dict[str, Action] = {
    "checkpoint": lambda run: run.record("x"),
    "changes": lambda run: run.changes(),
    "diff": lambda run: repos.written(run.write_diff),
    "restore": lambda run: restore(run, 0),
    "counted": lambda run: run.counted(),
}


@pytest.mark.parametrize("name", [*IN_FOLDERS, *NESTED])
async def test_a_pipe_in_a_workspace_is_named_and_makes_nothing_wait(
    tmp_path: Path, home: Path, name: str
) -> None:
    root = tmp_path / "ws"
    repos.repository(root / "nested", {"n": "n\n"})
    repos.write(root, {"a": "a\n"})
    run = await store(root, home)
    await run.record("baseline")
    plant(root / name, "pipe")
    is_opened = refused if name in IN_FOLDERS else refused_or_done
    for action in ACTIONS.values() if name == ".gitignore" else [ACTIONS["checkpoint"]]:
        await is_opened(action(run), root / name)
    (root / name).unlink()
    await run.record("x")


async def test_other_runs_go_on_while_git_waits_in_one(tmp_path: Path, home: Path) -> None:
    stuck, free = tmp_path / "stuck", tmp_path / "free"
    first, second = await store(stuck, home / "1"), await store(free, home / "2")
    plant(stuck / ".gitignore", "pipe")
    waiting = asyncio.create_task(first.record("x"))
    for number in range(3):
        repos.write(free, {"a": f"{number}\n"})
        await second.record("x")
    await refused(waiting, stuck / ".gitignore")


async def test_a_sparse_list_of_patterns_takes_no_memory(tmp_path: Path, home: Path) -> None:
    root = tmp_path / "ws"
    run = await store(root, home)
    await run.record("baseline")
    plant(root / ".gitignore", "sparse")
    before = child_peak_kib()
    await refused(run.record("x"), root / ".gitignore")
    assert child_peak_kib() <= max(before, process_watch.MEMORY_BYTES // 1024)


async def test_a_pipe_that_is_removed_while_git_waits_for_it(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_watch, "STALLED_S", 0.5)
    root = tmp_path / "ws"
    run = await store(root, home)
    await run.record("baseline")
    plant(root / ".gitignore", "pipe")
    original = process_watch.check

    def check(where: Path) -> None:
        (root / ".gitignore").unlink(missing_ok=True)
        original(where)

    monkeypatch.setattr(process_watch, "check", check)
    await refused(run.record("x"), root)


async def test_sockets_and_files_of_such_names_elsewhere_do_no_harm(
    tmp_path: Path, home: Path
) -> None:
    root = tmp_path / "ws"
    run = await store(root, home)
    plant(root / ".gitignore", "socket")
    plant(root / ".mailmap", "pipe")  # git does not read it for us
    plant(root / "HEAD", "pipe")
    plant(root / "packed-refs", "pipe")
    repos.write(root, {"a": "a\n"})
    assert (await run.record("x")).n == 0


@pytest.mark.parametrize("name", IN_SOURCES)
async def test_a_pipe_in_a_source_is_named_before_anything_is_made(
    tmp_path: Path, home: Path, name: str
) -> None:
    source = repos.repository(tmp_path / "s")
    repos.write(source, {"a.txt": "one\ntwo\nthRee\n", "sub/b.txt": "c\n", "untracked/x": "x\n"})
    plant(source / name, "pipe")
    found = await repository.find(source)
    assert found
    user = await user_git_config(found, home)
    is_opened = refused if name.endswith("ignore") else refused_or_done
    await is_opened(uncommitted(found, user, home), source / name)
    spec = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source), include_uncommitted=True)
    made = asyncio.to_thread(create.make, spec, home / "w" / "p" / "r1", home, lambda: False)
    await is_opened(made, source / name)
    if name.endswith("ignore"):
        assert not (home / "w" / "p" / "r1").exists()
        assert repos.git(source, "branch", "--list", "swarm/*") == ""


@pytest.mark.parametrize("how", [ApplyMode.COMMIT, ApplyMode.MERGE])
async def test_apply_reads_no_attributes_of_the_working_tree(
    tmp_path: Path, home: Path, how: ApplyMode
) -> None:
    source = repos.repository(tmp_path / "s")
    made = await worktree.create(source, home / "workspaces" / "p" / "r1", "swarm/r1", home)
    root = Path(made.workspace.path)
    run = await Checkpoints.make(home / "runs" / "r1" / "c.git", made.workspace)
    await run.record("baseline")
    repos.write(root, {"a.txt": "x\r\n", "sub/b.txt": "y\r\n"})
    plant(source / "sub" / ".gitattributes", "pipe")
    wish = ApplyRequest(source, how, "swarm/r1", "m")
    await apply(run, wish, home)  # the committed ones count
    assert repos.git(source, "show", "swarm/r1:a.txt") == "x\r"


async def test_apply_as_a_commit_does_not_read_the_workspace_after_it(
    tmp_path: Path, home: Path
) -> None:
    source = repos.repository(tmp_path / "s")
    made = await worktree.create(source, home / "workspaces" / "p" / "r1", "swarm/r1", home)
    root = Path(made.workspace.path)
    run = await Checkpoints.make(home / "runs" / "r1" / "c.git", made.workspace)
    await run.record("baseline")
    repos.write(root, {"a.txt": "x\n", "sub/b.txt": "y\n"})
    taken = await run.record("x")
    for name in (".gitattributes", "sub/.gitattributes", ".gitignore"):
        plant(root / name, "pipe")
    done = await asyncio.wait_for(
        apply(run, ApplyRequest(source, ApplyMode.COMMIT, "swarm/r1", "m", until=taken.n), home),
        LIMIT_S,
    )
    assert repos.git(source, "rev-parse", "swarm/r1") == done.commit


@pytest.mark.parametrize("name", IN_GIT_DIRS)
async def test_a_pipe_in_a_git_directory_is_refused_without_opening_it(
    tmp_path: Path, home: Path, name: str
) -> None:
    source = repos.repository(tmp_path / "s")
    plant(source / ".git" / name, "pipe")
    await _stays_out(source, home)


@pytest.mark.parametrize("name", READ_WHOLE)
async def test_a_sparse_file_in_a_git_directory_is_not_read(
    tmp_path: Path, home: Path, name: str
) -> None:
    source = repos.repository(tmp_path / "s")
    plant(source / ".git" / name, "sparse")
    before = child_peak_kib()
    await _stays_out(source, home)
    assert child_peak_kib() <= max(before, process_watch.MEMORY_BYTES // 1024)


async def _stays_out(source: Path, home: Path) -> None:
    """Check that git does not run there."""
    try:
        found = await asyncio.wait_for(repository.find(source), LIMIT_S)
    except UserError as error:
        assert error.code == "WORKSPACE_UNSAFE"
    else:  # it does not look like a repository any more
        assert found is None

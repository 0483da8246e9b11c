"""Nothing that a repository contains makes our git calls run anything."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path

import pytest
import repos
from support import LIMIT_S

from engine.domain.errors import UserError
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.workspaces.apply.apply import ApplyMode, ApplyRequest, apply, check
from engine.workspaces.apply.restore import restore
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create import create, worktree
from engine.workspaces.git.git import Git

# fmt: off
HOOKS = (
    "applypatch-msg", "pre-applypatch", "post-applypatch", "pre-commit", "pre-merge-commit",
    "prepare-commit-msg", "commit-msg", "post-commit", "pre-rebase", "post-checkout",
    "post-merge", "pre-push", "pre-receive", "update", "proc-receive", "post-receive",
    "post-update", "reference-transaction", "push-to-checkout", "pre-auto-gc", "post-rewrite",
    "sendemail-validate", "fsmonitor-watchman", "post-index-change",
)
# fmt: on
ATTRIBUTES = "* filter=evil diff=evil merge=evil\n*.x filter=slow -text\n"


def settings(script: Path, hooks: Path) -> str:
    return f"""
[core]
    hooksPath = {hooks}
    fsmonitor = {script}
    sshCommand = {script}
    gitProxy = {script}
    askPass = {script}
    editor = {script}
    pager = {script}
    alternateRefsCommand = {script}
    untrackedCache = true
[alias]
    rev-parse = !{script}
    worktree = !{script}
    ls-files = !{script}
[filter "evil"]
    clean = {script}
    smudge = {script}
    required = true
[filter "slow"]
    process = {script}
    required = true
[diff]
    external = {script}
[diff "evil"]
    command = {script}
    textconv = {script}
    cachetextconv = true
[merge "evil"]
    driver = {script} %O %A %B
[merge]
    default = evil
[mergetool "evil"]
    cmd = {script}
[pager]
    diff = {script}
    diff-tree = {script}
[interactive]
    diffFilter = {script}
[sequence]
    editor = {script}
[credential]
    helper = !{script}
[commit]
    gpgSign = true
[gpg]
    program = {script}
[uploadpack]
    packObjectsHook = {script}
[submodule]
    recurse = true
[submodule "inner"]
    active = true
    update = !{script}
[remote "origin"]
    url = ext::{script}
    fetch = +refs/heads/*:refs/remotes/origin/*
    uploadpack = {script}
    promisor = true
    vcs = evil
[protocol "ext"]
    allow = always
[gc]
    auto = 1
[maintenance]
    auto = true
[trailer "x"]
    command = {script}
[extensions]
    worktreeConfig = true
"""


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """A folder that is no longer empty once a planted script has run."""
    path = tmp_path / "ran"
    path.mkdir()
    return path


@pytest.fixture
def attributes() -> str:
    return ATTRIBUTES


@pytest.fixture
def evil(tmp_path: Path, ran: Path, monkeypatch: pytest.MonkeyPatch, attributes: str) -> Path:
    """A repository with a script in every place from which git might run one."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    script = tmp_path / "script"
    script.write_text(f'#!/bin/sh\necho "$0 $*" >"{ran}/$$"\ncat\n')
    script.chmod(0o755)
    source = repos.repository(
        tmp_path / "evil",
        {"a.txt": "one\ntwo\nthree\n", "b.x": "x\n", "sub/c": "c\n", ".gitattributes": attributes},
    )
    inner = repos.repository(source / "inner")
    repos.commit(source, "with a submodule")
    for repository in (source, inner):
        for name in HOOKS:
            for folder in (hooks, repository / ".git" / "hooks"):
                folder.mkdir(exist_ok=True)
                shutil.copy(script, folder / name)
        with (repository / ".git" / "config").open("a") as file:
            file.write(settings(script, hooks))
        (repository / ".git" / "info" / "attributes").write_text(attributes)
    repos.write(source, {"sub/c": "not committed\n", "new.x": "new\n", "inner/a.txt": "dirty\n"})
    for name in ("GIT_EXTERNAL_DIFF", "GIT_SSH_COMMAND", "GIT_EDITOR", "GIT_PAGER", "GIT_ASKPASS"):
        monkeypatch.setenv(name, str(script))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(script))
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    for path in ran.iterdir():
        path.unlink()
    return source


def test_the_scripts_do_run_for_git_itself(evil: Path, ran: Path) -> None:
    repos.git(evil, "status", ok=False)
    repos.git(evil, "diff", ok=False)
    assert list(ran.iterdir())


@pytest.mark.parametrize(
    ("how", "attributes"),
    [
        *((how, "* diff=evil merge=evil\n") for how in ApplyMode),
        (ApplyMode.EDITS, ATTRIBUTES),
        (ApplyMode.PATCH, ATTRIBUTES),
    ],
)
@pytest.mark.parametrize("kind", [WorkspaceKind.WORKTREE, WorkspaceKind.COPY])
async def test_a_whole_run_runs_nothing(
    evil: Path, ran: Path, home: Path, kind: WorkspaceKind, how: ApplyMode
) -> None:
    spec = WorkspaceSpec(kind, str(evil), include_uncommitted=True)
    await asyncio.to_thread(create.check, spec, 1 << 30, home)
    target = home / "workspaces" / "p" / "r1"
    made = await asyncio.to_thread(create.make, spec, target, home, lambda: False)
    run = await Checkpoints.make(home / "runs" / "r1" / "checkpoints.git", made.workspace)
    await run.record("baseline")
    repos.write(target, {"a.txt": "zero\none\ntwo\nthree\n", "fresh.x": "fresh\n"})
    shutil.copytree(evil / "inner", target / "nested")
    await run.record("changed")
    assert len((await run.changes()).files) == 5  # the nested repository, too
    assert b"+zero" in await repos.written(run.write_diff)
    await restore(run, 0)
    await restore(run, 1)
    wish = ApplyRequest(evil, how, "swarm/r1", "message")
    assert (await check(run, wish, home)).fits
    await apply(run, wish, home)
    await run.pack()
    again = WorkspaceSpec(WorkspaceKind.FROM_RUN, str(target))
    await asyncio.to_thread(create.make, again, target.with_name("r2"), home, lambda: False)
    repository = await worktree.must_find(evil)
    await worktree.prune(repository, home)
    tip = await worktree.tip_of(repository.git, "swarm/r1")
    await worktree.remove(repository, target, "swarm/r1", home, kept=tip)
    assert [path.read_text() for path in ran.iterdir()] == []


async def test_a_filter_is_told_of_and_its_files_are_as_git_stores_them(
    evil: Path, home: Path
) -> None:
    made = await worktree.create(evil, home / "w" / "r1", "swarm/r1", home)
    assert any("filters" in notice for notice in made.notices)
    assert (home / "w" / "r1" / "b.x").read_text() == "x\n"
    assert (home / "w" / "r1" / "inner" / "a.txt").exists()  # filled, and nothing of it ran


async def test_a_partial_clone_fetches_nothing(evil: Path, ran: Path, home: Path) -> None:
    repos.git(evil, "config", "extensions.partialClone", "origin")
    for path in ran.iterdir():
        path.unlink()
    blob = repos.git(evil, "rev-parse", "HEAD:a.txt")
    (evil / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(UserError) as raised:
        await worktree.create(evil, home / "w" / "r1", "swarm/r1", home)
    assert raised.value.code == "GIT_OBJECT_MISSING", raised.value.message
    answer = await Git(evil / ".git").ask("cat-file", "-p", blob)
    assert answer.code
    assert list(ran.iterdir()) == []
    assert repos.git(evil, "-c", "core.fsmonitor=", "worktree", "list").count("\n") == 0


async def test_a_work_tree_that_settings_name_is_not_believed(tmp_path: Path, home: Path) -> None:
    source = repos.repository(tmp_path / "s")
    elsewhere = tmp_path / "elsewhere"
    repos.write(elsewhere, {"a.txt": "mine\n"})
    repos.git(source, "config", "core.worktree", str(elsewhere))
    assert (await worktree.must_find(source)).top == source
    made = await worktree.create(source, home / "w" / "r1", "swarm/r1", home)
    run = await Checkpoints.make(home / "c.git", made.workspace)
    await run.record("baseline")
    repos.write(home / "w" / "r1", {"a.txt": "changed\n"})
    await apply(run, ApplyRequest(source), home)
    assert (source / "a.txt").read_text() == "changed\n"
    assert (elsewhere / "a.txt").read_text() == "mine\n"


async def test_git_in_the_workspace_is_not_the_git_that_runs(
    tmp_path: Path, ran: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = repos.repository(tmp_path / "s")
    script = source / "git"
    script.write_text(f"#!/bin/sh\ntouch {ran}/x\n")
    script.chmod(0o755)
    monkeypatch.setenv(
        "PATH", f".:{source}/../s:{os.environ['PATH']}".replace(f"{source}/../s:", "")
    )
    monkeypatch.chdir(source)
    await Git(source / ".git", files=source).run("ls-files")
    assert list(ran.iterdir()) == []


# The call itself, with a stand-in for git


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    path = folder / "git"
    path.write_text(f"#!/bin/sh\nsleep 300 & echo $! > {tmp_path}/child\nwait\n")
    path.chmod(0o755)
    return path


async def gone(pid_file: Path) -> bool:
    for _ in range(200):
        if pid_file.exists() and (text := pid_file.read_text().strip()):
            try:
                os.kill(int(text), 0)
                if Path(f"/proc/{text}/stat").read_text().rsplit(")")[-1].split()[0] == "Z":
                    return True
            except (ProcessLookupError, FileNotFoundError):
                return True
        await asyncio.sleep(0.02)
    return False


async def test_a_late_git_is_killed_with_all_it_started(stand_in: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="took over"):
        await Git(tmp_path).run("status", limit_s=0.5)
    assert await gone(tmp_path / "child")


async def test_a_cancelled_git_is_killed_with_all_it_started(
    stand_in: Path, tmp_path: Path
) -> None:
    task = asyncio.create_task(Git(tmp_path).run("status"))
    async with asyncio.timeout(LIMIT_S):
        while not (tmp_path / "child").exists():
            assert not task.done(), task
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await gone(tmp_path / "child")


async def test_a_talkative_git_is_ended(stand_in: Path, tmp_path: Path) -> None:
    stand_in.write_text("#!/bin/sh\nexec yes\n")
    with pytest.raises(UserError, match="more than"):
        await Git(tmp_path).run("status", limit_bytes=1 << 20)


async def test_what_git_says_is_one_printable_line(stand_in: Path, tmp_path: Path) -> None:
    stand_in.write_text("#!/bin/sh\nprintf 'hint: x\\nfatal: \\033[31mred\\a\\n' >&2\nexit 1\n")
    with pytest.raises(UserError) as raised:
        await Git(tmp_path).run("status")
    assert "\x1b" not in raised.value.message
    assert "fatal:" in raised.value.message
    stand_in.write_text("#!/bin/sh\necho 'error: No space left on device' >&2\nexit 1\n")
    with pytest.raises(UserError) as raised:
        await Git(tmp_path).run("status")
    assert raised.value.code == "DISK_FULL"
    stand_in.write_text(f"#!/bin/sh\nkill -{signal.SIGKILL} $$\n")
    with pytest.raises(UserError, match="SIGKILL"):
        await Git(tmp_path).run("status")


async def test_no_git_at_all_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError) as raised:
        await Git(tmp_path).run("status")
    assert raised.value.code == "GIT_MISSING"

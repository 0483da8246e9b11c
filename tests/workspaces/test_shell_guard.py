"""A shell or an editor in a workspace: prompts run git in repositories that an agent planted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import repos

from engine.domain.model import Workspace, WorkspaceKind
from engine.system import programs
from engine.workspaces.create import worktree
from engine.workspaces.create.shell_guard import ShellGuard, guard_of

PROMPT = """
PATH=$PATH:/usr/lib/git-core
for command in "status --porcelain --branch" "diff" "diff --cached" "log -p -1" "branch -v" \\
    "ls-files -m" "stash list" "describe --always" "update-index --refresh" "rev-parse HEAD"; do
    git $command
done >/dev/null 2>&1
exit 0
"""
"""What prompts and plug-ins run."""


@pytest.fixture
def caught(tmp_path: Path) -> Path:
    """The file that planted commands write."""
    script = tmp_path / "evil"
    script.write_text(f"#!/bin/sh\necho caught >>{tmp_path}/caught\ncat\n")
    script.chmod(0o755)
    return tmp_path / "caught"


def _fsmonitor(folder: Path, evil: str) -> None:
    repos.git(folder, "config", "core.fsmonitor", evil)


def _filter(folder: Path, evil: str) -> None:
    (folder / ".gitattributes").write_text("* filter=evil\n")
    repos.git(folder, "config", "filter.evil.clean", evil)
    os.utime(folder / "a.txt", (1, 1))


def _include(folder: Path, evil: str) -> None:
    (folder / "settings").write_text(f"[core]\nfsmonitor = {evil}\n")
    repos.git(folder, "config", "include.path", str(folder / "settings"))


def _hook(folder: Path, evil: str) -> None:
    hook = folder / ".git/hooks/post-index-change"
    hook.parent.mkdir(exist_ok=True)
    shutil.copy(evil, hook)
    os.utime(folder / "a.txt", (1, 1))


def _textconv(folder: Path, evil: str) -> None:
    (folder / ".git/info/attributes").parent.mkdir(exist_ok=True)
    (folder / ".git/info/attributes").write_text("* diff=evil\n")
    repos.git(folder, "config", "diff.evil.textconv", evil)
    (folder / "a.txt").write_text("other\n")


def _pointer(folder: Path, evil: str) -> None:
    _fsmonitor(folder, evil)
    (folder / ".git").rename(folder / "other")
    (folder / ".git").write_text("gitdir: other\n")


def _bare(folder: Path, evil: str) -> None:
    _fsmonitor(folder, evil)
    for path in list((folder / ".git").iterdir()):
        path.rename(folder / path.name)
    (folder / ".git").rmdir()
    repos.git(folder, "--git-dir", str(folder), "config", "core.bare", "false")
    repos.git(folder, "--git-dir", str(folder), "config", "core.worktree", str(folder))


PLANTED = (_fsmonitor, _filter, _include, _hook, _textconv, _pointer, _bare)


def _plant(how: Callable[[Path, str], None], folder: Path, caught: Path) -> None:
    made = repos.repository(caught.parent / "made")
    how(made, str(caught.parent / "evil"))
    shutil.copytree(made, folder, dirs_exist_ok=True, symlinks=True)


async def _prompt(folder: Path, guard: ShellGuard | None) -> None:
    env = guard.environment if guard else {}
    assert await programs.lend_terminal(["/bin/sh", "-c", PROMPT], folder, env) == 0


async def _worktree(tmp_path: Path, home: Path) -> Workspace:
    source = repos.repository(tmp_path / "source")
    target = home / "workspaces/p/r1"
    return (await worktree.create(source, target, "swarm/r1", home)).workspace


@pytest.mark.parametrize("how", PLANTED)
@pytest.mark.parametrize("place", ["root", "below"])
async def test_a_planted_repository_runs_nothing(
    how: Callable[[Path, str], None], place: str, tmp_path: Path, caught: Path
) -> None:
    root = tmp_path / "workspace"
    folder = root if place == "root" else root / "deep/er"
    _plant(how, folder, caught)
    await _prompt(folder, None)
    assert caught.exists(), "the attack works"
    caught.unlink()
    for kind in (WorkspaceKind.EMPTY, WorkspaceKind.COPY, WorkspaceKind.IN_PLACE):
        await _prompt(folder, await guard_of(Workspace(str(root), kind, str(root))))
    assert not caught.exists()


@pytest.mark.parametrize("how", PLANTED)
async def test_a_repository_planted_in_a_worktree_runs_nothing(
    how: Callable[[Path, str], None], tmp_path: Path, home: Path, caught: Path
) -> None:
    workspace = await _worktree(tmp_path, home)
    (home.parent / "user/.gitconfig").write_text("[safe]\ndirectory = *\n")
    guard = await guard_of(workspace)
    assert guard.own == Path(workspace.path)
    _plant(how, guard.own / "nested", caught)
    await _prompt(guard.own / "nested", None)
    assert caught.exists(), "the attack works"
    caught.unlink()
    for folder in (guard.own / "nested", guard.own):
        await _prompt(folder, guard)
    assert not caught.exists()


async def test_a_planted_submodule_runs_nothing(tmp_path: Path, home: Path, caught: Path) -> None:
    (home.parent / "user/.gitconfig").write_text("[safe]\ndirectory = *\n")
    source = repos.repository(tmp_path / "source")
    head = repos.git(source, "rev-parse", "HEAD")
    repos.git(source, "update-index", "--add", "--cacheinfo", f"160000,{head},module")
    repos.git(source, "commit", "-qm", "with a submodule")
    target = home / "workspaces/p/r1"
    guard = await guard_of((await worktree.create(source, target, "swarm/r1", home)).workspace)
    _plant(_fsmonitor, target / "module", caught)
    await _prompt(target, None)
    assert caught.exists(), "the attack works"
    caught.unlink()
    await _prompt(target, guard)
    assert guard.own == target
    assert not caught.exists()


@pytest.mark.parametrize("how", [_fsmonitor, _pointer])
async def test_a_worktree_whose_pointer_was_replaced_is_not_the_users(
    how: Callable[[Path, str], None], tmp_path: Path, home: Path, caught: Path
) -> None:
    workspace = await _worktree(tmp_path, home)
    (Path(workspace.path) / ".git").unlink()
    _plant(how, Path(workspace.path), caught)
    guard = await guard_of(workspace)
    assert guard.own is None
    await _prompt(Path(workspace.path), guard)
    assert not caught.exists()


async def test_a_user_commits_by_hand_with_their_own_hooks(tmp_path: Path, home: Path) -> None:
    workspace = await _worktree(tmp_path, home)
    hook = tmp_path / "source/.git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/own-hook\n")
    hook.chmod(0o755)
    guard = await guard_of(workspace)
    folder = Path(workspace.path)
    (folder / "new.txt").write_text("new\n")
    commit = "git add new.txt && git -c user.name=a -c user.email=a@b commit -qm 'By hand'"
    assert await programs.lend_terminal(["/bin/sh", "-c", commit], folder, guard.environment) == 0
    assert repos.git(tmp_path / "source", "log", "-1", "--format=%s", "swarm/r1") == "By hand"
    assert (tmp_path / "own-hook").exists()


async def test_the_guard_can_be_lifted_by_hand(tmp_path: Path) -> None:
    root = repos.repository(tmp_path / "workspace")
    guard = await guard_of(Workspace(str(root), WorkspaceKind.COPY))
    for line, code in (("git status -s", 128), ("unset {}; git status -s", 0)):
        line = line.format("GIT_TEST_ASSUME_DIFFERENT_OWNER")
        words = ["/bin/sh", "-c", f"{line} 2>/dev/null"]
        assert await programs.lend_terminal(words, root, guard.environment) == code

"""What the real git says is classified: each kind of failure has a recovery that fits it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import repos
from full_disk import read_only, small_disk

from engine.domain.errors import CATALOGUE, UserError
from engine.domain.model import Workspace, WorkspaceKind
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create import worktree
from engine.workspaces.git.git import Git
from engine.workspaces.git.repository import find
from engine.workspaces.git.user_git_config import user_git_config

Words = tuple[str, ...]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repos.repository(tmp_path / "s")


async def failed(git: Git, *words: str | bytes, stdin: bytes = b"") -> UserError:
    with pytest.raises(UserError) as raised:
        await git.run(*words, stdin=stdin)
    if raised.value.code != "GIT_DAMAGED":
        assert "fsck" not in raised.value.recovery
    return raised.value


def index_lock(git_dir: Path) -> Words:
    (git_dir / "index.lock").touch()
    return ("read-tree", "HEAD")


def ref_lock(git_dir: Path) -> Words:
    (git_dir / "refs" / "heads" / "main.lock").touch()
    return ("update-ref", "-d", "refs/heads/main")


def head_lock(git_dir: Path) -> Words:
    (git_dir / "HEAD.lock").touch()
    return ("symbolic-ref", "HEAD", "refs/heads/other")


def packed_refs_lock(git_dir: Path) -> Words:
    (git_dir / "packed-refs.lock").touch()
    return ("-c", "core.packedRefsTimeout=0", "update-ref", "-d", "refs/heads/main")


def config_lock(git_dir: Path) -> Words:
    (git_dir / "config.lock").touch()
    return ("config", "a.b", "c")


def moved_ref(git_dir: Path) -> Words:
    head = repos.git(git_dir, "rev-parse", "HEAD")
    return ("update-ref", "refs/heads/main", head, "1" * 40)


def ref_in_the_way(git_dir: Path) -> Words:
    return ("update-ref", "refs/heads/main/more", repos.git(git_dir, "rev-parse", "HEAD"))


def missing_blob(git_dir: Path) -> Words:
    _remove(git_dir, "HEAD:a.txt")
    return ("cat-file", "blob", "HEAD:a.txt")


def missing_blob_of_a_walk(git_dir: Path) -> Words:
    _remove(git_dir, "HEAD:a.txt")
    return ("rev-list", "--objects", "HEAD")


def missing_blob_of_a_pack(git_dir: Path) -> Words:
    _remove(git_dir, "HEAD:a.txt")
    return ("pack-objects", "--revs", "--all", "-q", str(git_dir / "p"))


def missing_blob_of_a_diff(git_dir: Path) -> Words:
    _remove(git_dir, "HEAD:a.txt")
    return ("diff-tree", "-p", "--root", "HEAD")


def missing_tree(git_dir: Path) -> Words:
    _remove(git_dir, "HEAD^{tree}")
    return ("ls-tree", "-r", "HEAD")


def missing_tree_of_an_index(git_dir: Path) -> Words:
    _remove(git_dir, "HEAD:sub")
    return ("read-tree", "HEAD")


def missing_commit(git_dir: Path) -> Words:
    _remove(git_dir, "HEAD")
    return ("rev-list", "HEAD")


def unknown_object(git_dir: Path) -> Words:
    return ("cat-file", "-p", "1" * 40)


def promised_blob(git_dir: Path) -> Words:
    repos.git(git_dir, "config", "remote.origin.url", str(git_dir))
    repos.git(git_dir, "config", "remote.origin.promisor", "true")
    repos.git(git_dir, "config", "extensions.partialClone", "origin")
    return missing_blob(git_dir)


def _remove(git_dir: Path, name: str) -> None:
    oid = repos.git(git_dir, "rev-parse", name)
    (git_dir / "objects" / oid[:2] / oid[2:]).unlink()


def broken_blob(git_dir: Path) -> Words:
    oid = repos.git(git_dir, "rev-parse", "HEAD:a.txt")
    path = git_dir / "objects" / oid[:2] / oid[2:]
    path.chmod(0o600)
    path.write_bytes(b"garbage")
    return ("cat-file", "-p", oid)


def empty_commit(git_dir: Path) -> Words:
    oid = repos.git(git_dir, "rev-parse", "HEAD")
    path = git_dir / "objects" / oid[:2] / oid[2:]
    path.chmod(0o600)
    path.write_bytes(b"")
    return ("rev-list", "--objects", "HEAD")


def broken_index(git_dir: Path) -> Words:
    (git_dir / "index").write_bytes(b"nothing that git would write, by far")
    return ("ls-files",)


def broken_packed_refs(git_dir: Path) -> Words:
    (git_dir / "packed-refs").write_bytes(b"nonsense\n")
    return ("for-each-ref",)


def no_identity(git_dir: Path) -> Words:
    return (
        *("-c", "user.useConfigOnly=true", "-c", "user.name=", "-c", "user.email="),
        *("commit-tree", "HEAD^{tree}", "-m", "words"),
    )


def unborn_head(git_dir: Path) -> Words:
    repos.git(git_dir, "symbolic-ref", "HEAD", "refs/heads/none")
    return ("rev-parse", "--verify", "HEAD")


def unborn_log(git_dir: Path) -> Words:
    repos.git(git_dir, "symbolic-ref", "HEAD", "refs/heads/none")
    return ("log",)


def unborn_tree(git_dir: Path) -> Words:
    repos.git(git_dir, "symbolic-ref", "HEAD", "refs/heads/none")
    return ("ls-tree", "HEAD")


def interrupted_merge(git_dir: Path) -> Words:
    source = git_dir.parent
    repos.git(source, "checkout", "-q", "-b", "other")
    repos.write(source, {"a.txt": "other\n"})
    repos.commit(source, "other")
    repos.git(source, "checkout", "-q", "main")
    repos.write(source, {"a.txt": "main\n"})
    repos.commit(source, "main")
    repos.git(source, "merge", "other", ok=False)
    return ("write-tree",)


def interrupted_merge_that_is_merged(git_dir: Path) -> Words:
    interrupted_merge(git_dir)
    return ("--work-tree", str(git_dir.parent), "merge", "other")


def interrupted_rebase(git_dir: Path) -> Words:
    interrupted_merge(git_dir)
    source = git_dir.parent
    repos.git(source, "merge", "--abort")
    repos.git(source, "rebase", "other", ok=False)
    return ("--work-tree", str(source), "checkout", "other")


def newer_format(git_dir: Path) -> Words:
    repos.git(git_dir, "config", "core.repositoryFormatVersion", "1")
    repos.git(git_dir, "config", "extensions.someNewer", "true")
    return ("rev-parse", "HEAD")


def newer_version(git_dir: Path) -> Words:
    repos.git(git_dir, "config", "core.repositoryFormatVersion", "7")
    return ("rev-parse", "HEAD")


def newer_option(git_dir: Path) -> Words:
    return ("update-ref", "--some-newer-option")


def newer_command(git_dir: Path) -> Words:
    return ("some-newer-command",)


def bad_config(git_dir: Path) -> Words:
    (git_dir / "config").write_text("[core\nbare = false\n")
    return ("rev-parse", "HEAD")


def bad_value(git_dir: Path) -> Words:
    repos.git(git_dir, "config", "core.bigFileThreshold", "much")
    return ("hash-object", "--stdin")


def no_git_dir(git_dir: Path) -> Words:
    git_dir.rename(git_dir.with_name("moved"))
    return ("rev-parse", "HEAD")


def no_head(git_dir: Path) -> Words:
    (git_dir / "HEAD").unlink()
    return ("rev-parse", "HEAD")


CASES = {
    "GIT_LOCKED": (index_lock, ref_lock, head_lock, packed_refs_lock, config_lock),
    "WORKSPACE_BUSY": (moved_ref,),
    "GIT_FAILED": (ref_in_the_way,),
    "GIT_OBJECT_MISSING": (
        *(missing_blob, missing_blob_of_a_walk, missing_blob_of_a_pack, missing_blob_of_a_diff),
        *(missing_tree, missing_tree_of_an_index, missing_commit, unknown_object, promised_blob),
    ),
    "GIT_DAMAGED": (broken_blob, empty_commit, broken_index, broken_packed_refs),
    "GIT_IDENTITY_MISSING": (no_identity,),
    "GIT_NO_COMMIT": (unborn_head, unborn_log, unborn_tree),
    "GIT_UNFINISHED": (*(interrupted_merge, interrupted_merge_that_is_merged, interrupted_rebase),),
    "GIT_TOO_OLD": (newer_format, newer_version, newer_option, newer_command),
    "GIT_CONFIG_INVALID": (bad_config, bad_value),
    "SOURCE_MOVED": (no_git_dir, no_head),
}


@pytest.mark.parametrize(
    ("code", "case"), [(code, case) for code, cases in CASES.items() for case in cases]
)
async def test_each_failure_has_its_code(
    source: Path, code: str, case: Callable[[Path], Words]
) -> None:
    error = await failed(Git(source / ".git"), *case(source / ".git"))
    assert error.code == code, error.message
    if code not in ("WORKSPACE_BUSY", "GIT_FAILED"):
        assert error.recovery == CATALOGUE[code].recovery


async def test_a_lock_is_named(source: Path) -> None:
    error = await failed(Git(source / ".git"), *index_lock(source / ".git"))
    assert str(source / ".git" / "index.lock") in error.message


async def test_a_git_that_may_not_write(source: Path, tmp_path: Path, monkeypatch) -> None:
    objects = source / ".git" / "objects"
    objects.chmod(0o500)
    if os.geteuid() == 0:
        if not (setpriv := shutil.which("setpriv")):
            pytest.skip("root may do everything")
        _stand_in(tmp_path, monkeypatch, f'exec {setpriv} --bounding-set=-all {_git()} "$@"')
    try:
        error = await failed(Git(source / ".git"), "hash-object", "-w", "--stdin", stdin=b"new")
    finally:
        objects.chmod(0o700)
    assert error.code == "GIT_NOT_PERMITTED"


async def test_a_file_system_that_can_only_be_read(source: Path) -> None:
    with read_only(source):
        error = await failed(Git(source / ".git"), "hash-object", "-w", "--stdin", stdin=b"new")
    assert error.code in ("DISK_READ_ONLY", "GIT_NOT_PERMITTED")  # without a mount: a mode


async def test_a_full_disk(source: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        if not disk.mounted:
            pytest.skip("nothing can be mounted here")
        git_dir = disk.path / "git"
        shutil.copytree(source / ".git", git_dir)
        disk.fill()
        data = os.urandom(100_000)
        error = await failed(Git(git_dir), "hash-object", "-w", "--stdin", stdin=data)
    assert error.code == "DISK_FULL"


async def test_a_repository_of_another_user(source: Path, tmp_path: Path, monkeypatch) -> None:
    if os.geteuid():
        pytest.skip("only root can give files away")
    os.chown(source, 65534, 65534)
    os.chown(source / ".git", 65534, 65534)
    error = await failed(Git(tmp_path), "-C", str(source), "--git-dir=", "status")
    assert error.code in ("WORKSPACE_UNSAFE", "SOURCE_MOVED")
    with pytest.raises(UserError) as raised:
        await worktree.must_find(source)
    assert raised.value.code == "WORKSPACE_UNSAFE"


async def test_a_killed_git(source: Path, tmp_path: Path, monkeypatch) -> None:
    _stand_in(tmp_path, monkeypatch, f"kill -{int(signal.SIGKILL)} $$")
    error = await failed(Git(source / ".git"), "status")
    assert error.code == "GIT_KILLED"
    assert "SIGKILL" in error.message


async def test_a_killed_git_answers_no_question(
    source: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings that could not be read are not taken for the defaults, for instance."""
    found = await find(source)
    _stand_in(tmp_path, monkeypatch, f"kill -{int(signal.SIGKILL)} $$")
    with pytest.raises(UserError, match="SIGKILL"):
        await user_git_config(found, home)
    with pytest.raises(UserError, match="SIGKILL"):
        await worktree.tip_of(Git(source / ".git"), "main")


@pytest.mark.parametrize("case", [newer_format, bad_config, broken_index])
async def test_files_alone_need_no_readable_repository(
    source: Path, home: Path, case: Callable[[Path], Words]
) -> None:
    """A reftable repository for an old git, for instance."""
    case(source / ".git")
    workspace = Workspace(str(source), WorkspaceKind.IN_PLACE, str(source))
    run = await Checkpoints.make(home / "runs" / "r1" / "c.git", workspace)
    await run.record("baseline")
    repos.write(source, {"a.txt": "changed\n"})
    assert b"+changed" in await repos.written(run.write_diff)


def _git() -> str:
    found = shutil.which("git")
    assert found
    return found


def _stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

"""Checkpoints need nothing of the source: they open whatever becomes of its objects."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import repos
from repos import git

from engine.domain.model import Workspace, WorkspaceKind, WorkspaceSpec
from engine.workspaces.apply.apply import ApplyMode, ApplyRequest, apply
from engine.workspaces.apply.restore import restore
from engine.workspaces.checkpoints import owned_objects
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create import create
from engine.workspaces.git.repository import object_format_of

KINDS = ("worktree", "copy", "in-place")
FILES: dict[str, str | bytes] = {"a.txt": "one\ntwo\n", "sub/deep/b.txt": "b\n", "sub/c": "c\n"}


async def begun(source: Path, home: Path, kind: str) -> tuple[Path, Workspace]:
    """Make a workspace of `source` with a baseline; returns its store and the workspace."""
    spec = WorkspaceSpec(WorkspaceKind(kind), str(source))
    target = home / "workspaces" / "p" / "r1"
    made = await asyncio.to_thread(create.make, spec, target, home, lambda: False)
    store = home / "runs" / "r1" / "checkpoints.git"
    await (await Checkpoints.make(store, made.workspace)).record("baseline")
    return store, made.workspace


async def still_whole(store: Path, workspace: Workspace) -> Checkpoints:
    """Check that everything that needs the baseline's objects still works."""
    assert not owned_objects.alternates(store).exists()
    assert git(store, "fsck", "--full", "--no-dangling", "refs/swarm/checkpoints/0") == ""
    root = Path(workspace.path)
    repos.write(root, {"a.txt": "one\nTWO\n"})
    (root / "sub" / "deep" / "b.txt").unlink()
    run = await Checkpoints.open(store, workspace)
    assert b"-two\n+TWO" in await repos.written(run.write_diff)
    assert {f.path for f in (await run.changes()).files} == {"a.txt", "sub/deep/b.txt"}
    taken = await run.record("later")
    await restore(run, 0)
    assert (root / "sub" / "deep" / "b.txt").read_text() == "b\n"
    await restore(run, taken.n)
    await run.pack()
    await run.verify()
    assert await run.content("a.txt", 0) == b"one\ntwo\n"
    return run


def amended(source: Path) -> None:
    """Replace the only commit, and drop every trace of the old one."""
    repos.write(source, {"a.txt": "other\n", "sub/deep/b.txt": "other\n", "sub/c": "other\n"})
    git(source, "commit", "-qa", "--amend", "-m", "amended")
    dropped(source)


def dropped(source: Path) -> None:
    git(source, "reflog", "expire", "--expire=now", "--all")
    git(source, "gc", "-q", "--prune=now")


def repacked(source: Path) -> None:
    git(source, "checkout", "-q", "--orphan", "other")
    repos.write(source, {"a.txt": "other\n", "sub/deep/b.txt": "other\n", "sub/c": "other\n"})
    repos.commit(source, "other")
    git(source, "branch", "-qD", "main")
    (source / ".git" / "index").unlink()
    git(source, "reset", "-q")
    git(source, "reflog", "expire", "--expire=now", "--all")
    git(source, "repack", "-adq")
    git(source, "prune", "--expire=now")


def cloned_again(source: Path) -> None:
    """Let another repository stand at the same place."""
    shutil.rmtree(source)
    repos.repository(source, {"unrelated": "x\n"})


def deleted(source: Path) -> None:
    shutil.rmtree(source)


def renamed(source: Path) -> None:
    source.rename(source.with_name("renamed"))


@pytest.mark.parametrize("harm", [amended, repacked, cloned_again, deleted, renamed])
@pytest.mark.parametrize("kind", ["worktree", "copy"])
@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
async def test_history_outlives_the_sources_objects(
    tmp_path: Path, home: Path, kind: str, packed: bool, harm: Callable[[Path], None]
) -> None:
    source = repos.repository(tmp_path / "s", FILES)
    if packed:
        git(source, "gc", "-q")
    store, workspace = await begun(source, home, kind)
    if kind == "worktree" and harm is amended:  # the run's own branch holds the old commit
        git(source, "worktree", "remove", "--force", workspace.path)
        git(source, "branch", "-qD", workspace.branch or "")
        Path(workspace.path).mkdir()
        repos.write(Path(workspace.path), FILES)
    harm(source)
    await still_whole(store, workspace)


def no_git(source: Path) -> None:
    shutil.rmtree(source / ".git")


@pytest.mark.parametrize("harm", [amended, no_git])
async def test_a_run_in_place_keeps_its_history(
    tmp_path: Path, home: Path, harm: Callable[[Path], None]
) -> None:
    source = repos.repository(tmp_path / "s", FILES)
    git(source, "gc", "-q")
    store, workspace = await begun(source, home, "in-place")
    harm(source)
    repos.write(source, FILES)
    await still_whole(store, workspace)


async def test_an_agent_in_place_cannot_write_through_a_link(tmp_path: Path, home: Path) -> None:
    source = repos.repository(tmp_path / "s", FILES)
    git(source, "gc", "-q")
    store, workspace = await begun(source, home, "in-place")
    for pack in (source / ".git" / "objects" / "pack").iterdir():
        pack.chmod(0o600)
        pack.write_bytes(b"x" * 100)
    await still_whole(store, workspace)


async def test_a_linked_pack_costs_no_room_and_is_never_written(tmp_path: Path, home: Path) -> None:
    noise = os.urandom(300_000)
    source = repos.repository(tmp_path / "s", {**FILES, "noise": noise})
    git(source, "gc", "-q")
    (pack,) = (source / ".git" / "objects" / "pack").glob("*.pack")
    before = pack.read_bytes(), pack.stat().st_mode
    store, workspace = await begun(source, home, "copy")
    assert pack.stat().st_nlink == 2
    assert sum(path.stat().st_size for path in own_packs(store)) < 10_000
    run = await still_whole(store, workspace)
    assert sum(path.stat().st_size for path in own_packs(store)) < 10_000
    assert (pack.read_bytes(), pack.stat().st_mode) == before
    # Once the source has let go of it, it is replaced by what is needed of it.
    repos.write(source, {"more": os.urandom(300_000)})
    repos.commit(source, "more")
    git(source, "gc", "-q", "--prune=now")
    await run.pack()
    assert not list((store / "objects" / "pack").glob("*.keep"))
    await run.verify()


def own_packs(store: Path) -> list[Path]:
    packs = (store / "objects" / "pack").glob("*.pack")
    return [path for path in packs if path.stat().st_nlink == 1]


async def test_where_nothing_can_be_linked_objects_are_copied(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    source = repos.repository(tmp_path / "s", FILES)
    git(source, "gc", "-q")
    with monkeypatch.context() as patched:
        patched.setattr(owned_objects.os, "link", refused)
        store, workspace = await begun(source, home, "copy")
    deleted(source)
    await still_whole(store, workspace)


# Sources that do not hold all of their objects themselves, or in unusual files


def shallow(path: Path) -> Path:
    upstream = repos.repository(path / "up", FILES)
    repos.write(upstream, {"a.txt": "one\ntwo\n", "new": "n\n"})
    repos.commit(upstream, "second")
    git(path, "clone", "-q", "--depth=1", f"file://{upstream}", "s")
    return path / "s"


def partial(path: Path) -> Path:
    """Clone without contents: those that are checked out are fetched, others are missing."""
    upstream = repos.repository(path / "up", {**FILES, "away/x": "x\n", "away/y/z": "z\n"})
    git(upstream, "config", "uploadpack.allowFilter", "true")
    how = ("--filter=blob:none", "--no-checkout")
    git(path, "clone", "-q", *how, f"file://{upstream}", "s")
    git(path / "s", "sparse-checkout", "init", "--cone")
    git(path / "s", "sparse-checkout", "set", "sub")
    git(path / "s", "checkout", "-q", "main")
    upstream.rename(path / "unreachable")  # nothing more can be fetched
    return path / "s"


def shared(path: Path) -> Path:
    repos.repository(path / "up", FILES)
    git(path / "up", "gc", "-q")
    git(path, "clone", "-q", "--shared", "up", "s")
    return path / "s"


def referenced(path: Path) -> Path:
    """Clone a clone that borrows from a third repository."""
    shared(path).rename(path / "middle")
    git(path, "clone", "-q", "--reference", "middle", f"file://{path}/middle", "s")
    return path / "s"


def linked_worktree(path: Path) -> Path:
    main = repos.repository(path / "up", FILES)
    git(main, "gc", "-q")
    git(main, "worktree", "add", "-q", "--detach", str(path / "s"))
    return path / "s"


def sha256(path: Path) -> Path:
    source = repos.repository(path / "s", FILES, "--object-format=sha256")
    git(source, "gc", "-q")
    return source


def unusual_packs(path: Path) -> Path:
    """Make a multi-pack index, a bitmap and a cruft pack."""
    source = repos.repository(path / "s", FILES)
    git(source, "repack", "-dq")
    repos.write(source, {"sub/c": "C\n"})
    repos.commit(source, "second")
    git(source, "reset", "-q", "--hard", "HEAD~1")
    git(source, "reflog", "expire", "--expire=now", "--all")
    if "--cruft" in git(source, "repack", "-h", ok=False):  # since git 2.37
        git(source, "repack", "-q", "-d", "--cruft", "-b")
    git(source, "multi-pack-index", "write")
    return source


def linked_packs(path: Path) -> Path:
    """Make symbolic links of the packs, as some tools do that share them."""
    source = repos.repository(path / "s", FILES)
    git(source, "gc", "-q")
    folder = source / ".git" / "objects" / "pack"
    shutil.move(folder, path / "elsewhere")
    folder.mkdir()
    for pack in (path / "elsewhere").iterdir():
        (folder / pack.name).symlink_to(pack)
    return source


SOURCES = [
    shallow,
    partial,
    shared,
    referenced,
    linked_worktree,
    sha256,
    unusual_packs,
    linked_packs,
]


@pytest.mark.parametrize("make", SOURCES)
@pytest.mark.parametrize("kind", ["worktree", "copy"])
async def test_every_kind_of_source_may_go(
    tmp_path: Path, home: Path, kind: str, make: Callable[[Path], Path]
) -> None:
    place = tmp_path / "sources"
    place.mkdir()
    source = make(place)
    if kind == "worktree" and make in (partial, linked_packs):
        pytest.skip("a worktree needs what was not fetched, and git runs through no link")
    store, workspace = await begun(source, home, kind)
    shutil.rmtree(place)
    if make is partial:  # the cone lacks `a.txt` at the top only where git says so
        assert (Path(workspace.path) / "sub" / "c").exists()
        assert not (Path(workspace.path) / "away").exists()
    await still_whole(store, workspace)


async def test_a_source_without_a_repository_may_go(tmp_path: Path, home: Path) -> None:
    source = tmp_path / "s"
    repos.write(source, FILES)
    store, workspace = await begun(source, home, "copy")
    shutil.rmtree(source)
    await still_whole(store, workspace)


# Stores of earlier versions


async def borrowing(source: Path, home: Path, kind: str = "copy") -> tuple[Path, Workspace]:
    """Make a store as earlier versions did: what the source has is only borrowed."""
    store, workspace = await begun(source, home, kind)
    packs = store / "objects" / "pack"
    owned_objects.alternates(store).write_text(f'"{source / ".git" / "objects"}"\n')
    for pack in [*packs.iterdir()]:
        if pack.stat().st_nlink > 1 or pack.suffix == ".keep":
            pack.unlink()
    git(store, "repack", "-adlq")
    return store, workspace


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
async def test_a_store_that_borrows_owns_its_objects_once_opened(
    tmp_path: Path, home: Path, packed: bool
) -> None:
    source = repos.repository(tmp_path / "s", FILES)
    if packed:
        git(source, "gc", "-q")
    store, workspace = await borrowing(source, home)
    await Checkpoints.open(store, workspace)
    deleted(source)
    await still_whole(store, workspace)


async def test_a_branch_and_a_commit_come_home_after_a_rewrite(tmp_path: Path, home: Path) -> None:
    source = repos.repository(tmp_path / "s", FILES)
    git(source, "gc", "-q")
    store, workspace = await begun(source, home, "copy")
    repos.write(source, {"sub/c": "other\n"})
    git(source, "commit", "-qa", "--amend", "-m", "amended")
    dropped(source)
    repos.write(Path(workspace.path), {"a.txt": "one\nTWO\n", "new/file": "n\n"})
    run = await Checkpoints.open(store, workspace)
    done = await apply(run, ApplyRequest(source, ApplyMode.COMMIT, "swarm/r1", "words"), home)
    assert done.commit
    assert git(source, "show", "swarm/r1:a.txt") == "one\nTWO"
    assert git(source, "show", "swarm/r1:sub/c") == "other"
    await apply(run, ApplyRequest(source, ApplyMode.MERGE, "swarm/r1", "words"), home)
    assert (source / "new" / "file").read_text() == "n\n"
    assert git(source, "fsck", "--full", "--strict", "--no-dangling") == ""


@pytest.mark.parametrize("name", ["objectFormat", "objectformat"])
def test_the_format_of_our_own_repository_is_known_as_git_writes_it(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "config").write_text(f"[extensions]\n\t{name} = sha256\n")
    assert object_format_of(tmp_path) == "sha256"
    (tmp_path / "config").write_text("[core]\n\tbare = true\n")
    assert object_format_of(tmp_path) == "sha1"

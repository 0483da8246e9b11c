"""Nothing that lies in a workspace or a source is taken for our own journal, lock or staging."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
import repos

from engine.domain.errors import UserError
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.workspaces.apply import file_transaction, staging
from engine.workspaces.apply.apply import ApplyMode, ApplyRequest, apply, check
from engine.workspaces.apply.restore import restore
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create import create
from engine.workspaces.files.rooted_dir import is_control

PLACES = (".swarm-staging", ".git/swarm-staging", ".swarm", ".swarm/placing")


def plant(root: Path, target: str, content: bytes = b"#!/bin/sh\n") -> None:
    """Plant what an older version of ours would have gone on from."""
    for place in PLACES:
        folder = root / place
        if place.startswith(".git") and not (root / ".git").is_dir():
            continue
        for inside in ("old", "new"):
            (folder / inside).mkdir(parents=True, exist_ok=True)
            (folder / inside / "0").write_bytes(content)
            (folder / inside / "0").chmod(0o755)
        step = {"path": target, "before": [1, 1, 1, 1], "inode": None}
        journal = {"root": str(root), "note": "", "steps": [step]}
        (folder / "journal.json").write_text(json.dumps(journal))


def snapshot(root: Path) -> dict[str, tuple[int, bytes]]:
    """Everything below a folder, git's own and the times of files included."""
    found: dict[str, tuple[int, bytes]] = {}
    for path in sorted(root.rglob("*")):
        info = path.lstat()
        data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path.relative_to(root))] = (info.st_mtime_ns, data)
    return found


async def made(
    source: Path, home: Path, kind: WorkspaceKind = WorkspaceKind.COPY
) -> tuple[Path, Checkpoints]:
    target = home / "workspaces" / "p" / "r1"
    spec = WorkspaceSpec(kind, str(source))
    workspace = (await asyncio.to_thread(create.make, spec, target, home, lambda: False)).workspace
    run = await Checkpoints.make(home / "runs" / "r1" / "checkpoints.git", workspace)
    await run.record("baseline")
    return Path(workspace.path), run


@pytest.mark.parametrize("is_repository", [True, False])
async def test_a_planted_journal_is_neither_followed_nor_in_the_way(
    tmp_path: Path, home: Path, is_repository: bool
) -> None:
    source = tmp_path / "s"
    if is_repository:
        repos.repository(source, {"a.txt": "a\n"})
    else:
        repos.write(source, {"a.txt": "a\n"})
    victims = tmp_path / "user" / ".bashrc.d"
    victims.mkdir()
    plant(source, ".git/hooks/pre-commit")
    (source / "way").symlink_to(victims)
    root, run = await made(source, home)
    plant(root, "way/evil.sh")
    repos.write(root, {"a.txt": "agent\n"})
    wish = ApplyRequest(source, ApplyMode.EDITS)
    before = snapshot(source)
    assert "a.txt" in (await check(run, wish, home)).files
    assert snapshot(source) == before
    with pytest.raises(UserError, match="control folder"):  # the agent changed `.swarm`
        await apply(run, wish, home)
    assert snapshot(source) == before
    await restore(run, 0)
    assert (root / "a.txt").read_text() == "a\n"
    assert list(victims.iterdir()) == []
    assert not (source / ".git" / "hooks" / "pre-commit").exists()


@pytest.mark.parametrize("content", ["{}", "", "[]", '{"steps": 1}', "\0", '{"root": "/"}'])
async def test_a_journal_of_ours_that_makes_no_sense_blocks_nothing(
    tmp_path: Path, home: Path, content: str
) -> None:
    source = repos.repository(tmp_path / "s", {"a.txt": "a\n"})
    root, run = await made(source, home)
    repos.write(root, {"a.txt": "agent\n"})
    journal = staging.journal_for(home, source)
    journal.parent.mkdir()
    journal.write_text(content)
    await apply(run, ApplyRequest(source, ApplyMode.EDITS), home)
    assert (source / "a.txt").read_text() == "agent\n"


async def test_a_folder_that_took_the_place_of_another_is_not_recovered_into(
    tmp_path: Path, home: Path
) -> None:
    root = tmp_path / "root"
    repos.write(root, {"a": "old\n"})
    journal = staging.journal_for(home, root)
    moving = file_transaction.FileTransaction(root, journal)
    moving.add(b"a", (root / "a").lstat(), 0o100644, b"new\n")
    moving.place()
    moving.close()
    root.rename(tmp_path / "moved")
    repos.write(root, {"other": "mine\n"})
    assert file_transaction.recover(root, journal) is None
    assert repos.files(root) == {"other": ("file", 0, b"mine\n")}
    assert not journal.exists()
    assert list(journal.parent.glob("*.json.*"))


@pytest.mark.parametrize("swap", ["link", "folder"])
async def test_staging_swapped_by_another_is_not_recovered_from(
    tmp_path: Path, home: Path, swap: str
) -> None:
    root = tmp_path / "root"
    repos.write(root, {"a": "old\n"})
    journal = staging.journal_for(home, root)
    moving = file_transaction.FileTransaction(root, journal)
    moving.add(b"a", (root / "a").lstat(), 0o100644, b"new\n")
    moving.place()
    moving.close()
    folder = next(journal.parent.glob(".swarm-*"))
    folder.rename(tmp_path / "away")
    planted = tmp_path / "planted"
    repos.write(planted, {"old-0": "evil\n"})
    if swap == "link":
        folder.symlink_to(planted)
    else:
        planted.rename(folder)
    assert file_transaction.recover(root, journal) is None
    assert (root / "a").read_text() == "new\n"


async def test_staging_beside_the_files_where_the_home_is_elsewhere(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Across file systems nothing can be renamed from the home."""
    monkeypatch.setattr(staging, "_shares_mount", lambda folder, root: False)
    root = tmp_path / "root"
    repos.write(root, {"a": "old\n", "b": "b\n"})
    journal = staging.journal_for(home, root)
    before = repos.files(root)
    moving = file_transaction.FileTransaction(root, journal)
    folder = next(root.glob(".swarm-*"))
    assert folder.stat().st_mode & 0o777 == 0o700
    moving.add(b"a", (root / "a").lstat(), 0o100644, b"new\n")
    moving.add(b"b", (root / "b").lstat(), None)
    moving.place()
    moving.close()
    assert file_transaction.recover(root, journal) is None
    assert repos.files(root) == before
    assert not journal.exists()


@pytest.mark.parametrize(
    "name",
    [
        ".git/hooks/x",
        "a/.git",
        ".GIT/x",
        ".git /x",
        ".git./x",
        "git~1/x",
        ".g\u200cit/x",
        ".git::$I/x",
        "a\\.git\\x",
        ".codex/config.toml",
        ".Codex/x",
        "codex~1/x",
        ".agents/x",
        "a/.agents/x",
        ".hg/hgrc",
        ".svn/x",
        ".jj/x",
        ".swarm/config.yaml",
        ".swarm",
        "\ufeff.git/x",
    ],
)
def test_no_record_brings_a_file_below_a_control_folder(
    tmp_path: Path, home: Path, name: str
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    journal = staging.journal_for(home, root)
    assert is_control(os.fsencode(name))
    moving = file_transaction.FileTransaction(root, journal)
    with pytest.raises(OSError, match="control folder"):
        moving.add(os.fsencode(name), None, 0o100755, b"#!\n")
    moving.add(b"plain", None, 0o100755, b"#!\n")
    moving.place()
    moving.close()
    found = json.loads(journal.read_text())
    found["steps"][0]["path"] = name
    journal.write_text(json.dumps(found))
    before = snapshot(root)
    assert file_transaction.recover(root, journal) is None
    assert snapshot(root) == before


@pytest.mark.parametrize(
    "name", [".github/x", ".gitignore", "git/x", ".codexrc", "swarm", "~1", "a.git/x"]
)
def test_ordinary_names_are_no_control_folders(name: str) -> None:
    assert not is_control(os.fsencode(name))


@pytest.mark.parametrize(
    "name", [".codex/config.toml", ".agents/skills/x.md", ".swarm/config.yaml"]
)
async def test_a_change_below_a_control_folder_is_shown_and_only_committed(
    tmp_path: Path, home: Path, name: str
) -> None:
    source = repos.repository(tmp_path / "s", {"a.txt": "a\n", name: "good\n"})
    root, run = await made(source, home, WorkspaceKind.WORKTREE)
    repos.write(root, {name: "evil\n"})
    assert [file.path for file in (await run.changes()).files] == [name]
    for how in (ApplyMode.EDITS, ApplyMode.MERGE):
        with pytest.raises(UserError, match="control folder"):
            await apply(run, ApplyRequest(source, how, "swarm/r1"), home)
    assert (source / name).read_text() == "good\n"
    await apply(run, ApplyRequest(source, ApplyMode.COMMIT, "swarm/r1", "words"), home)
    assert repos.git(source, "show", f"swarm/r1:{name}") == "evil"
    restored = await restore(run, 0)
    assert (restored.files, restored.kept) == ((), (name,))
    assert (root / name).read_text() == "evil\n"


async def test_no_name_hides_from_the_diff(tmp_path: Path, home: Path) -> None:
    source = repos.repository(tmp_path / "s", {"a.txt": "a\n"})
    root, run = await made(source, home)
    names = [".swarm-staging/x", ".swarm-staging-2", ".swarm-saved", "sub/.swarm-staging/y"]
    repos.write(root, dict.fromkeys(names, "x\n"))
    odd = ["sub/.GIT/z", "git~1/x", ".g\u200cit/x"]
    repos.write(root, dict.fromkeys(odd, "x\n"))
    changes = await run.changes()
    assert {file.path for file in changes.files} == set(names)
    assert set(changes.left_out) == set(odd)

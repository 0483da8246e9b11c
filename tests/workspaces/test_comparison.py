"""Two states of a workspace compared file by file, whatever the files are called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import repos

from engine.domain.errors import UserError
from engine.domain.model import Workspace, WorkspaceKind
from engine.workspaces.checkpoints.changes import ChangeKind
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.files.tree import must_be_there, preview


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "ws"
    path.mkdir()
    return path


async def opened(root: Path, home: Path) -> Checkpoints:
    folder = home / "runs" / "r" / "checkpoints.git"
    return await Checkpoints.make(folder, Workspace(str(root), WorkspaceKind.EMPTY))


async def test_each_file_has_its_own_diff_and_no_other(root: Path, home: Path) -> None:
    names = [
        b"plain", b"a b", b'quo"te', b"back\\slash", b"new\nline", b"tab\tbed", b"\x1b[31m",
        b"\xff\xfe", "ümlaut".encode(), b"diff --git a b", b"-p", b":(glob)*", b"*",
    ]  # fmt: skip
    for name in names:
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(b"before\n")
    store = await opened(root, home)
    await store.record("baseline")
    for number, name in enumerate(names):
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_text(f"after {number}\n")
    comparison = await store.compare()
    assert len(comparison.changes.files) == len(names)
    for file in comparison.changes.files:
        out = await comparison.diff(file)
        number = names.index(os.fsencode(file.path))
        assert out.count(b"\n@@ ") == 1
        assert out.endswith(b"-before\n+after %d\n" % number)


async def test_a_folder_in_the_place_of_a_file_is_another_diff(root: Path, home: Path) -> None:
    repos.write(root, {"a": "1\n", "b/inner": "2\n", "to link": "3\n"})
    text = "".join(f"line {n}\n" for n in range(50))
    repos.write(root, {"old name": text})
    store = await opened(root, home)
    await store.record("baseline")
    (root / "a").unlink()
    (root / "b/inner").unlink()
    (root / "b").rmdir()
    (root / "to link").unlink()
    (root / "to link").symlink_to("/etc/passwd")
    (root / "old name").rename(root / "new name")
    repos.write(root, {"a/inside": "4\n", "b": "5\n"})
    repos.write(root, {"new name": text.replace("line 7\n", "line seven\n")})
    comparison = await store.compare()
    diffs = {file.path: await comparison.diff(file) for file in comparison.changes.files}
    assert set(diffs) == {"a", "a/inside", "b", "b/inner", "to link", "new name"}
    assert b"\n-1\n" in diffs["a"]
    assert b"+4" not in diffs["a"]
    assert b"+5" in diffs["b"]
    assert b"-2" not in diffs["b"]
    assert b"-3\n" in diffs["to link"]
    assert b"+/etc/passwd\n" in diffs["to link"]
    assert b"rename from old name" in diffs["new name"]
    assert diffs["new name"].endswith(b" line 10\n")
    kinds = {file.path: file.kind for file in comparison.changes.files}
    assert kinds["new name"] is ChangeKind.RENAMED


async def test_what_is_compared_stays_whatever_happens_to_the_workspace(
    root: Path, home: Path
) -> None:
    store = await opened(root, home)
    await store.record("baseline")
    repos.write(root, {"a": "first\n"})
    comparison = await store.compare()
    repos.write(root, {"a": "second\n"})
    assert (await store.compare()).changes.files[0].insertions == 1
    assert b"+first\n" in await comparison.diff(comparison.changes.files[0])


def test_a_look_at_a_path_never_leaves_the_workspace(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "way out").symlink_to(tmp_path)
    (root / "file").write_text("12345")
    (root / "folder").mkdir()
    os.mkfifo(root / "pipe")
    link = preview(root, "link", 100)
    assert (link.is_link, link.is_file, link.data) == (
        True,
        False,
        os.fsencode(tmp_path / "secret"),
    )
    file = preview(root, "file", 3)
    assert (file.is_file, file.size_bytes, file.data) == (True, 5, b"123")
    assert not preview(root, "pipe", 3).is_file
    must_be_there(root, "")
    must_be_there(root, "file")
    must_be_there(root, "folder")
    for path in ("way out/secret", "../secret", "link", "pipe", "gone", "/etc/passwd", "a\0b"):
        with pytest.raises(UserError):
            must_be_there(root, path)
        if path not in ("link", "pipe"):
            with pytest.raises(UserError):
                preview(root, path, 100)

"""A workspace looked at: one folder at a time, and never out of it."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import HOSTILE

from engine.domain.errors import UserError
from engine.workspaces.files import tree
from engine.workspaces.files.tree import list_files, list_folder, sizes_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "inner/deep").mkdir(parents=True)
    (folder / "inner/a.txt").write_text("abc")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("secret")
    return folder


def refused(root: Path, path: str) -> UserError:
    with pytest.raises(UserError) as caught:
        list_folder(root, path)
    return caught.value


def test_folders_come_first_each_by_name(root: Path) -> None:
    for name in ("b.txt", "A.txt", "c"):
        (root / name).write_text("x")
    (root / "Zebra").mkdir()
    assert [entry.name for entry in list_folder(root)] == ["inner", "Zebra", "A.txt", "b.txt", "c"]


def test_an_entry_says_what_it_is(root: Path) -> None:
    (root / "inner/link").symlink_to("../..")
    deep, file, link = list_folder(root, "inner")
    assert (deep.path, deep.is_folder, deep.is_link) == ("inner/deep", True, False)
    assert (file.path, file.is_folder, file.size_bytes) == ("inner/a.txt", False, 3)
    assert (link.is_folder, link.is_link) == (False, True)
    assert list_folder(root, "inner/deep") == []


@pytest.mark.parametrize("leads", ["../outside", "/", ".", "inner", "/proc/self/root"])
def test_a_link_is_never_followed(root: Path, leads: str) -> None:
    (root / "link").symlink_to(leads)
    (root / "inner/link").symlink_to(leads)
    for path in ("link", "inner/link", "link/inner", "link/secret"):
        assert refused(root, path).code == "WORKSPACE_MISSING"


def test_a_workspace_that_became_a_link_is_not_followed(root: Path) -> None:
    shutil.rmtree(root)
    root.symlink_to(root.parent / "outside")
    assert refused(root, "").code == "WORKSPACE_MISSING"


@pytest.mark.parametrize(
    "path",
    ["..", "../outside", "inner/..", "inner/../..", "/", "/etc", ".", "inner/", "inner//deep",
     "inner/.", "nowhere", "inner/a.txt", "a\0b", "\udcff", "\ud800", "x" * 5000],
)  # fmt: skip
def test_what_is_no_folder_below_is_refused(root: Path, path: str) -> None:
    error = refused(root, path)
    assert error.code == "WORKSPACE_MISSING"
    assert "\0" not in error.message


@given(st.text(st.characters(), max_size=20) | st.from_regex(r"(\.\.|/|inner|link){1,6}"))
def test_no_path_shows_anything_from_outside(tmp_path_factory, path: str) -> None:
    root = tmp_path_factory.getbasetemp() / "given" / "root"
    (root / "inner").mkdir(parents=True, exist_ok=True)
    (root.parent / "secret").touch()
    if not (root / "link").is_symlink():
        (root / "link").symlink_to("..")
    try:
        shown = list_folder(root, path)
    except UserError:
        return
    assert "secret" not in [entry.name for entry in shown]


def test_a_folder_swapped_for_a_link_meanwhile_leads_nowhere(root: Path) -> None:
    going_on = True

    def swap() -> None:
        while going_on:
            os.rename(root / "inner", root / "kept")
            os.symlink(root.parent / "outside", root / "inner")
            os.unlink(root / "inner")
            os.rename(root / "kept", root / "inner")

    swapping = threading.Thread(target=swap)
    swapping.start()
    seen: set[str] = set()
    try:
        for _ in range(3000):
            try:
                seen |= {entry.name for entry in list_folder(root, "inner")}
            except UserError as error:
                assert error.code == "WORKSPACE_MISSING"
    finally:
        going_on = False
        swapping.join()
    assert seen <= {"deep", "a.txt"}


def test_hostile_names_are_shown_escaped_and_still_open(root: Path) -> None:
    names = {
        name[:50].replace("/", "_").replace("\0", "") for name in HOSTILE if "\ud800" not in name
    }
    names |= {os.fsdecode(b"\xff\xfe"), "a\nb"}
    for name in names - {""}:
        (root / "inner/deep" / name).mkdir()
    entries = list_folder(root, "inner/deep")
    assert {entry.path for entry in entries} == {f"inner/deep/{name}" for name in names - {""}}
    for entry in entries:
        assert not any(char < " " or "\x7f" <= char <= "\x9f" for char in entry.name)
        assert not any("\ud800" <= char <= "\udfff" or char == "\u202e" for char in entry.name)
        assert list_folder(root, entry.path) == []


def test_a_huge_folder_is_shown_in_part(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MAX_ENTRIES", 20)
    for number in range(25):
        (root / f"inner/deep/{number}").touch()
    assert len(list_folder(root, "inner/deep")) == 20


def test_looking_leaves_no_file_open(root: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    for path in ("", "inner", "..", "nowhere", "inner/..", "inner/nowhere", "a\0b", "inner/a\0b"):
        try:
            list_folder(root, path)
        except UserError:
            continue
    assert len(os.listdir("/dev/fd")) == before


def test_what_the_sandbox_puts_there_for_a_moment_is_not_shown(root: Path) -> None:
    (root / ".codex").mkdir()
    (root / ".agents").touch()
    (root / ".git").mkdir()
    (root / "inner/.codex").mkdir()
    assert [entry.name for entry in list_folder(root)] == ["inner"]
    assert [entry.name for entry in list_folder(root, "inner")] == [".codex", "deep", "a.txt"]
    (root / ".codex/config.toml").touch()
    (root / ".git/HEAD").touch()
    (root / ".agents").write_text("mine")
    names = [entry.name for entry in list_folder(root)]
    assert names == [".codex", ".git", "inner", ".agents"]


def test_files_are_found_wherever_they_are_but_where_tools_keep_theirs(root: Path) -> None:
    (root / "inner/link").symlink_to(root.parent / "outside")
    for name in ("node_modules/p", ".git", "inner/__pycache__"):
        (root / name).mkdir(parents=True)
        (root / name / "file").touch()
    found = {entry.path: entry.is_link for entry in list_files(root)}
    assert found == {"inner/a.txt": False, "inner/link": True}
    shutil.rmtree(root)
    with pytest.raises(UserError):
        list_files(root)


def test_sizes_are_of_what_lies_there_itself(root: Path) -> None:
    (root / "link").symlink_to(root.parent / "outside/secret")
    (root / "away").symlink_to(root.parent / "outside")
    sizes = sizes_of(root, ["inner/a.txt", "link", "away/secret", "../outside/secret", "no", "a\0"])
    assert sizes == {"inner/a.txt": 3, "link": os.lstat(root / "link").st_size}

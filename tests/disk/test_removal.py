"""What is removed is gone, and nothing else is."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from engine.workspaces.files.removal import remove


def test_a_tree_is_gone_and_what_links_point_to_is_not(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious").write_text("mine")
    tree = tmp_path / "tree"
    (tree / "deep" / "er").mkdir(parents=True)
    (tree / "deep" / os.fsdecode(b"\xff\n-rf")).write_text("x")
    (tree / "out").symlink_to(other)
    (tree / "deep" / "file").symlink_to(other / "precious")
    os.link(other / "precious", tree / "twin")
    (tree / "locked").mkdir()
    (tree / "locked" / "inside").touch()
    (tree / "locked").chmod(0o000)
    os.mkfifo(tree / "pipe")
    done = remove(tree)
    assert not os.path.lexists(tree)
    assert (done.entries, done.left, done.stopped) == (10, [], False)
    assert (other / "precious").read_text() == "mine"


def test_a_link_in_its_place_is_removed_itself(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious").touch()
    (tmp_path / "tree").symlink_to(other)
    assert remove(tmp_path / "tree").left == []
    assert list(tmp_path.iterdir()) == [other]
    assert list(other.iterdir()) == [other / "precious"]


def test_what_is_gone_already_is_no_error(tmp_path: Path) -> None:
    assert remove(tmp_path / "no" / "where").entries == 0
    assert remove(tmp_path / "nowhere").entries == 0


def test_it_can_be_stopped_and_taken_up_again(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / "tree" / str(number)).mkdir(parents=True)
    looks = iter(range(100))
    done = remove(tmp_path / "tree", stop=lambda: next(looks) > 4)
    assert done.stopped
    assert (tmp_path / "tree").is_dir()
    assert not remove(tmp_path / "tree").stopped
    assert list(tmp_path.iterdir()) == []


def test_folders_deeper_than_there_are_handles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "engine.workspaces.files.removal.resource.getrlimit", lambda _kind: (110, 110)
    )
    (tmp_path / "tree" / "/".join("d" * 60)).mkdir(parents=True)
    assert remove(tmp_path / "tree").left == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_swapped_for_a_link_meanwhile_leads_nowhere(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for number in range(200):
        (other / f"precious{number}").touch()
    tree = tmp_path / "tree"
    for number in range(200):
        (tree / f"{number}").mkdir(parents=True)
        (tree / f"{number}" / "x").touch()
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            for number in range(200):
                try:
                    (tree / f"{number}").rename(tree / "aside")
                    (tree / f"{number}").symlink_to(other)
                    (tree / "aside").rename(tree / f"{number}b")
                except OSError:
                    continue

    swapping = threading.Thread(target=swap)
    swapping.start()
    remove(tree)
    over.set()
    swapping.join()
    remove(tree)
    assert len(list(other.iterdir())) == 200
    assert not tree.exists()


def test_what_is_mounted_inside_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bind mount of the same file system looks like any folder: only the system's list tells."""
    tree = tmp_path / "a tree"
    (tree / "in" / "mount").mkdir(parents=True)
    (tree / "in" / "mount" / "precious").touch()
    place = str(tree / "in" / "mount").replace(" ", "\\040")
    real = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        is_list = path.name == "mountinfo"
        return f"36 35 98:0 /x {place} rw - ext4 /dev/sda rw\n".encode() if is_list else real(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    if Path("/proc/self/mountinfo").exists():
        assert remove(tree).left == ["a tree: mount is mounted in it"]
        assert (tree / "in" / "mount" / "precious").exists()

"""What is written with `-o` follows no link that an agent may have put there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.domain.errors import UserError
from engine.system.output_file import write_into, write_output


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "home" / ".bashrc"
    path.parent.mkdir()
    path.write_text("mine\n")
    return path


def test_a_link_of_that_name_is_neither_followed_nor_replaced(tmp_path: Path, victim: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "notes.md").symlink_to(victim)
    with pytest.raises(UserError, match="is a link"):
        write_into(folder, "notes.md", b"evil\n")
    assert victim.read_text() == "mine\n"
    assert [path.name for path in folder.iterdir()] == ["notes.md"]


@pytest.mark.parametrize("target", ["way/.bashrc", "way", "way/deeper/x", "real/way/.bashrc"])
def test_a_link_above_is_not_followed(
    tmp_path: Path, victim: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    place = tmp_path / "cwd"
    (place / "real").mkdir(parents=True)
    (place / "way").symlink_to(victim.parent)
    (place / "real" / "way").symlink_to(victim.parent)
    monkeypatch.chdir(place)
    for path in (Path(target), place / target):
        with pytest.raises(UserError, match="link"):
            write_into(path, ".bashrc", b"evil\n")
    assert victim.read_text() == "mine\n"
    assert len(list(victim.parent.iterdir())) == 1


def test_a_dangling_link_is_not_filled(tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to(tmp_path / "new")
    with pytest.raises(UserError):
        write_output(tmp_path / "x", b"evil\n")
    assert not (tmp_path / "new").exists()


def test_a_fifo_is_refused_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    with pytest.raises(UserError, match="not a regular file"):
        write_output(tmp_path / "x", b"x\n")


def test_a_second_name_of_a_file_keeps_its_content(tmp_path: Path, victim: Path) -> None:
    os.link(victim, tmp_path / "x")
    write_output(tmp_path / "x", b"new\n")
    assert (tmp_path / "x").read_text() == "new\n"
    assert victim.read_text() == "mine\n"


def test_a_file_is_written_replaced_and_keeps_its_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_into(Path(), "a", b"1\n")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o666 & ~_umask()
    (tmp_path / "a").chmod(0o640)
    write_output(Path("a"), b"2\n")
    write_output(tmp_path / "b", b"b\n")
    assert (tmp_path / "a").read_text() == "2\n"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_folder_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        write_output(tmp_path / "none" / "x", b"")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

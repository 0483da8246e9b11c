"""Spool files read while they grow."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.system import files as module
from engine.system.files import LineReader


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stdout.jsonl"


@pytest.fixture
def spool(path: Path) -> Iterator[LineReader]:
    opened = LineReader(path, 0)
    yield opened
    opened.close()


def write(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_a_file_that_is_not_there_yet_is_empty(spool: LineReader, path: Path) -> None:
    assert (spool.lines(), spool.behind, spool.rest(), spool.offset) == ([], False, b"", 0)
    write(path, b"a\n")
    assert spool.behind
    assert spool.lines() == [b"a"]


def test_lines_come_when_they_have_ended(spool: LineReader, path: Path) -> None:
    write(path, b"one\ntw")
    assert spool.lines() == [b"one"]
    assert spool.offset == 4
    assert not spool.behind
    write(path, b"o")
    assert spool.lines() == []
    write(path, b"\n\nfour")
    assert spool.lines() == [b"two", b""]
    assert spool.rest() == b"four"
    assert spool.offset == path.stat().st_size
    assert spool.rest() == b""


def test_a_later_reader_goes_on_behind_the_last_whole_line(spool: LineReader, path: Path) -> None:
    write(path, b"one\ntwo\nthr")
    spool.lines()
    write(path, b"ee\n")
    later = LineReader(path, spool.offset)
    assert later.lines() == spool.lines() == [b"three"]
    later.close()


def test_a_line_may_be_longer_than_what_is_read_at_once(spool: LineReader, path: Path) -> None:
    write(path, b"x" * 100 + b"\nend\n")
    seen = []
    while spool.behind:
        seen += spool.lines(7)
    assert seen == [b"x" * 100, b"end"]


def test_a_file_that_is_deleted_while_it_is_read_is_read_to_its_end(
    spool: LineReader, path: Path
) -> None:
    write(path, b"one\ntwo\nth")
    assert spool.lines(5) == [b"one"]
    path.unlink()
    assert spool.behind
    assert spool.lines() == [b"two"]
    assert not spool.behind
    assert (spool.rest(), spool.cut_off()) == (b"th", 0)


@pytest.mark.parametrize("size", [0, 3, 6])
def test_a_file_that_is_cut_off_is_read_on_from_its_new_end(
    spool: LineReader, path: Path, size: int
) -> None:
    assert spool.cut_off() == 0
    write(path, b"one\ntwo\nth")
    assert spool.lines() == [b"one", b"two"]
    os.truncate(path, size)
    assert (spool.lines(), spool.behind) == ([], False)
    assert spool.cut_off() == 10 - size
    assert spool.cut_off() == 0
    write(path, b"four\nfi")
    assert spool.lines() == [b"four"]
    assert spool.offset == size + 5
    assert spool.rest() == b"fi"


def test_a_file_that_was_cut_off_before_is_known_too(path: Path) -> None:
    write(path, b"one\n")
    later = LineReader(path, 100)
    assert (later.lines(), later.cut_off(), later.offset) == ([], 96, 4)
    later.close()


def test_an_endless_line_is_bounded_and_the_next_is_whole(
    spool: LineReader, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINE_LIMIT_BYTES", 50)
    write(path, b"x" * 1000 + b"\nnext\n")
    seen = []
    while spool.behind:
        seen += spool.lines(10)
    assert len(seen[0]) < 100
    assert seen[1:] == [b"next"]
    assert spool.offset == 1006


def test_a_link_in_its_place_is_not_followed(spool: LineReader, path: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret\n")
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic"):
        spool.lines()


def test_a_pipe_or_folder_in_its_place_is_refused_at_once(spool: LineReader, path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(OSError, match="Not a regular file"):
        spool.lines()
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError, match="Not a regular file"):
        spool.lines()

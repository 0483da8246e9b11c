"""The file of a thread taken into another Codex home: whole, private, and over nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.agents import profiles as profiles  # the codes of errors
from engine.agents.codex.thread_files import bring_thread
from engine.domain.errors import UserError

THREAD = "01a22a62-9180-78b7-996b-cb76c42d90b0"
DAY = "sessions/2026/11/30"
NAME = f"rollout-2026-11-30T02-00-00-{THREAD}.jsonl"


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    return tmp_path / "a", tmp_path / "b"


def write(home: Path, text: str, folder: str = DAY, name: str = NAME) -> Path:
    path = home / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("folder", [DAY, "archived_sessions"])
def test_a_copy_has_the_same_place_and_is_private(homes: tuple[Path, Path], folder: str) -> None:
    a, b = homes
    original = write(a, "one\n", folder)
    os.utime(original, (1e9, 1e9))
    bring_thread(THREAD, [a], b)
    copy = b / folder / NAME
    assert copy.read_text() == "one\n"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert copy.parent.stat().st_mode & 0o777 == 0o700
    assert copy.stat().st_mtime == 1e9
    assert copy.stat().st_ino != original.stat().st_ino
    assert [path.name for path in copy.parent.iterdir()] == [NAME]


@pytest.mark.parametrize(
    ("there", "becomes"),
    [("one\n", "one\ntwo\n"), ("one\nt", "one\ntwo\n"), ("", "one\ntwo\n"), ("one\ntwo\n", None),
     ("one\ntwo\nthree\n", None)],
)  # fmt: skip
def test_a_beginning_is_completed_and_more_is_kept(
    homes: tuple[Path, Path], there: str, becomes: str | None
) -> None:
    a, b = homes
    write(a, "one\ntwo\n")
    copy = write(b, there)
    before = copy.stat().st_ino
    bring_thread(THREAD, [a], b)
    assert copy.read_text() == (becomes or there)
    assert (copy.stat().st_ino == before) is (becomes is None)


def test_another_file_is_never_overwritten(homes: tuple[Path, Path]) -> None:
    a, b = homes
    write(a, "one\n")
    copy = write(b, "another\n")
    with pytest.raises(UserError) as caught:
        bring_thread(THREAD, [a], b)
    assert caught.value.code == "ACCOUNT_THREAD_DIFFERS"
    assert copy.read_text() == "another\n"


def test_a_link_in_the_place_of_the_copy_is_not_followed(homes: tuple[Path, Path]) -> None:
    a, b = homes
    write(a, "one\n")
    secret = write(b, "", "elsewhere")
    (b / DAY).mkdir(parents=True)
    (b / DAY / NAME).symlink_to(secret)
    with pytest.raises(UserError) as caught:
        bring_thread(THREAD, [a], b)
    assert caught.value.code == "ACCOUNT_THREAD_DIFFERS"
    assert secret.read_text() == ""


@pytest.mark.parametrize("side", [0, 1])
def test_a_folder_that_is_a_link_is_not_entered(homes: tuple[Path, Path], side: int) -> None:
    a, b = homes
    write(a, "one\n")
    elsewhere = a.parent / "elsewhere"
    if side == 0:
        (a / "sessions").rename(elsewhere)
    else:
        elsewhere.mkdir()
    (homes[side] / "sessions").symlink_to(elsewhere)
    with pytest.raises(OSError, match="sessions"):
        bring_thread(THREAD, [a], b)
    assert not list(b.rglob(NAME))


def test_an_original_that_is_a_link_or_a_pipe_is_not_read(homes: tuple[Path, Path]) -> None:
    a, b = homes
    (a / DAY).mkdir(parents=True)
    os.mkfifo(a / DAY / NAME)
    with pytest.raises(OSError, match="not a regular file"):
        bring_thread(THREAD, [a], b)
    (a / DAY / NAME).unlink()
    (a / DAY / NAME).symlink_to(write(a, "secret\n", "elsewhere"))
    with pytest.raises(OSError, match="rollout"):
        bring_thread(THREAD, [a], b)
    assert not list(b.rglob(NAME))


def test_what_a_crash_left_is_replaced(homes: tuple[Path, Path]) -> None:
    a, b = homes
    write(a, "one\n")
    write(b, "half", name=f".{NAME}.part")
    bring_thread(THREAD, [a], b)
    assert [path.name for path in (b / DAY).iterdir()] == [NAME]
    assert (b / DAY / NAME).read_text() == "one\n"


def test_a_thread_that_no_home_has_and_the_same_home_are_left_alone(
    homes: tuple[Path, Path],
) -> None:
    a, b = homes
    bring_thread(THREAD, [a], b)
    write(b, "one\n")
    link = a.parent / "link"
    link.symlink_to(b)
    bring_thread(THREAD, [link], b)
    assert (b / DAY / NAME).read_text() == "one\n"
    assert not list(a.iterdir())


def test_the_home_that_wrote_it_last_is_the_source(homes: tuple[Path, Path]) -> None:
    a, b = homes
    write(a, "one\n")
    write(b, "one\ntwo\n")
    target = a.parent / "c"
    target.mkdir()
    bring_thread(THREAD, [b, a], target)
    assert (target / DAY / NAME).read_text() == "one\ntwo\n"

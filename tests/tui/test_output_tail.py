"""The end of a running command's output: bounded, and harmless however it is cut into pieces."""

from __future__ import annotations

import pytest

from tui.models.output_tail import MAX_CHARACTERS, MAX_LINES, OutputTail


def tail_of(*pieces: str) -> OutputTail:
    """Return a tail with these pieces added."""
    tail = OutputTail()
    for piece in pieces:
        tail.add(piece)
    return tail


def shown(*pieces: str) -> list[str]:
    """Return all lines of these pieces."""
    return list(tail_of(*pieces).last(MAX_LINES + 1))


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        (("a\nb", "c\n"), ["a", "bc"]),
        (("a\n\nb\n",), ["a", "", "b"]),
        (("a\r\nb\r", "\nc"), ["a", "b", "c"]),
        (("10%\r20%\r", "30%"), ["30%"]),
        (("10%\r20%\r",), ["20%"]),
        (("\x1b[31mred\x1b[0m",), ["red"]),
        (("red\x1b[3", "1mder\n"), ["redder"]),
        (("a\x1b]0;tit", "le\x07b"), ["ab"]),
        (("a\x1b",), ["a"]),
        (("\u202egnp.exe\n",), ["\ufffdgnp.exe"]),
        (("a\x00\x07b\n",), ["a\ufffd\ufffdb"]),
        (("caf\ufffd\n",), ["caf\ufffd"]),
        (("\ud83d\n",), ["\ufffd"]),
    ],
)
def test_lines_are_those_that_a_terminal_would_leave(
    pieces: tuple[str, ...], lines: list[str]
) -> None:
    assert shown(*pieces) == lines


def test_unfinished_sequence_is_not_shown_before_its_end() -> None:
    tail = OutputTail()
    for piece in ("a", "\x1b", "]", "0;secret", "\x1b", "\\", "b"):
        tail.add(piece)
        assert "".join(tail.last(1)) in ("a", "ab")


@pytest.mark.parametrize(
    "piece",
    ["x", "x\n", "\n", "\r", "x" * 999 + "\n", "x" * 300_000, "\x1b", "\x1b]", "é" * 70_000],
)
def test_memory_is_bounded(piece: str) -> None:
    tail = OutputTail()
    for _ in range(200_000 if len(piece) == 1 else 400):
        tail.add(piece)
    assert tail.size <= MAX_CHARACTERS
    assert tail.line_count <= MAX_LINES + 1
    assert all(len(line) <= 2_001 for line in tail.last(MAX_LINES))


def test_last_lines_are_kept() -> None:
    tail = tail_of(*(f"{number}\n" for number in range(5 * MAX_LINES)))
    assert tail.is_cut
    assert list(tail.last(2)) == [str(5 * MAX_LINES - 2), str(5 * MAX_LINES - 1)]
    assert not tail_of("a\n").is_cut

"""Outside text: whatever it holds, a terminal sees letters."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support import HOSTILE

from engine.domain.text import escaped, one_line, printable, printable_name, visible

CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
STEERS_TEXT = re.compile("[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
SNIPPETS = [piece for piece in HOSTILE if len(piece) < 100]
any_text = st.lists(
    st.text(st.characters()) | st.sampled_from(SNIPPETS) | st.sampled_from("\x1b\x9b\x9d\x90;07mq"),
    max_size=20,
).map("".join)


def is_safe(text: str) -> bool:
    return not CONTROLS.search(text) and not STEERS_TEXT.search(text)


@given(any_text)
@example("\x1b[\x1b[31m31m")
@example("\x1b\x1b]52;c;x\x07[2J")
def test_printable_text_holds_no_control_but_newline_and_tab(text: str) -> None:
    assert is_safe(printable(text))


@given(any_text)
def test_printable_text_stays_as_it_is(text: str) -> None:
    assert printable(printable(text)) == printable(text)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126) | st.sampled_from("\n\täß界🙂")))
def test_harmless_text_is_not_touched(text: str) -> None:
    assert printable(text) == text


@given(any_text, st.integers(1, 50))
def test_a_limit_holds_and_says_what_is_missing(text: str, limit: int) -> None:
    cut = printable(text, limit)
    assert is_safe(cut)
    if len(text) > limit:
        assert f"({len(text) - limit} characters more)" in cut


@given(st.text(st.sampled_from("ab \t"), max_size=20), st.integers(2, 12))
def test_one_line_has_single_spaces(text: str, limit: int) -> None:
    words = " ".join(text[: limit * 20].split())
    assert one_line(text, limit) == (words if len(words) <= limit else words[: limit - 1] + "…")


@given(st.text(st.characters(max_codepoint=127), min_size=61, max_size=90))
def test_long_text_is_judged_as_its_parts_are(text: str) -> None:
    assert printable(text) == text or not all(printable(char) == char for char in text)


@given(any_text, st.integers(2, 80))
def test_one_line_is_one_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert is_safe(line)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
    assert "\t" not in line


def test_one_line_is_the_first_that_says_something() -> None:
    assert one_line("\n  \n  first   words \nmore") == "first words"
    assert one_line("") == ""


@given(any_text)
def test_a_name_is_printable_and_never_ends_the_line(name: str) -> None:
    shown = printable_name(name)
    assert is_safe(shown)
    assert "\n" not in shown
    assert "\t" not in shown
    assert len(shown.splitlines()) <= 1


# Unicode 16, DerivedCoreProperties.txt: Default_Ignorable_Code_Point.
IGNORABLE = (
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5)),
    *((0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164)),
    *((0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8)),
    *((0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)


def test_no_invisible_character_of_unicode_passes() -> None:
    for char in (chr(code) for first, last in IGNORABLE for code in range(first, last + 1)):
        assert char not in visible(f"a{char}b")
        assert char not in escaped(f"a{char}b")
        assert char not in printable_name(f"a{char}b")


def test_a_name_shows_what_is_hidden_in_it() -> None:
    assert printable_name("a\nb\x1b[31m") == "a\\nb\\x1b[31m"
    assert printable_name("photo_\u202egnp.exe") == "photo_\\u202egnp.exe"
    assert printable_name("bytes\udcff") == "bytes\\xff"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\x1b]52;c;aGVsbG8=\x07b", "ab"),
        ("a\x1b]0;title\x1b\\b", "ab"),
        ("a\x9d0;title\x9cb", "ab"),
        ("a\x9b2Jb", "ab"),
        ("a\r\nb", "a\nb"),
        ("10 %\r20 %", "10 %\ufffd20 %"),
        ("a\udc80b", "a\ufffdb"),
        ("\x1b]52;c;never ended", "52;c;never ended"),
        ("[/red] [link=x]", "[/red] [link=x]"),
    ],
)
def test_escape_sequences_vanish_and_the_words_stay(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    "piece", ["x", "\x1b", "\x1b[0", "\x1b]", "\x9d", "\x90a", "\x9b1;", "\x1b]a\x9d", "\u202e"]
)
def test_a_megabyte_takes_no_time(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    started = time.process_time()
    assert is_safe(printable(text))
    assert is_safe(one_line(text))
    assert time.process_time() - started < 10

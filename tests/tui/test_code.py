"""Reading diffs and files, pairing lines, finding the words that changed, colouring."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import HOSTILE

from tui.models.code import binary
from tui.models.code.changed_words import changed_words
from tui.models.code.document import (
    CodeDocument,
    DiffRow,
    read_diff,
    read_text,
    side_by_side,
    unified,
)
from tui.models.code.syntax import CHUNK, MAX_CHARS, colour, lexer_for
from tui.terminal.cells import cells, code

DIFF = b"""diff --git a/f b/f
index 1..2 100644
--- a/f
+++ b/f
@@ -1,5 +1,5 @@
 one
-two
-three
+2
 four
--- five
+++ five
+six
\\ No newline at end of file
@@ -20 +20,0 @@ def far(
-gone
"""


def lines_of(document: CodeDocument) -> list[tuple[str, int, int, str]]:
    return [line[:4] for line in document.lines]


def test_a_diff_is_read_by_its_counts_not_by_what_lines_look_like() -> None:
    document = read_diff(DIFF)
    assert lines_of(document) == [
        (" ", 1, 1, "one"),
        ("-", 2, 0, "two"),
        ("-", 3, 0, "three"),
        ("+", 0, 2, "2"),
        (" ", 4, 3, "four"),
        ("-", 5, 0, "-- five"),
        ("+", 0, 4, "++ five"),
        ("+", 0, 5, "six"),
        ("-", 20, 0, "gone"),
    ]
    assert [line.is_cut for line in document.lines].index(True) == 7
    assert [(hunk.start, hunk.heading) for hunk in document.hunks] == [
        (0, "@@ -1,5 +1,5 @@"),
        (8, "@@ -20 +20,0 @@ def far("),
    ]
    assert document.last_number == 21
    assert document.partners == {1: 3, 3: 1, 5: 6, 6: 5}


def test_lines_below_each_other_and_beside_each_other() -> None:
    document = read_diff(DIFF)
    assert unified(document) == [
        DiffRow(-1, -1, 0), DiffRow(0, 0), DiffRow(1, -1), DiffRow(2, -1), DiffRow(-1, 3),
        DiffRow(4, 4), DiffRow(5, -1),
        DiffRow(-1, 6), DiffRow(-1, 7), DiffRow(-1, -1, 1), DiffRow(8, -1),
    ]  # fmt: skip
    assert side_by_side(document) == [
        DiffRow(-1, -1, 0), DiffRow(0, 0), DiffRow(1, 3), DiffRow(2, -1), DiffRow(4, 4),
        DiffRow(5, 6), DiffRow(-1, 7),
        DiffRow(-1, -1, 1), DiffRow(8, -1),
    ]  # fmt: skip
    added = read_diff(b"@@ -0,0 +1,2 @@\n+a\n+b\n")
    assert side_by_side(added) == unified(added)


@pytest.mark.parametrize("empty", [b"", b"diff --git a/x b/x\nold mode 100644\nnew mode 100755\n"])
def test_a_diff_without_lines(empty: bytes) -> None:
    document = read_diff(empty)
    assert not document.lines
    assert unified(document) == side_by_side(document) == []


def test_a_file_replaced_by_a_link_has_two_parts() -> None:
    document = read_diff(
        b"diff --git a/f b/f\ndeleted file mode 100644\n@@ -1 +0,0 @@\n-text\n"
        b"diff --git a/f b/f\nnew file mode 120000\n@@ -0,0 +1 @@\n+/etc/passwd\n"
        b"\\ No newline at end of file\n"
    )
    assert lines_of(document) == [("-", 1, 0, "text"), ("+", 0, 1, "/etc/passwd")]
    assert not document.partners


@given(st.binary(max_size=400))
def test_any_bytes_are_read(data: bytes) -> None:
    for document in (read_diff(data), read_text(data), read_diff(b"@@ -1,9 +1,9 @@\n" + data)):
        rows = unified(document)
        assert {row.left for row in rows} | {row.right for row in rows} <= {
            -1,
            *range(len(document.lines)),
        }
        side_by_side(document)


def test_a_file_is_lines_with_or_without_an_end() -> None:
    assert [line[2:] for line in read_text(b"a\n\nb\xff").lines] == [
        (1, "a", False),
        (2, "", False),
        (3, "b\ufffd", True),
    ]
    assert read_text(b"").lines == []


def test_nobody_runs_out_of_memory_over_line_ends() -> None:
    with patch("tui.models.code.document.MOST_LINES", 5):
        for text, count in ((b"\n" * 5, 5), (b"\n" * 9, 5), (b"1\n2\n3\n4\n5\n6", 5)):
            assert len(read_text(text).lines) == count
        assert not read_text(b"\n" * 5).is_shortened
        assert read_text(b"\n" * 6).is_shortened
        diff = read_diff(b"@@ -0,0 +1,9 @@\n" + b"+\n" * 9)
        assert (len(diff.lines), diff.is_shortened) == (4, True)


def test_line_ends_show_only_where_they_are_what_changed() -> None:
    document = read_diff(b"@@ -1,2 +1,3 @@\n-a\r\n+a\n b\r\n+c\r\n")
    assert [document.shown(n) for n in range(4)] == ["a\\r", "a", "b", "c"]


def marked(text: str, spans: tuple[tuple[int, int], ...]) -> list[str]:
    return [text[start:end] for start, end in spans]


@pytest.mark.parametrize(
    ("old", "new", "gone", "come"),
    [
        ("greet(name, loud)", "greet(name, quiet)", ["loud"], ["quiet"]),
        ("return x", "    return x + 1", [], ["    ", " + 1"]),
        ("a = foo(1, 2, 3)", "a = foo(1, 3)", ["2, "], []),
        ("same", "same", [], []),
        ("nothing alike", "wholly other, really", [], []),
        ("", "x", [], []),
    ],
)
def test_changed_words(old: str, new: str, gone: list[str], come: list[str]) -> None:
    before, after = changed_words(old, new)
    assert (marked(old, before), marked(new, after)) == (gone, come)


def test_long_lines_are_compared_from_their_ends_alone() -> None:
    old = " ".join(str(n) for n in range(1_000))
    new = old.replace(" 300 ", " x ").replace(" 700 ", " y ")
    with patch("tui.models.code.changed_words.SequenceMatcher", side_effect=AssertionError):
        before, after = changed_words(old, new)
    assert len(before) == len(after) == 1
    assert marked(new, after)[0].startswith("x ")
    assert marked(new, after)[0].endswith(" y")


@given(st.text(max_size=60), st.text(max_size=60))
def test_changed_words_lie_within_the_lines_in_order(old: str, new: str) -> None:
    for text, spans in zip((old, new), changed_words(old, new), strict=True):
        edges = [edge for span in spans for edge in span]
        assert edges == sorted(edges)
        assert all(0 <= edge <= len(text) for edge in edges)


def tones(path: str, document: CodeDocument, chunk: int = 0) -> dict[int, list[tuple[str, str]]]:
    lexer = lexer_for(path)
    assert lexer
    return {
        index: [(document.shown(index)[start:end], tone) for start, end, tone in some]
        for index, some in colour(lexer, document, chunk).items()
    }


def test_code_is_coloured_by_what_its_name_says_it_is() -> None:
    found = tones("a/b.py", read_text(b"def f():\n    return 'x'  # why\n"))
    assert ("def", "keyword") in found[0]
    assert ("# why", "comment") in found[1]
    assert "".join(text for text, tone in found[1] if tone == "string") == "'x'"
    assert lexer_for("no such language.qqq") is None
    assert lexer_for("") is None


def test_old_and_new_lines_are_read_apart() -> None:
    document = read_diff(b"@@ -1,3 +1,3 @@\n-x = '''\n+x = 1\n y = 2\n-'''\n+z = 3\n")
    found = tones("x.py", document)
    assert ("y", "string") not in found[2]
    assert ("2", "number") in found[2]
    assert found[3] == [("'''", "string")]


def test_what_began_before_is_known() -> None:
    text = b"".join([b'"""\n', *(b"words\n" for _ in range(CHUNK)), b'"""\n', b"x = 1\n"])
    found = tones("x.py", read_text(text), 1)
    assert set(found) == {CHUNK, CHUNK + 1, CHUNK + 2}
    assert found[CHUNK] == [("words", "string")]


def test_too_much_text_is_not_coloured() -> None:
    line = b"x = " + b"1" * 1_000 + b"\n"
    lexer = lexer_for("x.py")
    assert lexer
    assert not any(colour(lexer, read_text(line * (MAX_CHARS // 1_000 + 1)), 0).values())


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_lines_are_shown_as_what_they_are(text: str) -> None:
    shown = code(text)
    assert all(char.isprintable() for char in shown)
    assert "\x1b" not in shown
    assert cells(shown) < 20_000


def test_nothing_is_hidden_in_code() -> None:
    assert code("a\tb\x1b[31m") == "a   b\\x1b[31m"
    assert code("admin\u200d\u202e\u2066x") == "admin\\u200d\\u202e\\u2066x"
    assert code("漢字 ✓ é") == "漢字 ✓ é"


def test_binary_files_are_told_by_their_beginning() -> None:
    assert binary.is_binary(b"\x89PNG\r\n\x1a\n\0")
    assert not binary.is_binary("text ü\n".encode())
    assert binary.kind(b"\x89PNG\r\n\x1a\n\0") == "PNG image"
    assert binary.kind(b"\0\1") == "binary file"
    dump = binary.dump(b"A\x1b" + bytes(600)).decode().splitlines()
    assert dump[0].startswith("00000000  41 1b 00")
    assert dump[0].endswith("  A...............")
    assert len(dump) == 32

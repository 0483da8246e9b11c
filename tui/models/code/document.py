"""Lines to look at, of a file or of a diff, however many: read once, in a thread."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple

from tui.models.code.changed_words import Spans, changed_words
from tui.terminal.cells import code

MOST_LINES = 200_000
"""Lines that are read: a file of nothing but line ends would take gigabytes."""
CARRIAGE_RETURN = "\\r"
_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", re.ASCII)
_SIGNS = {ord(b"+"): "+", ord(b"-"): "-"}


class CodeLine(NamedTuple):
    """One line as it stands in the file, or stood; numbers from 1, 0 on the side it is not on."""

    sign: str
    old: int
    new: int
    text: str
    is_cut: bool = False
    """The last line of a file that does not end with a line end."""


class DiffHunk(NamedTuple):
    """A stretch of lines that belong together, from `start` on, and its heading as git wrote it."""

    start: int
    heading: str


class DiffRow(NamedTuple):
    """Row of a diff: indexes of lines side by side, -1 for none; a hunk's heading; a comment."""

    left: int
    right: int
    hunk: int = -1
    note: int = -1
    """The index of the text of a comment."""


@dataclass(slots=True)
class CodeDocument:
    """Lines in hunks; the removed and added lines that took each other's place know each other."""

    lines: list[CodeLine] = field(default_factory=list[CodeLine])
    hunks: list[DiffHunk] = field(default_factory=list[DiffHunk])
    partners: dict[int, int] = field(default_factory=dict[int, int])
    is_diff: bool = False
    is_numbered: bool = True
    is_one_sided: bool = False
    """True if all of it was added, or removed: there is nothing to put beside it."""
    is_shortened: bool = False
    """True if there is more than `MOST_LINES`."""
    last_number: int = 0
    """The highest line number."""

    def shown(self, index: int) -> str:
        """Return a line as it can be shown; its line end only where that is the change."""
        text = self.lines[index].text
        if not text.endswith("\r"):
            return code(text)
        twin = self.partners.get(index)
        is_news = twin is not None and not self.lines[twin].text.endswith("\r")
        return code(text[:-1]) + (CARRIAGE_RETURN if is_news else "")

    def changed_words(self, index: int) -> Spans:
        """Return the spans of a shown line that differ from its counterpart."""
        twin = self.partners.get(index)
        if twin is None:
            return ()
        old, new = sorted((index, twin))
        spans = changed_words(self.shown(old), self.shown(new))
        return spans[0] if index == old else spans[1]

    def pieces(self, start: int, stop: int, lead: int) -> Iterator[tuple[int, int, int]]:
        """Return the stretches of one hunk each among some lines: where to read from, begin, end.

        At most `lead` lines of the same hunk are read before the beginning.
        """
        starts = [hunk.start for hunk in self.hunks] or [0]
        at = start
        while at < stop:
            here = bisect_right(starts, at)
            end = min(stop, starts[here] if here < len(starts) else stop)
            yield max(starts[here - 1] if here else 0, at - lead), at, end
            at = end


def read_text(data: bytes) -> CodeDocument:
    """Read a file."""
    texts = data.decode("utf-8", "replace").split("\n", MOST_LINES)
    is_shortened = len(texts) > MOST_LINES and bool(texts[-1])
    is_cut = bool(texts[-1]) and not is_shortened
    if not is_cut:
        texts.pop()
    lines = [CodeLine(" ", n, n, text) for n, text in enumerate(texts, start=1)]
    if is_cut:
        lines[-1] = lines[-1]._replace(is_cut=True)
    return CodeDocument(lines, is_shortened=is_shortened, last_number=len(lines))


def read_diff(out: bytes) -> CodeDocument:
    """Read git's diff of one file; that of a file replaced by a link has two parts."""
    document = CodeDocument(is_diff=True)
    lines = document.lines
    old = new = old_end = new_end = 0
    parts = out.removesuffix(b"\n").split(b"\n", MOST_LINES)
    document.is_shortened = len(parts) > MOST_LINES
    for raw in parts[:MOST_LINES]:
        if raw.startswith(b"\\"):
            if lines:
                lines[-1] = lines[-1]._replace(is_cut=True)
        elif old < old_end or new < new_end:
            sign = _SIGNS.get(raw[0], " ") if raw else " "
            text = raw[1:].decode("utf-8", "replace")
            lines.append(CodeLine(sign, old if sign != "+" else 0, new if sign != "-" else 0, text))
            old += sign != "+"
            new += sign != "-"
        elif found := _HUNK.match(raw):
            old, new = int(found[1]), int(found[3])
            old_end, new_end = old + int(found[2] or 1), new + int(found[4] or 1)
            document.hunks.append(DiffHunk(len(lines), raw.decode("utf-8", "replace")))
    document.last_number = max(old_end, new_end)
    document.is_one_sided = {line.sign for line in lines} in ({"+"}, {"-"})
    for removed, added in _blocks(document):
        for one, other in zip(removed, added, strict=False):
            document.partners[one] = other
            document.partners[other] = one
    return document


def unified(document: CodeDocument) -> list[DiffRow]:
    """Place the lines below each other."""
    rows: list[DiffRow] = []
    for start, stop, hunk in _hunks(document):
        if hunk >= 0:
            rows.append(DiffRow(-1, -1, hunk))
        for index in range(start, stop):
            sign = document.lines[index].sign
            rows.append(DiffRow(index if sign != "+" else -1, index if sign != "-" else -1))
    return rows


def side_by_side(document: CodeDocument) -> list[DiffRow]:
    """Place old and new lines side by side, where there are both."""
    if document.is_one_sided:
        return unified(document)
    rows: list[DiffRow] = []
    lines = document.lines
    for start, stop, hunk in _hunks(document):
        if hunk >= 0:
            rows.append(DiffRow(-1, -1, hunk))
        index = start
        while index < stop:
            if lines[index].sign == " ":
                rows.append(DiffRow(index, index))
                index += 1
                continue
            removed, added = _block(lines, index, stop)
            rows += [DiffRow(*pair) for pair in zip_longest(removed, added, fillvalue=-1)]
            index = added.stop
    return rows


def _hunks(document: CodeDocument) -> Iterator[tuple[int, int, int]]:
    if not document.hunks:
        yield 0, len(document.lines), -1
    for number, hunk in enumerate(document.hunks):
        after = document.hunks[number + 1 :][:1]
        yield hunk.start, after[0].start if after else len(document.lines), number


def _blocks(document: CodeDocument) -> Iterator[tuple[range, range]]:
    for start, stop, _ in _hunks(document):
        index = start
        while index < stop:
            if document.lines[index].sign == " ":
                index += 1
                continue
            removed, added = _block(document.lines, index, stop)
            yield removed, added
            index = added.stop


def _block(lines: list[CodeLine], start: int, stop: int) -> tuple[range, range]:
    """Return the removed lines that begin at `start`, and the added ones right after them."""
    middle = _run(lines, start, stop, "-")
    return range(start, middle), range(middle, _run(lines, middle, stop, "+"))


def _run(lines: list[CodeLine], start: int, stop: int, sign: str) -> int:
    while start < stop and lines[start].sign == sign:
        start += 1
    return start

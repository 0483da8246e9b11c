"""Comments among the rows of a diff, below and beside each other."""

from __future__ import annotations

import pytest

from engine.domain.errors import UserError
from engine.domain.review_comment import CommentPhase, ReviewComment
from engine.engine import LocatedComment
from tui.models.code.commented_rows import MORE, MOST_ROWS, place_comments, select_lines
from tui.models.code.document import read_diff, side_by_side, unified

DIFF = read_diff(b"@@ -1,3 +1,3 @@\n one\n-two\n+2\r\n three\n@@ -9,2 +9,2 @@\n nine\n-ten\n+10\n")
ROWS = unified(DIFF)


def comment(n: int, first: int, last: int, quoted: str, **more: object) -> ReviewComment:
    text = str(more.pop("text", "text"))
    phase, is_old = CommentPhase.ADDED, bool(more.pop("is_old", False))
    return ReviewComment(n, phase, text, "a.py", "", first, last, is_old, quoted)


def placed(one: ReviewComment, line: int | None, *, beside: bool = False) -> str:
    """The signs of the rows; the rows of the comment as `c`, those that it is about in capitals."""
    rows = side_by_side(DIFF) if beside else ROWS
    done = place_comments(rows, DIFF, [LocatedComment(one, line)], 80)
    shown = ""
    for at, row in enumerate(done.rows):
        index = max(row.left, row.right)
        sign = "c" if row.note >= 0 else "h" if row.hunk >= 0 else DIFF.lines[index].sign
        shown += {" ": "B", "+": "A", "-": "R"}[sign] if done.ranges_at(at) else sign
    return shown


@pytest.mark.parametrize(
    ("one", "line", "rows"),
    [
        (comment(1, 1, 1, "one"), 1, "hBc-+ h -+"),
        (comment(1, 7, 7, "one"), 1, "hBc-+ h -+"),
        (comment(1, 2, 2, "2"), 2, "h -Ac h -+"),
        (comment(1, 1, 3, "one\n2\nthree"), 1, "hBRABch -+"),
        (comment(1, 2, 2, "two", is_old=True), 2, "h Rc+ h -+"),
        (comment(1, 2, 2, "two"), None, "h Rc+ h -+"),
        (comment(1, 2, 2, "other"), None, "h -+ h -+c"),
        (comment(1, 2, 2, "two", is_old=True), None, "h -+ h -+c"),
        (comment(1, 5, 6, "five\nsix"), 5, "h -+ h -+c"),
        (comment(1, 8, 9, "eight\nnine"), 8, "h -+ hBc-+"),
        (comment(1, 99, 99, "x"), 99, "h -+ h -+c"),
    ],
)
def test_a_comment_is_below_its_lines(one: ReviewComment, line: int | None, rows: str) -> None:
    assert placed(one, line) == rows


def test_comments_beside_each_other_are_below_the_pair() -> None:
    assert placed(comment(1, 2, 2, "two", is_old=True), 2, beside=True) == "h Ac h +"
    assert placed(comment(1, 2, 2, "2"), 2, beside=True) == "h Ac h +"


def test_long_comments_are_cut_and_no_text_is_markup() -> None:
    long = comment(1, 1, 1, "one", text="[red]" + "word " * 500)
    done = place_comments(ROWS, DIFF, [LocatedComment(long, 1)], 40)
    assert len(done.texts) == MOST_ROWS
    assert done.texts[0].text.startswith("[red]word")
    assert done.texts[-1].text == MORE
    assert done.row_of(1) == 1


def test_lines_are_selected_by_side() -> None:
    assert select_lines(DIFF, ROWS[2:3]) == (True, 2, 2, ("two",))
    assert select_lines(DIFF, ROWS[3:4]) == (False, 2, 2, ("2",))
    assert select_lines(DIFF, ROWS[1:5]) == (False, 1, 3, ("one", "2", "three"))
    for rows in (ROWS[3:8], ROWS[:1], []):
        with pytest.raises(UserError):
            select_lines(DIFF, rows)

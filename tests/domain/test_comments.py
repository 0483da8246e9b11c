"""Comments on a run's changes, and the message that sends them."""

from __future__ import annotations

import pytest

from engine.domain import comments
from engine.domain.errors import UserError
from engine.domain.model import Run, RunSpec, Status
from engine.domain.review_comment import CommentPhase, ReviewComment
from engine.domain.stamp import stamp

RUN = Run("r", RunSpec("p", "t", "x"), 0.0, Status.SUCCEEDED, seq=3)
ON_LINE = ReviewComment(0, CommentPhase.ADDED, "text", "a.py", "", 3, 3, quoted="x = 1")


def after(run: Run, *bodies: ReviewComment) -> Run:
    return stamp(run, bodies, 50.0)[1]


def commented(count: int, run: Run = RUN) -> Run:
    for _ in range(count):
        run = after(run, *comments.add(run, ON_LINE))
    return run


def test_a_number_is_never_used_twice() -> None:
    run = commented(3)
    run = after(run, *comments.remove(run, [3, 1, 3]))
    assert [one.n for one in run.comments] == [2]
    assert [one.n for one in commented(1, run).comments] == [2, 4]


def test_unknown_numbers_are_refused_and_nothing_is_removed() -> None:
    run = commented(2)
    for call in (lambda: comments.remove(run, [1, 7]), lambda: comments.edit(run, 7, "x")):
        with pytest.raises(UserError) as caught:
            call()
        assert caught.value.code == "COMMENT_NOT_FOUND"


def test_a_comment_is_edited_sent_and_sent_again_after_another_edit() -> None:
    run = commented(1)
    assert comments.edit(run, 1, " text ") == []
    run = after(run, *comments.edit(run, 1, "better"))
    assert (run.comments[0].text, run.comments[0].path) == ("better", "a.py")
    run = after(run, *comments.mark_sent(comments.open_comments(run)))
    assert not comments.open_comments(run)
    assert run.comments[0].sent_at == 50.0
    run = after(run, *comments.edit(run, 1, "better"))
    assert [one.text for one in comments.open_comments(run)] == ["better"]


def test_the_number_of_comments_is_bounded_and_those_sent_make_room() -> None:
    run = commented(comments.MAX_COMMENTS)
    with pytest.raises(UserError):
        comments.add(run, ON_LINE)
    run = after(run, *comments.mark_sent(run.comments[5:7]))
    run = commented(2, run)
    assert len(run.comments) == comments.MAX_COMMENTS
    assert not {6, 7} & {one.n for one in run.comments}


@pytest.mark.parametrize("text", ["", " \n", "x" * 4001])
def test_an_empty_or_long_comment_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        comments.add(RUN, ReviewComment(0, CommentPhase.ADDED, text, "a.py"))


def test_the_message_names_files_lines_and_quotes_them() -> None:
    first = ReviewComment(4, CommentPhase.ADDED, "Why?", "b\n.py", "", 2, 3, quoted="a\n\nb")
    second = ReviewComment(5, CommentPhase.ADDED, "Keep it.", "x", "ff2e70", 1, 1, True, "old")
    assert comments.message_text([first, second], "Look:") == (
        "Look:\n\n1. b\\n.py, lines 2–3:\n\n> a\n>\n> b\n\nWhy?"
        "\n\n2. \\xff.p, line 1 before the changes:\n\n> old\n\nKeep it."
    )
    with pytest.raises(UserError):
        comments.message_text([first] * 6000)


def test_quoted_lines_are_harmless_and_bounded() -> None:
    assert comments.quote(["a\x1b[31mb", "c"]) == "ab\nc"
    assert comments.quote(["x"] * 21) == "x\n" * 19 + "x…"
    assert len(comments.quote(["x" * 10_000])) == comments.QUOTED_CHARACTERS + 1


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["1", "2", "x = 1"], 3),
        (["x = 1", "2", "3", "4", "x = 1"], 1),
        (["x = 1", "2", "3", "x = 1", "x = 1"], 4),
        (["x = 2"], None),
        ([], None),
    ],
)
def test_the_lines_of_a_comment_are_found_where_they_are_now(
    lines: list[str], found: int | None
) -> None:
    assert comments.find_lines(ON_LINE, lines) == found


def test_cut_quotes_are_found_too() -> None:
    for lines in (["x"] * 30, ["y" * 5000], ["x" * 999, "yz"]):
        comment = ReviewComment(
            1, CommentPhase.ADDED, "t", "a", "", 2, 1 + len(lines), quoted=comments.quote(lines)
        )
        assert comments.find_lines(comment, ["0", *lines, "end"]) == 2

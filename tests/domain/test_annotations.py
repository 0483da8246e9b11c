"""Annotations of a run: tags, a note, dismissed and archived."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.domain import annotation
from engine.domain.annotation import Annotation
from engine.domain.attention import Attention, attention_of
from engine.domain.errors import UserError
from engine.domain.events import Event, StatusChanged
from engine.domain.model import ChangeCount, Run, RunSpec, Status
from engine.domain.projection import fold
from engine.domain.reasons import Cause
from engine.domain.stamp import stamp

S = Status
DONE = Run("r", RunSpec("p", "t", "x"), 0.0, S.SUCCEEDED, seq=3, changes=ChangeCount(1, 2, 3))
LIVE = [S.QUEUED, S.PREPARING, S.RUNNING, S.VERIFYING, S.CANCELLING]


def after(run: Run, *bodies: Annotation) -> Run:
    return stamp(run, bodies, 50.0)[1]


@pytest.mark.parametrize("status", [S.SUCCEEDED, S.FAILED, S.INTERRUPTED, S.CANCELLED])
def test_a_run_that_is_put_aside_needs_no_attention(status: Status) -> None:
    run = replace(DONE, status=status)
    for put_aside in (annotation.dismiss, annotation.archive):
        aside = after(run, *put_aside(run, True))
        assert attention_of(aside) is Attention.DONE
        assert put_aside(aside, True) == []
        back = after(aside, *put_aside(aside, False))
        assert attention_of(back) is attention_of(run) is not Attention.DONE


@pytest.mark.parametrize("status", LIVE)
def test_a_live_run_cannot_be_put_aside(status: Status) -> None:
    for put_aside in (annotation.dismiss, annotation.archive):
        with pytest.raises(UserError) as caught:
            put_aside(replace(DONE, status=status), True)
        assert caught.value.code == "RUN_NOT_ENDED"
        assert put_aside(replace(DONE, status=status), False) == []


def test_a_new_attempt_ends_that_and_keeps_tags_and_note() -> None:
    run = after(DONE, Annotation(("a",), "text", True, True))
    assert (run.tags, run.note, run.is_dismissed, run.is_archived) == (("a",), "text", True, True)
    _, again = stamp(run, [StatusChanged(S.QUEUED, cause=Cause.RETRY)], 60.0)
    assert (again.tags, again.note, again.is_dismissed, again.is_archived) == (
        ("a",), "text", False, False,
    )  # fmt: skip


def test_an_annotation_is_not_a_sign_of_life_of_the_agent() -> None:
    run = replace(DONE, status=S.RUNNING, last_sign_at=7.0)
    assert fold(run, [Event("r", 4, 99.0, 1, Annotation(note="x"))]).last_sign_at == 7.0


def test_tags_are_read_and_each_is_there_once() -> None:
    assert annotation.read_tags(["Bug", "#bug", "release-2", "Ü", "v1.0"]) == [
        "bug", "release-2", "ü", "v1.0",
    ]  # fmt: skip
    run = after(DONE, *annotation.tag(DONE, ["b", "a", "b"]))
    assert run.tags == ("b", "a")
    assert annotation.tag(run, ["a"]) == []
    assert after(run, *annotation.tag(run, ["c"], ["b", "x"])).tags == ("a", "c")


@pytest.mark.parametrize(
    "text",
    ["", " ", "#", "a b", "a,b", 'a"b', "-a", "a\nb", "a\x1b[1m", "\u202ea", "a\u200b", "\\x1b",
     "\u3164", "x" * 41, "\ud800"],
)  # fmt: skip
def test_an_invalid_tag_is_refused(text: str) -> None:
    with pytest.raises(UserError) as caught:
        annotation.read_tag(text)
    assert caught.value.code == "INPUT_INVALID"
    assert "\x1b" not in caught.value.message


def test_tags_and_notes_are_bounded() -> None:
    with pytest.raises(UserError):
        annotation.tag(DONE, [str(n) for n in range(21)])
    with pytest.raises(UserError):
        annotation.note(DONE, "x" * 4001)


def test_a_note_is_harmless_on_a_terminal() -> None:
    (change,) = annotation.note(DONE, " a\x1b[31mb\nc ")
    assert change.note == "ab\nc"
    assert annotation.note(after(DONE, change), "") == [Annotation(note="")]
    assert annotation.note(DONE, "  ") == []

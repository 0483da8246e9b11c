"""The filter's language."""

from __future__ import annotations

import pytest

from engine.domain.errors import user_error
from engine.domain.model import ChangeCount, Run, RunSpec, Status
from tui.models.filters import compile_filter


def a_run(**spec: str) -> Run:
    given = {"prompt": "p", "title": "Fix the parser", "project": "web shop", "template": "fix-bug"}
    run = Run("1qj8a0k2m4", RunSpec(**(given | spec)), 0, status=Status.FAILED)  # pyright: ignore  options of the test by name
    run.error = user_error("USAGE_LIMIT_REACHED").info
    return run


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("", True),
        ("fix parser", True),
        ("parser docs", False),
        ("!docs", True),
        ("!fix", False),
        ("!!fix", True),
        ("1qj8", True),
        ("status:failed", True),
        ("STATUS:Fail", True),
        ("status:queued,failed", True),
        ("status:queued,", False),
        ("status:", True),
        ("!status:failed", False),
        ('project:"web shop"', True),
        ('project:"web shop', True),
        ('"the parser"', True),
        ('"parser the"', False),
        ("template:fix", True),
        ("template:docs", False),
        ("cause:usage", True),
        ("cause:quota", False),
        ("batch:x", False),
        ("other:x", False),
        ('"', True),
        ("!", True),
        (":", False),
        ("[/red]", False),
        ("\\", False),
    ],
)
def test_a_run_is_found(text: str, is_found: bool) -> None:
    assert compile_filter(text)(a_run()) is is_found


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("", False),
        ("fix", False),
        ("!is:archived", False),
        ("is:dismissed", False),
        ("is:arch", False),
        ("is:archived", True),
        ("is:archived fix", True),
        ("is:archived docs", False),
        ("IS:dismissed,Archived", True),
        ("tag:bug is:archived", True),
        ("tag:bu is:archived", False),
        ("tag:x,bug is:archived", True),
        ("!tag:bug is:archived", False),
    ],
)
def test_an_archived_run_is_found_only_by_its_state(text: str, is_found: bool) -> None:
    run = a_run()
    run.is_archived, run.is_dismissed, run.tags = True, True, ("bug", "v1")
    assert compile_filter(text)(run) is is_found


def test_a_word_with_a_colon_that_is_no_field_is_a_word() -> None:
    assert compile_filter("parser:x")(a_run(title="Fix parser:x"))


def test_runs_that_wait_for_a_review_are_found() -> None:
    run = a_run()
    run.status, run.changes = Status.SUCCEEDED, ChangeCount(1, 2, 3)
    assert compile_filter("is:review")(run)
    run.in_trash = True
    assert not compile_filter("is:review")(run)

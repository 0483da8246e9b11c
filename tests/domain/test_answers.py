"""Values of answers are checked against their fields; the error names the field and the reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.domain.answers import ANSWER_CHARACTERS, check_answer, checked_values
from engine.domain.errors import UserError
from engine.domain.input_fields import FieldKind, FieldOption, InputField
from engine.domain.interaction import (
    Decision,
    InputRequest,
    RequestAnswer,
    RequestKind,
    RequestPhase,
)
from engine.domain.model import Run, RunSpec, Status
from engine.domain.requests import answer

OPTIONS = (FieldOption("red"), FieldOption("blue"))


def field(**limits: Any) -> InputField:
    return InputField("f", **limits)


@pytest.mark.parametrize(
    ("limits", "values", "checked"),
    [
        ({}, ["x"], ["x"]),
        ({"is_required": False}, [], []),
        ({"is_required": False}, [""], []),
        ({"kind": FieldKind.INTEGER, "minimum": -2}, ["-2"], [-2]),
        ({"kind": FieldKind.NUMBER}, ["1e3"], [1000.0]),
        ({"kind": FieldKind.NUMBER}, ["3"], [3]),
        ({"kind": FieldKind.BOOLEAN}, ["Yes"], [True]),
        ({"kind": FieldKind.BOOLEAN}, ["false"], [False]),
        ({"kind": FieldKind.CHOICE, "options": OPTIONS}, ["blue"], [1]),
        ({"kind": FieldKind.CHOICE, "options": OPTIONS, "allows_other": True}, ["x"], ["x"]),
        ({"kind": FieldKind.CHOICE, "options": OPTIONS, "is_list": True}, ["blue", "red"], [1, 0]),
        ({"min_length": 2, "max_length": 3}, ["äöü"], ["äöü"]),
        ({"format": "email"}, ["a@b.example"], ["a@b.example"]),
        ({"format": "date"}, ["2024-02-29"], ["2024-02-29"]),
        ({"format": "date-time"}, ["2026-01-31T12:00:00Z"], ["2026-01-31T12:00:00Z"]),
        ({"format": "uri"}, ["mailto:x"], ["mailto:x"]),
        ({"format": "of the future"}, ["x"], ["x"]),
    ],
)
def test_valid_values_are_typed(
    limits: dict[str, Any], values: list[str], checked: list[object]
) -> None:
    assert checked_values([field(**limits)], {"f": values}) == [checked]


@pytest.mark.parametrize(
    ("limits", "values", "reason"),
    [
        ({}, [], "a value is required"),
        ({}, ["a", "b"], "it has one value only"),
        ({}, ["\udc80"], "it is not UTF-8 text"),
        ({"kind": FieldKind.INTEGER}, ["1.0"], "it must be a whole number"),
        ({"kind": FieldKind.INTEGER}, ["\u0661"], "it must be a whole number"),
        ({"kind": FieldKind.INTEGER}, ["9" * 5000], "it must be a whole number"),
        ({"kind": FieldKind.NUMBER}, ["nan"], "it must be a number"),
        ({"kind": FieldKind.NUMBER}, ["1e999"], "it must be a number"),
        ({"kind": FieldKind.NUMBER, "maximum": 2.5}, ["3"], "it must be at most 2.5"),
        ({"kind": FieldKind.INTEGER, "minimum": 1}, ["0"], "it must be at least 1"),
        ({"kind": FieldKind.BOOLEAN}, ["1"], "it must be yes or no"),
        ({"kind": FieldKind.CHOICE, "options": OPTIONS}, ["Red"], "it must be one of its options"),
        ({"min_length": 2}, ["a"], "at least 2 characters are required"),
        ({"max_length": 2}, ["abc"], "at most 2 characters are allowed"),
        ({"is_list": True, "min_items": 2}, ["a"], "at least 2 values are required"),
        ({"is_list": True, "max_items": 1}, ["a", "b"], "at most 1 values are allowed"),
        ({"is_list": True}, ["a", "a"], "a value occurs twice"),
        ({"format": "email"}, ["a b@c"], "it must be an e-mail address"),
        ({"format": "uri"}, ["example.com"], "it must be an absolute address"),
        ({"format": "date"}, ["2025-02-29"], "it must be a date"),
        ({"format": "date-time"}, ["2026-01-31T12:00:00"], "it must be a date and time"),
    ],
)
def test_invalid_value_names_its_field_and_the_reason(
    limits: dict[str, Any], values: list[str], reason: str
) -> None:
    with pytest.raises(UserError) as refused:
        checked_values([field(**limits)], {"f": values})
    assert refused.value.code == "INPUT_INVALID"
    assert refused.value.message.startswith(f"The field f is not valid: {reason}")


def test_secret_value_is_in_no_error() -> None:
    secret = field(is_secret=True, format="email", max_length=5)
    with pytest.raises(UserError) as refused:
        checked_values([secret], {"f": ["hush-hush"]})
    assert "hush" not in f"{refused.value.message} {refused.value.recovery}"


def test_values_of_other_fields_and_too_long_ones_are_refused() -> None:
    with pytest.raises(UserError, match="there is no such field"):
        checked_values([field()], {"f": ["x"], "g": ["y"]})
    with pytest.raises(UserError, match="characters"):
        checked_values([field()], {"f": ["x" * (ANSWER_CHARACTERS + 1)]})


def asked(kind: RequestKind, *fields: InputField, is_cut: bool = False) -> InputRequest:
    return InputRequest("0", RequestPhase.RAISED, kind, digest="d", fields=fields, is_cut=is_cut)


@pytest.mark.parametrize(
    ("request_", "decision", "values", "error"),
    [
        (asked(RequestKind.QUESTION), Decision.APPROVE, {}, "cannot be approved"),
        (asked(RequestKind.FORM), Decision.APPROVE, {}, "cannot be approved"),
        (asked(RequestKind.COMMAND), Decision.ANSWER, {}, "it has no answer"),
        (asked(RequestKind.TOOL), Decision.ANSWER, {}, "it has no answer"),
        (asked(RequestKind.QUESTION, field()), Decision.DENY, {"f": ("x",)}, "Only an answer"),
        (asked(RequestKind.FORM, is_cut=True), Decision.ANSWER, {}, "too long"),
        (asked(RequestKind.COMMAND, is_cut=True), Decision.APPROVE, {}, "too long"),
        (asked(RequestKind.QUESTION, field()), Decision.ANSWER, {}, "a value is required"),
    ],
)
def test_decision_has_to_fit_the_kind(
    request_: InputRequest, decision: Decision, values: dict[str, tuple[str, ...]], error: str
) -> None:
    with pytest.raises(UserError, match=error) as refused:
        check_answer(request_, RequestAnswer(1, "0", "d", decision, answers=values))
    assert refused.value.code == "INPUT_INVALID"


def test_event_of_an_answer_has_no_secret_value() -> None:
    hidden = InputField("s", is_secret=True)
    request = asked(RequestKind.QUESTION, field(), hidden)
    run = Run("r", RunSpec("p", "t", "x"), 0.0, Status.RUNNING, input_requests=(request,))
    given = RequestAnswer(1, "0", "d", Decision.ANSWER, answers={"f": ("blue",), "s": ("hush",)})
    assert "hush" not in repr(given)
    with pytest.raises(UserError, match="by itself"):
        answer(run, given)
    (done,) = answer(run, given, secrets="secrets:1")
    assert isinstance(done, InputRequest)
    assert (done.answers, done.secrets) == ({"f": ("blue",)}, "secrets:1")
    free = replace(request, fields=(replace(request.fields[0], is_required=False),))
    open_run = replace(run, input_requests=(free,))
    (empty,) = answer(open_run, replace(given, answers={"f": ("",)}))
    assert isinstance(empty, InputRequest)
    assert (empty.answers, empty.secrets) == (None, "")
    assert "hush" not in repr(done)

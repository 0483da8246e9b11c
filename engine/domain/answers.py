"""The check of an answer to a request: its decision, and its values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from engine.domain.errors import UserError, user_error
from engine.domain.input_fields import FieldKind, FieldValue, InputField
from engine.domain.interaction import INPUT_KINDS, Decision, InputRequest, RequestAnswer
from engine.domain.text import printable_name

Values = dict[str, tuple[str, ...]]
ANSWER_CHARACTERS = 100_000
"""Characters of all values of an answer: it has to fit into one record of the inbox."""
_INTEGER = re.compile(r"[+-]?[0-9]{1,15}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_BOOLEANS = {"true": True, "yes": True, "y": True, "false": False, "no": False, "n": False}


def check_answer(request: InputRequest, answered: RequestAnswer) -> None:
    """Raise `UserError` INPUT_INVALID for a decision or for values that do not fit the request."""
    asks_for_values = request.kind in INPUT_KINDS
    decision = answered.decision
    if asks_for_values and decision is Decision.APPROVE:
        what = "The request asks for an answer: it cannot be approved."
        raise user_error("INPUT_INVALID", what, "Use `swarm-tui answer`, or deny it.")
    if decision is Decision.ANSWER and not asks_for_values:
        what = "The request asks for an approval: it has no answer."
        raise user_error("INPUT_INVALID", what, "Use `swarm-tui approve` or `swarm-tui deny`.")
    if answered.answers and decision is not Decision.ANSWER:
        raise user_error("INPUT_INVALID", "Only an answer has values.", "Use `swarm-tui answer`.")
    if request.is_cut and decision in (Decision.APPROVE, Decision.ANSWER):
        raise user_error("INPUT_INVALID", "The request is too long to be shown whole: deny it.")
    if decision is Decision.ANSWER:
        checked_values(request.fields, answered.answers)


def split_secrets(request: InputRequest, answers: Values) -> tuple[Values, Values]:
    """Return the values that may be recorded, and the secret ones; not those left out."""
    hidden = {field.name for field in request.fields if field.is_secret}
    given = {name: values for name, values in answers.items() if any(values)}
    public = {name: values for name, values in given.items() if name not in hidden}
    return public, {name: values for name, values in given.items() if name in hidden}


def checked_values(
    fields: Sequence[InputField], answers: Mapping[str, Sequence[str]]
) -> list[list[FieldValue]]:
    """Return the values of each field, in order; raises `UserError` INPUT_INVALID.

    A field that can be left out has no values. The error names the field and the reason; it never
    repeats the value, which may be a secret.
    """
    known = {field.name for field in fields}
    for name in answers:
        if name not in known:
            raise _invalid(name, "there is no such field", _names(fields))
    if sum(len(value) for values in answers.values() for value in values) > ANSWER_CHARACTERS:
        limit = f"An answer may have {ANSWER_CHARACTERS} characters."
        raise user_error("INPUT_INVALID", limit, "Put the text into a file, and name that.")
    return [_checked(field, answers.get(field.name, ())) for field in fields]


def _names(fields: Sequence[InputField]) -> str:
    shown = ", ".join(printable_name(field.name) for field in fields)
    return f"Its fields: {shown}." if shown else "It has no fields: answer it without values."


def _checked(field: InputField, values: Sequence[str]) -> list[FieldValue]:
    given = [value for value in values if value]
    if not given:
        if field.is_required:
            raise _invalid(field.name, "a value is required")
        return []
    if len(given) > 1 and not field.is_list:
        raise _invalid(field.name, "it has one value only")
    if field.is_list:
        _check_count(field, len(given))
    found = [_value(field, value) for value in given]
    if len(set(map(str, found))) < len(found):
        raise _invalid(field.name, "a value occurs twice")
    return found


def _check_count(field: InputField, count: int) -> None:
    if field.min_items is not None and count < field.min_items:
        raise _invalid(field.name, f"at least {field.min_items} values are required")
    if field.max_items is not None and count > field.max_items:
        raise _invalid(field.name, f"at most {field.max_items} values are allowed")


def _value(field: InputField, value: str) -> FieldValue:
    match field.kind:
        case FieldKind.BOOLEAN:
            if (known := _BOOLEANS.get(value.lower())) is None:
                raise _invalid(field.name, "it must be yes or no")
            return known
        case FieldKind.INTEGER | FieldKind.NUMBER:
            return _number(field, value)
        case FieldKind.CHOICE:
            return _choice(field, value)
        case _:
            return _text(field, value)


def _number(field: InputField, value: str) -> int | float:
    is_whole = bool(_INTEGER.fullmatch(value))
    if field.kind is FieldKind.INTEGER and not is_whole:
        raise _invalid(field.name, "it must be a whole number")
    if not is_whole and not _NUMBER.fullmatch(value):
        raise _invalid(field.name, "it must be a number")
    number = int(value) if is_whole else float(value)
    if not math.isfinite(number):
        raise _invalid(field.name, "it must be a number")
    if field.minimum is not None and number < field.minimum:
        raise _invalid(field.name, f"it must be at least {field.minimum:g}")
    if field.maximum is not None and number > field.maximum:
        raise _invalid(field.name, f"it must be at most {field.maximum:g}")
    return number


def _choice(field: InputField, value: str) -> FieldValue:
    for index, option in enumerate(field.options):
        if option.value == value:
            return index
    if field.allows_other:
        return _text(field, value)
    shown = ", ".join(option.value for option in field.options[:20])
    raise _invalid(field.name, "it must be one of its options", f"Its options: {shown}.")


def _text(field: InputField, value: str) -> str:
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise _invalid(field.name, "it is not UTF-8 text")
    if field.min_length is not None and len(value) < field.min_length:
        raise _invalid(field.name, f"at least {field.min_length} characters are required")
    if field.max_length is not None and len(value) > field.max_length:
        raise _invalid(field.name, f"at most {field.max_length} characters are allowed")
    if not _has_format(field.format, value):
        raise _invalid(field.name, f"it must be {FORMATS[field.format]}")
    return value


FORMATS = {
    "email": "an e-mail address",
    "uri": "an absolute address, such as https://example.com",
    "date": "a date, such as 2026-01-31",
    "date-time": "a date and time with its zone, such as 2026-01-31T12:00:00Z",
}
"""The formats of texts that are checked."""


def _has_format(name: str, value: str) -> bool:
    try:
        match name:
            case "email":
                return bool(_EMAIL.fullmatch(value))
            case "uri":
                return bool(_URI.fullmatch(value))
            case "date":
                return len(value) == 10 and bool(date.fromisoformat(value))
            case "date-time":
                return "T" in value.upper() and datetime.fromisoformat(value).tzinfo is not None
            case _:
                return True
    except ValueError:
        return False


def _invalid(name: str, reason: str, recovery: str = "") -> UserError:
    message = f"The field {printable_name(name[:100])} is not valid: {reason}."
    return user_error("INPUT_INVALID", message, recovery or "Answer it again with another value.")

"""Values of an answer as they are typed: in words of a command, and key by key."""

from __future__ import annotations

import pytest

from engine.domain.errors import UserError
from engine.domain.input_fields import FieldKind, FieldOption, InputField
from tui.cli.support.answer_values import parse_values, typed_values
from tui.cli.support.typed_line import LineState, TypedLine

COLOUR = InputField(
    "colour", FieldKind.CHOICE, options=(FieldOption("red"), FieldOption("light blue"))
)
TAGS = InputField("tags", FieldKind.CHOICE, options=COLOUR.options, is_list=True)
TOKEN = InputField("token", is_secret=True)
NAME = InputField("name", default="Bo")
FIELDS = (COLOUR, TAGS, TOKEN, NAME)


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["colour=red"], {"colour": ("red",)}),
        (["1=#2"], {"colour": ("light blue",)}),
        (["tags=red", "tags=#2"], {"tags": ("red", "light blue")}),
        (["name=a=b"], {"name": ("a=b",)}),
        (["name=#1"], {"name": ("#1",)}),
        (["colour=#3"], {"colour": ("#3",)}),
        (["token=-"], {"token": ("from stdin",)}),
        (["name="], {"name": ("",)}),
        ([], {}),
    ],
)
def test_words_of_a_command(words: list[str], values: dict[str, tuple[str, ...]]) -> None:
    assert parse_values(FIELDS, words, lambda: "from stdin\n") == values


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["red"], "Not a value"),
        (["\x1b[2J"], r"Not a value: \\x1b"),
        (["5=x"], "There is no field 5"),
        (["0=x"], "There is no field 0"),
        (["\u0661=x"], "There is no field"),
        (["token=hush"], "is secret"),
        (["name=-", "token=-"], "Only one value"),
    ],
)
def test_wrong_words_are_refused(words: list[str], error: str) -> None:
    with pytest.raises(UserError, match=error) as refused:
        parse_values(FIELDS, words, lambda: "x")
    assert refused.value.code == "INPUT_INVALID"
    assert "hush" not in f"{refused.value.message} {refused.value.recovery}"


@pytest.mark.parametrize(
    ("field", "text", "values"),
    [
        (COLOUR, "2", ("light blue",)),
        (COLOUR, " red ", ("red",)),
        (COLOUR, "3", ("3",)),
        (TAGS, "1, 2", ("red", "light blue")),
        (TAGS, "red,light blue", ("red", "light blue")),
        (TOKEN, " kept ", (" kept ",)),
        (TOKEN, "", ()),
        (NAME, "", ("Bo",)),
        (NAME, "2", ("2",)),
    ],
)
def test_typed_lines(field: InputField, text: str, values: tuple[str, ...]) -> None:
    assert typed_values(field, text) == values


def feed(keys: bytes) -> tuple[str, LineState]:
    line, state = TypedLine(), LineState.OPEN
    for key in keys:
        state = line.feed(bytes((key,)))
    return line.text, state


def test_line_is_edited_key_by_key() -> None:
    assert feed("häß\x7f\x7fi\r".encode()) == ("hi", LineState.SENT)
    assert feed(b"wrong\x15right\n") == ("right", LineState.SENT)
    assert feed(b"x\x1b") == ("x", LineState.LEFT)
    assert feed(b"\x7f\x00\x01a") == ("a", LineState.OPEN)
    assert feed("ä".encode()[:1]) == ("", LineState.OPEN)

"""Values of an answer as they are typed: `name=value`, the number of a question or of an option."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.domain.answers import Values
from engine.domain.errors import UserError, user_error
from engine.domain.input_fields import FieldKind, InputField
from engine.domain.text import escaped

FROM_STDIN = "-"


def parse_values(
    fields: Sequence[InputField], words: Sequence[str], read_stdin: Callable[[], str]
) -> Values:
    """Return the values of words such as `name=value`, `2=value`, `name=#1` or `name=-`.

    A secret value is refused in a word: other users can see the arguments of a command.
    """
    found: dict[str, list[str]] = {}
    if sum(word.partition("=")[2] == FROM_STDIN for word in words) > 1:
        raise user_error("INPUT_INVALID", "Only one value can be read from stdin.")
    for word in words:
        key, is_pair, value = word.partition("=")
        if not is_pair:
            raise _invalid(f"Not a value: {escaped(word[:100])}.", "Use NAME=VALUE.")
        field = _named(fields, key)
        if field.is_secret and value not in ("", FROM_STDIN):
            raise _invalid(
                f"The value of {field.name} is secret: it must not be in the command.",
                f"Use {field.name}=- to read it from stdin, or answer on a terminal.",
            )
        if value == FROM_STDIN:
            value = read_stdin().removesuffix("\n").removesuffix("\r")
        found.setdefault(field.name, []).append(_option(field, value) or value)
    return {name: tuple(values) for name, values in found.items()}


def typed_values(field: InputField, text: str) -> tuple[str, ...]:
    """Return the values of a line that was typed for a field; numbers choose options."""
    if field.is_secret:
        return (text,) if text else ()
    text = text.strip() or field.default
    if not text:
        return ()
    if not field.options:
        return (text,)
    parts = [part.strip() for part in text.split(",")] if field.is_list else [text]
    options = [_option(field, f"#{part.removeprefix('#')}") for part in parts]
    if all(options):
        return tuple(option for option in options if option)
    is_listed = field.is_list and not field.allows_other
    return tuple(parts) if is_listed else (text,)


def _named(fields: Sequence[InputField], key: str) -> InputField:
    for field in fields:
        if field.name == key:
            return field
    if key.isascii() and key.isdigit() and 1 <= int(key) <= len(fields):
        return fields[int(key) - 1]
    names = ", ".join(field.name for field in fields)
    shown = escaped(key[:100])
    if not fields:
        raise _invalid(f"There is no field {shown}.", "Answer it without values.")
    raise _invalid(f"There is no field {shown}.", f"Its fields: {names}.")


def _option(field: InputField, text: str) -> str:
    """Return the option that `#NUMBER` chooses; an empty text where it chooses none."""
    number = text.removeprefix("#")
    if field.kind is not FieldKind.CHOICE or number == text or not number.isascii():
        return ""
    is_one = number.isdigit() and len(number) < 6 and 1 <= int(number) <= len(field.options)
    return field.options[int(number) - 1].value if is_one else ""


def _invalid(message: str, recovery: str) -> UserError:
    return user_error("INPUT_INVALID", message, recovery)

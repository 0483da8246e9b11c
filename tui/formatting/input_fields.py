"""Questions and the fields of forms as text: whole, with nothing hidden."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine.domain.input_fields import FieldKind, InputField
from engine.domain.interaction import InputRequest
from engine.domain.text import printable_name

_KINDS = {
    FieldKind.INTEGER: "a whole number",
    FieldKind.NUMBER: "a number",
    FieldKind.BOOLEAN: "yes or no",
}


def field_lines(fields: Iterable[InputField]) -> Iterator[str]:
    """Yield each field with its number, its options and the limits of its values."""
    for number, field in enumerate(fields, 1):
        yield f"{number}. {field.name} ({'; '.join(field_limits(field))})"
        if field.title and field.title != field.name:
            yield f"    {field.title}"
        yield from (f"    {line}" for line in field.text.splitlines())
        for index, option in enumerate(field.options, 1):
            title = f" · {_inline(option.title)}" if option.title else ""
            text = f" · {_inline(option.text)}" if option.text else ""
            yield f"    #{index} {option.value}{title}{text}"
        if field.options and field.allows_other:
            yield "    or another text"


def field_limits(field: InputField) -> Iterator[str]:
    """Yield the kind of a field's values, and their limits."""
    if field.options:
        yield "one or more of its options" if field.is_list else "one of its options"
    else:
        yield _KINDS.get(field.kind, "text")
    yield from _between(field.minimum, field.maximum, "")
    yield from _between(field.min_length, field.max_length, " characters")
    yield from _between(field.min_items, field.max_items, " values")
    if field.format:
        yield f"format {field.format}"
    yield "required" if field.is_required else "can be left out"
    if field.is_secret:
        yield "secret"
    if field.default:
        yield f"default {_inline(field.default)}"


def _between(least: float | None, most: float | None, unit: str) -> Iterator[str]:
    if least is not None:
        yield f"at least {least:g}{unit}"
    if most is not None:
        yield f"at most {most:g}{unit}"


def _inline(text: str) -> str:
    return printable_name(text)


def answer_command(request_id: str, fields: Iterable[InputField]) -> str:
    """Return the command that answers a request, for the user to complete."""
    words = [
        f"{field.name if field.name.isidentifier() else number}={'-' if field.is_secret else '…'}"
        for number, field in enumerate(fields, 1)
    ]
    return " ".join(("swarm-tui answer", request_id, *words))


def answer_lines(answered: InputRequest) -> Iterator[str]:
    """Yield the values of an answer; secret ones are nowhere to be read."""
    for name, values in (answered.answers or {}).items():
        yield f"{name}: {', '.join(map(_inline, values))}"
    if answered.secrets:
        yield "and secret values, which are not recorded"

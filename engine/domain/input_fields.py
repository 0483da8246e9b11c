"""Questions of an agent, and the fields of a form."""

from __future__ import annotations

from engine.domain.open_enum import OpenEnum
from engine.domain.record import record


class FieldKind(OpenEnum):
    """The type of a field's value."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"


@record
class FieldOption:
    """An option of a field; `value` chooses it."""

    value: str
    title: str = ""
    text: str = ""


@record
class InputField:
    """A question of the agent, or a field of a form.

    All texts are whole: each character that cannot be seen is a backslash escape. `is_list`: it
    can have several values. `allows_other`: a value may be none of the options. Lengths are
    characters; `min_items` and `max_items` count the values of a list.
    """

    name: str
    kind: FieldKind = FieldKind.TEXT
    title: str = ""
    text: str = ""
    options: tuple[FieldOption, ...] = ()
    is_required: bool = True
    is_secret: bool = False
    is_list: bool = False
    allows_other: bool = False
    format: str = ""
    default: str = ""
    minimum: float | None = None
    maximum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    max_items: int | None = None


FieldValue = str | int | float | bool
"""A checked value: the index of an option, or a literal."""

"""A template's parameters: what they may be, and what is typed read as such."""

from __future__ import annotations

import difflib
import re
from typing import Literal

from msgspec import Struct

from engine.domain.text import printable_name

Value = str | int | float | bool
Kind = Literal["text", "number", "choice", "flag", "path"]
LIMIT_CHARACTERS = 100_000
_FLAGS = {"yes": True, "true": True, "on": True, "1": True} | {
    "no": False,
    "false": False,
    "off": False,
    "0": False,
}


class Parameter(Struct, frozen=True, forbid_unknown_fields=True):
    """A parameter of a template; one without a default is required."""

    type: Kind | None = None
    default: Value | None = None
    help: str | None = None
    choices: tuple[str, ...] | None = None
    check: str | None = None
    """A condition on `value`, in the template language."""

    @property
    def kind(self) -> Kind:
        """The type, `text` where none is named."""
        return self.type or "text"

    def read(self, given: Value) -> Value:
        """Return the parsed value; raises ValueError, which names the allowed form."""
        from engine.templates import rendering  # Jinja takes its time to import

        value = _READ[self.kind](self, given)
        if self.check and value != "":
            try:
                fits = rendering.holds(self.check, value)
            except rendering.TemplateTextError as wrong:
                raise ValueError(f"its check cannot be done: {wrong.what}") from wrong
            if not fits:
                raise ValueError(f"{_shown(value)} does not fit `{self.check}`")
        return value


def _text(_: Parameter, given: Value) -> str:
    text = str(given)
    if len(text) > LIMIT_CHARACTERS:
        raise ValueError(f"it is longer than {LIMIT_CHARACTERS} characters")
    words = text.replace("\n", "").replace("\t", "")
    if printable_name(words) != words:
        raise ValueError(f"{_shown(text)} holds control characters")
    return text


def _number(_: Parameter, given: Value) -> int | float:
    text = str(given).strip()
    if isinstance(given, bool) or not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,9})?", text):
        raise ValueError(f"a number is needed, not {_shown(given)}")
    return float(text) if "." in text else int(text)


def _choice(parameter: Parameter, given: Value) -> str:
    choices, text = parameter.choices or (), str(given)
    if text in choices:
        return text
    near = difflib.get_close_matches(text, choices, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(f"one of {', '.join(choices)} is needed, not {_shown(given)}{hint}")


def _flag(_: Parameter, given: Value) -> bool:
    value = given if isinstance(given, bool) else _FLAGS.get(str(given).strip().lower())
    if value is None:
        raise ValueError(f"yes or no is needed, not {_shown(given)}")
    return value


def _path(_: Parameter, given: Value) -> str:
    text = str(given)
    leads_out = text.startswith(("/", "~", "-")) or ".." in text.split("/")
    if leads_out or printable_name(text) != text or len(text) > 4096:
        raise ValueError(f"a path below the workspace is needed, not {_shown(given)}")
    return text


_READ = {"text": _text, "number": _number, "choice": _choice, "flag": _flag, "path": _path}


def _shown(value: Value) -> str:
    text = printable_name(str(value))
    return f"`{text if len(text) <= 60 else text[:59] + '…'}`"

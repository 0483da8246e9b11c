"""The parameters of a template as fields: typed, with their defaults and what they are for."""

from __future__ import annotations

from collections.abc import Mapping

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Label, Static

from engine.domain.text import one_line, printable
from engine.engine import Parameter, Template
from tui.terminal.cells import clean
from tui.widgets.forms.segmented_control import SegmentedControl
from tui.widgets.forms.text_input import TextInput

NOT_YET = "?"
"""Stands where one of a few has to be chosen, and nothing is."""
MOST_SEGMENTS = 6
LIMIT = 100_000
FLAG = ("no", "yes")


class ParameterFields(Vertical):
    """A field for each parameter; `given` returns their values."""

    DEFAULT_CSS = """
    ParameterFields {
        height: auto;
        .help { padding: 0 0 0 14; height: auto; max-height: 2; color: $secondary; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._params: dict[str, Parameter] = {}
        self._fields: dict[str, TextInput | SegmentedControl] = {}

    async def show(self, template: Template | None, given: Mapping[str, str]) -> None:
        """Ask for what a template needs, beginning with what was `given`."""
        params = template.params if template else {}
        await self.remove_children()
        self._params = dict(params)
        self._fields = {name: _field(each, given.get(name)) for name, each in params.items()}
        await self.mount_all(list(self._rows()))

    def _rows(self) -> ComposeResult:
        for name, parameter in self._params.items():
            label = Label(Content(clean(name, 40)), classes="name")
            yield Horizontal(label, self._fields[name], classes="row")
            if parameter.help:
                yield Static(Content(printable(parameter.help, 300)), classes="help")

    def help_of(self, field: Widget | None) -> str:
        """Return the help of the parameter of a field, if it has one."""
        found = (name for name, each in self._fields.items() if each is field)
        parameter = self._params.get(next(found, ""))
        return printable(parameter.help or "", 300) if parameter else ""

    def first(self) -> Widget | None:
        """Return the first field that still needs a value, or the first."""
        fields = list(self._fields.items())
        empty = (each for name, each in fields if not self._is_given(name))
        return next(empty, fields[0][1] if fields else None)

    def _is_given(self, name: str) -> bool:
        return self._params[name].default is not None or name in self.given()

    def given(self) -> dict[str, str]:
        """Return the values that differ from their defaults."""
        found: dict[str, str] = {}
        for name, parameter in self._params.items():
            default, text = _written(parameter.default), _text(self._fields[name])
            if text != one_line(default or "", LIMIT) and (text or default is not None):
                found[name] = text
        return found


def _field(parameter: Parameter, given: str | None) -> TextInput | SegmentedControl:
    text = _written(parameter.default) if given is None else given
    words = _words(parameter)
    if words and (text is None or text in words):
        shown = words if text else (NOT_YET, *words)
        return SegmentedControl(shown, shown.index(text) if text else 0)
    return TextInput(text or "", placeholder=_kind(parameter), limit=LIMIT)


def _words(parameter: Parameter) -> tuple[str, ...]:
    if parameter.kind == "flag":
        return FLAG
    words = parameter.choices or ()
    fit = all(word and clean(word, 40) == word for word in words)
    return words if parameter.kind == "choice" and fit and len(words) <= MOST_SEGMENTS else ()


def _text(field: TextInput | SegmentedControl) -> str:
    if isinstance(field, TextInput):
        return field.value
    return "" if field.word == NOT_YET else field.word


def _written(value: str | float | bool | None) -> str | None:
    if isinstance(value, bool):
        return FLAG[value]
    return None if value is None else str(value)


def _kind(parameter: Parameter) -> str:
    if parameter.choices:
        return printable(", ".join(parameter.choices))
    needed = "" if parameter.default is not None else "needed"
    kinds = {"flag": "yes or no", "number": "a number", "path": "a path"}
    return " · ".join(text for text in (needed, kinds.get(parameter.kind, "")) if text)

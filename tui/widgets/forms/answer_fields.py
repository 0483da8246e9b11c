"""Questions of an agent as fields: options to choose from, or a line to type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from engine.domain.input_fields import FieldKind, FieldOption, InputField
from engine.domain.text import escaped
from tui.formatting.input_fields import field_limits
from tui.formatting.symbols import sign
from tui.widgets.forms.text_input import TextInput

LIMIT = 100_000
YES_NO = (FieldOption("true", "yes"), FieldOption("false", "no"))


class OptionChoice(OptionList):
    """The options of a field, one or several of which are chosen."""

    DEFAULT_CSS = """
    OptionChoice {
        height: auto; max-height: 12; border: none; background: $panel; padding: 0;
        scrollbar-size-vertical: 1; &:focus { border: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "select", show=False),
        Binding("j", "move('down')", show=False),
        Binding("k", "move('up')", show=False),
    ]

    def __init__(self, options: Sequence[FieldOption], *, is_list: bool, default: str) -> None:
        self._choices, self._is_list = options, is_list
        self.chosen = {n for n, option in enumerate(options) if default and option.value == default}
        super().__init__(*(Option(self._line(number)) for number in range(len(options))))

    def _line(self, number: int) -> Content:
        option, is_chosen = self._choices[number], number in self.chosen
        marks = (sign("☑", "[x]"), sign("☐", "[ ]")) if self._is_list else (sign("●", "(*)"), "○")
        empty = marks[1] if self._is_list else sign("○", "( )")
        mark = (marks[0], "bold $success") if is_chosen else (empty, "$secondary")
        title = option.title if option.title not in ("", option.value) else ""
        parts = [title if option.value in ("true", "false") else option.value, title, option.text]
        text = " · ".join(dict.fromkeys(escaped(part) for part in parts if part))
        return Content.assemble(mark, " ", (text, "$foreground"))

    def action_move(self, direction: str) -> None:
        """Go one option on or back."""
        self.action_cursor_down() if direction == "down" else self.action_cursor_up()

    @property
    def values(self) -> tuple[str, ...]:
        """Return the values of the chosen options."""
        return tuple(self._choices[number].value for number in sorted(self.chosen))

    def choose(self, number: int) -> None:
        """Choose an option, or no longer."""
        before = set(self.chosen)
        self.chosen = self.chosen ^ {number} if self._is_list else {number}
        for changed in before ^ self.chosen:
            self.replace_option_prompt_at_index(changed, self._line(changed))


class AnswerField(Vertical):
    """A question with what can be answered."""

    DEFAULT_CSS = """
    AnswerField {
        height: auto; margin-bottom: 1;
        .question { text-style: bold; }
        .limits { color: $secondary; }
    }
    """

    def __init__(self, field: InputField) -> None:
        super().__init__()
        self.field = field
        options = YES_NO if field.kind is FieldKind.BOOLEAN else field.options
        self.choice = (
            OptionChoice(options, is_list=field.is_list, default=field.default) if options else None
        )
        self.line: TextInput | None = None
        if not options or field.allows_other:
            default = "" if options else field.default
            other = "another text" if options else ""
            self.line = TextInput(default, placeholder=other, limit=LIMIT)
            self.line.password = field.is_secret

    def compose(self) -> ComposeResult:
        """Show the question above its options and its line."""
        field = self.field
        title = field.title or field.name
        yield Static(Content(escaped(title)), classes="question")
        if field.text and field.text != title:
            yield Static(Content(escaped(field.text)))
        yield Static(Content("; ".join(field_limits(field))), classes="limits")
        if self.choice:
            yield self.choice
        if self.line:
            yield self.line

    @property
    def first(self) -> Widget:
        """Return the part that is answered first."""
        found = self.choice or self.line
        assert found
        return found

    @property
    def values(self) -> tuple[str, ...]:
        """Return the values; a typed text replaces a chosen option where there can be one only."""
        typed = (self.line.value,) if self.line and self.line.value else ()
        chosen = self.choice.values if self.choice else ()
        return (*chosen, *typed) if self.field.is_list else typed or chosen

"""The form that starts a run from a template: its parameters, and what comes of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Static

from engine.domain.errors import UserError
from engine.domain.text import printable
from engine.engine import Parameter, Template
from tui.screens.dialog import Dialog
from tui.widgets.text_input import TextInput


class StartTemplate(Dialog[str]):
    """Asks for the parameters; answers with what `start` gave, or None."""

    DEFAULT_CSS = """
    StartTemplate {
        .box { width: 92; padding: 1 2 0 2; }
        VerticalScroll { height: auto; max-height: 60%; }
        .row { height: auto; min-height: 1; }
        .name { width: 16; height: 1; color: $foreground; }
        .help { height: auto; padding-left: 17; color: $secondary; margin-bottom: 1; }
        #said { height: auto; min-height: 1; max-height: 5; color: $secondary; }
        #said.-error { color: $text-error; }
        .buttons { margin: 0 0 1 0; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s,ctrl+enter", "start", "start")]

    def __init__(
        self,
        template: Template,
        says: str,
        check: Callable[[dict[str, str]], object],
        start: Callable[[dict[str, str]], Awaitable[str | None]],
    ) -> None:
        super().__init__()
        self._template, self._says = template, says
        self._check_values, self._start_run = check, start
        self._starting = False

    def compose(self) -> ComposeResult:
        """Lay the form out."""
        with Vertical(classes="box") as box:
            box.border_title = Content(f"Start {printable(self._template.name)}")
            box.border_subtitle = Content("ctrl+s start · esc back")
            with VerticalScroll(can_focus=False):
                for name, parameter in self._template.params.items():
                    with Horizontal(classes="row"):
                        yield Static(Content(name), classes="name")
                        default = "" if parameter.default is None else _written(parameter.default)
                        yield TextInput(default, placeholder=_kind(parameter), id=f"param-{name}")
                    yield Static(Content(_help(parameter)), classes="help")
            yield Static(id="said")
            with Horizontal(classes="buttons"):
                yield Button(Content("Start"), id="start", compact=True)

    def on_mount(self) -> None:
        """Begin with the first parameter, or the button."""
        fields = self.query(TextInput)
        (fields.first() if fields else self.query_one("#start")).focus()
        self._check()

    @property
    def _values(self) -> dict[str, str]:
        """What was given; a field that is empty and needs something counts as not given."""
        found = {
            name: self.query_one(f"#param-{name}", TextInput).value
            for name in self._template.params
        }
        defaults = {name: each.default for name, each in self._template.params.items()}
        return {name: value for name, value in found.items() if value or defaults[name] == ""}

    @on(Input.Changed)
    def _check(self) -> None:
        try:
            self._check_values(self._values)
        except UserError as error:
            self._say(Content(printable(error.message)), is_error=True)
        else:
            self._say(Content(self._says))
        said = self.query_one("#said", Static)
        self.query_one("#start", Button).disabled = said.has_class("-error")

    def _say(self, content: Content, *, is_error: bool = False) -> None:
        place = self.query_one("#said", Static)
        place.set_class(is_error, "-error")
        place.update(content)

    @on(Input.Submitted)
    @on(Button.Pressed)
    def action_start(self) -> None:
        """Start the run; what speaks against it is shown here."""
        self._check()
        if not self._starting and not self.query_one("#start", Button).disabled:
            self._starting = True
            self.run_worker(self._start, group="start")

    async def _start(self) -> None:
        try:
            run_id = await self._start_run(self._values)
        except UserError as error:
            way_out = (f"\n{printable(error.recovery)}", "$secondary")
            self._say(Content.assemble(printable(error.message), way_out), is_error=True)
        else:
            if run_id:
                self.dismiss(run_id)
        finally:
            self._starting = False


def _written(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _kind(parameter: Parameter) -> str:
    if parameter.choices:
        return printable(", ".join(parameter.choices))
    return {"flag": "yes or no", "number": "a number", "path": "a path"}.get(parameter.kind, "")


def _help(parameter: Parameter) -> str:
    choices = f" ({', '.join(parameter.choices)})" if parameter.choices else ""
    return printable(f"{parameter.help or ''}{choices}", 300)

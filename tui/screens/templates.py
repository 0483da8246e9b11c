"""Run templates: a list, the prompt and the results of each; started from here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.dom import DOMNode

from engine.domain.errors import UserError
from engine.domain.model import TemplateStats
from engine.engine import Template
from tui import commands
from tui.commands import first_key
from tui.formatting.options import of_template
from tui.screens.drafted_template import templates_for
from tui.screens.live import EditRequested, LiveScreen, StartRequested
from tui.widgets.base.too_small import COLUMNS, ROWS, TooSmall
from tui.widgets.lists.template_list import TemplateList, TemplateText
from tui.widgets.status.key_bar import KeyBar
from tui.widgets.status.toast import app_of, attempt, tell
from tui.widgets.status.top_bar import TopBar

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort


class TemplatesScreen(LiveScreen):
    """The list and what is chosen in it; both follow what happens to the files."""

    DEFAULT_CSS = """
    TemplatesScreen {
        background: $background;
        #templates { height: 1fr; layout: horizontal; }
        TemplateList { width: 62; height: 1fr; }
        TemplateText { width: 1fr; height: 1fr; }
        &.-narrow #templates { layout: vertical; }
        &.-narrow TemplateList { width: 1fr; height: 45%; }
        &.-tiny, &.-short {
            TopBar, #templates, KeyBar { display: none; }
            TooSmall { display: block; }
        }
    }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (COLUMNS, "-narrow"), (110, "-wide")]  # noqa: RUF012  Textual declares it without ClassVar
    VERTICAL_BREAKPOINTS = [(0, "-short"), (ROWS, "-tall")]  # noqa: RUF012  Textual declares it without ClassVar
    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("templates")

    listed = getters.query_one(TemplateList)
    text = getters.query_one(TemplateText)

    def __init__(self, engine: EnginePort, clock: Callable[[], float] = time.time) -> None:
        super().__init__(engine, clock)
        self._known: Mapping[str, Template] = {}
        self._achieved: Mapping[str, TemplateStats] = {}

    def compose(self) -> ComposeResult:
        """Compose the screen."""
        yield TopBar()
        with Container(id="templates"):
            yield TemplateList()
            yield TemplateText()
        yield TooSmall()
        yield KeyBar()

    def on_screen_resume(self) -> None:
        """Look again: there may be others."""
        self.listed.focus()
        self.look()

    @property
    def rests(self) -> bool:
        """Return True: no event reports changes of this screen."""
        return not self.is_current and super().rests

    def tick(self) -> None:
        """Look whether a file has changed, while they are looked at."""
        super().tick()
        if self.is_current:
            self.look()

    def carrier(self, scope: str) -> DOMNode | None:
        """Return the object that carries out the commands of a scope here."""
        return self if scope == "templates" else None

    @work(group="look", exclusive=True)
    async def look(self) -> None:
        """Show the templates as they are now, if that is news."""
        templates = self.engine.templates
        known = await templates_for(templates)
        achieved = await attempt(app_of(self), templates.achieved()) or {}
        told = [each.files for each in known.values()], achieved
        if told != ([each.files for each in self._known.values()], self._achieved):
            self._known, self._achieved = known, achieved
            self.listed.show(list(known.values()), achieved)

    @on(TemplateList.TemplateSelected)
    def _preview(self) -> None:
        template = self.listed.chosen
        if template:
            self.text.show(f"{template.name} · {template.path.name}", self._lines(template))

    def _lines(self, template: Template) -> list[tuple[str, str]]:
        if template.problem:
            error = template.problem
            return [(error.message, "bad"), ("", "plain"), (error.recovery, "warn")]
        keys, lines = template.keys, [(template.keys.description or "", "live"), ("", "plain")]
        for name, parameter in template.params.items():
            default = "needed" if parameter.default is None else str(parameter.default) or "empty"
            lines.append((f"{name} ({parameter.kind}, {default}): {parameter.help or ''}", "dim"))
        if template.foreign:
            said = "the repository's: what it runs, loosens or costs more is asked about first"
            lines.append((said, "warn"))
        lines += [(of_template(template), "dim"), ("", "plain")]
        try:
            text = self.engine.templates.preview(template, {}).prompt
        except UserError:  # it needs something: the text as it was written
            text = keys.prompt or ""
        return lines + [(line, "plain") for line in text.splitlines()]

    # What can be done

    def action_start(self) -> None:
        """Ask for the parameters, and whatever else a new run can have, and start it."""
        template = self.listed.chosen
        if template and not template.problem:
            self.post_message(StartRequested(template.name))

    def action_edit(self) -> None:
        """Open the file in the user's editor; what is saved is picked up."""
        template = self.listed.chosen
        if template and template.is_built_in:
            key = first_key("templates.new", self.top_bar.keymap) or "`templates new`"
            tell(app_of(self), f"It is built in: {key} makes one of your own, which can extend it.")
        elif template:
            self.post_message(EditRequested(template.path))

    def action_new(self) -> None:
        """Make a template of the user's own and open it."""
        from tui.screens.write import WriteDialog, WriteRequest

        async def make(name: str) -> None:
            self.post_message(EditRequested(await self.engine.templates.new(name.strip())))

        hint = "Its name: small letters, digits, - and _. The editor opens then."
        writing = WriteRequest("New template", "", hint, "Make it", make, is_line=True)
        app_of(self).push_screen(WriteDialog(writing))

    async def action_back(self) -> None:
        """Go back to the runs."""
        await app_of(self).run_action("app.runs")

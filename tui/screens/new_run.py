"""The form that starts a run: checked as it is typed, and open about what it will do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.css.query import NoMatches
from textual.widget import Widget
from textual.widgets import Button, Input, Static, TextArea

from engine.domain.errors import UserError
from engine.domain.model import Agent, WorkspaceKind, WorkspaceSpec
from engine.domain.text import printable
from tui import commands
from tui.formatting import draft as show_draft
from tui.models.draft import Draft
from tui.screens.dialog import Dialog
from tui.screens.drafted_template import DraftedTemplate
from tui.screens.start_run import StartRun
from tui.widgets.base.key_order import settled
from tui.widgets.forms.ask_line import AskLine
from tui.widgets.forms.pattern_suggestion import PatternSuggestion
from tui.widgets.forms.prompt_area import PromptArea
from tui.widgets.forms.run_fields import RunFields
from tui.widgets.forms.segmented_control import SegmentedControl
from tui.widgets.status.toast import app_of, tell

if TYPE_CHECKING:
    from engine.engine import SourceInfo
    from engine.ports.engine import EnginePort

STAND_IN = "Or choose the simulated agent."
PROBLEMS = 3
"""Lines there are for what is wrong."""
PAUSE_S = 0.15
"""So long nothing is typed before the disk is looked at."""
HIGH = 30
"""Rows from which there is room for empty ones."""
BELOW = 8
"""Rows around the fields, where there is room."""
OPTIONS_FROM = 45
"""Rows of the screen from which the options have room."""


class NewRun(Dialog[str]):
    """Form that starts a run; answers with the run's id, or None."""

    # Read with the module: the file may be gone, or another version's, when the form is opened.
    CSS = Path(__file__).with_name("new_run.tcss").read_text("utf-8")

    VERTICAL_BREAKPOINTS = [(0, "-lowest"), (20, "-low"), (HIGH, "-high")]  # noqa: RUF012  Textual declares it without ClassVar

    BINDINGS: ClassVar[list[BindingType]] = [
        *commands.bindings("form"),
        Binding("tab", "next_field", "next field", show=False, priority=True),
    ]

    prompt_area = getters.query_one(PromptArea)
    fields = getters.query_one(RunFields)

    def __init__(
        self,
        engine: EnginePort,
        draft: Draft,
        clock: Callable[[], float] = time.time,
        keymap: Mapping[str, str] = {},
    ) -> None:
        super().__init__()
        self._keymap = keymap
        self._engine, self._draft, self._clock = engine, draft, clock
        self._starting = False
        self._looked_at: object = None
        self._refusal: UserError | None = None
        self._source: SourceInfo | None = None
        self._files: tuple[WorkspaceSpec, Sequence[str]] | None = None
        self._template = DraftedTemplate(engine, draft)
        self._showing = asyncio.Lock()
        key = " ".join(commands.keys_of(commands.BY_ID["form.learn"], keymap)[:1])
        self._nearest = PatternSuggestion(engine.patterns.near, key)

    # The fields

    def compose(self) -> ComposeResult:
        """Compose the form."""
        with Vertical(classes="box") as box:
            box.border_title = Content("New run")
            box.border_subtitle = Content(commands.hints("form", self._keymap))
            is_unfolded = app_of(self).size.height >= OPTIONS_FROM
            yield RunFields(
                self._draft, self._engine.config, self._find_files, is_unfolded=is_unfolded
            )
            yield Static(id="problem")
            with Horizontal(classes="buttons"):
                yield Button(Content("Start"), id="start", compact=True)

    def on_mount(self) -> None:
        """Begin with the prompt."""
        self.fields.mount(self._nearest, after="#prompt")
        self.prompt_area.focus()
        self.prompt_area.move_cursor(self.prompt_area.document.end)
        self._check()
        if self._draft.template:
            self.run_worker(self._take_template(moves=True), group="template")

    def on_resize(self) -> None:
        """Leave room below the fields for what is wrong, and for the button."""
        height = app_of(self).size.height
        below = BELOW if height >= HIGH else BELOW - 2
        self.fields.styles.max_height = max(3, height - below)

    @on(TextArea.Changed)
    @on(Input.Changed)
    @on(SegmentedControl.Changed)
    def _check(self) -> None:
        """Read the fields, and show the run they describe and what is missing."""
        if not self._is_open:
            return
        draft = self._draft
        self.fields.take_in()
        self._nearest.follow(draft.prompt, draft.typed.get("learn-from", ""))
        if (key := draft.to_look_up()) != self._looked_at:
            self._looked_at, self._source, self._refusal = key, None, None
            self.run_worker(self._look, group="look", exclusive=True)
        self._describe()

    @property
    def _is_open(self) -> bool:
        """Return whether the fields still exist: messages and answers come late."""
        return self in app_of(self).screen_stack

    def _describe(self) -> None:
        """Show the run that the draft describes, and its first problem."""
        wrong = dict(self._problems())
        self.fields.tell(wrong, self._source, self._template.filled())
        self.query_one("#start", Button).disabled = bool(wrong)
        missing = wrong.pop("prompt", "")
        if wrong:
            self._say(show_draft.wrong(list(wrong.values()), PROBLEMS), is_error=True)
        elif self._refusal:
            self._refuse(self._refusal)
        else:
            self._say(Content(missing or self._help()))

    def _help(self) -> str:
        """Return the help of the focused parameter, where its field has no room for it."""
        return "" if self.has_class("-high") else self.fields.parameters.help_of(self.focused)

    @on(events.DescendantFocus)
    def _field_entered(self) -> None:
        if self._draft.template and self._is_open:
            self._describe()

    def _problems(self) -> Iterator[tuple[str, str]]:
        """Return the problems, those of the template first."""
        if problem := self._template.problem():
            yield "template", problem
        yield from self._draft.problems(self._clock())

    # The template

    async def _take_template(self, *, moves: bool) -> None:
        """Ask for what the template needs; it `moves` the cursor to where that begins."""
        async with self._showing:
            if not await self._template.look() or not self._is_open:
                return
            await self.fields.show_template(self._template.usable)
        if moves:
            (self.fields.parameters.first() or self.prompt_area).focus()
        self._check()

    async def action_template(self) -> None:
        """Choose the template to start from."""
        from tui.screens.template_choice import TemplateChoice

        def picked(name: str | None) -> None:
            if name is not None:
                self._draft.template = name
                self.run_worker(self._take_template(moves=True), group="template")

        chosen = self._draft.template or next(reversed(self._draft.given), "")
        app_of(self).push_screen(TemplateChoice(await self._template.all(), chosen), picked)

    @on(AskLine.ChoiceRequested)
    async def _template_asked(self) -> None:
        await self.action_template()

    # What only the disk knows

    async def _look(self) -> None:
        """Check the source, and look at what is uncommitted there."""
        await asyncio.sleep(PAUSE_S)
        draft = self._draft
        try:
            spec = draft.to_look_up().spec(self._engine.config.codex.sandbox, self._clock())
        except ValueError:  # it is shown already
            return
        if draft.kind is not WorkspaceKind.EMPTY and not spec.workspace.source:
            return
        try:
            await self._engine.check(spec)
        except UserError as error:
            if error.code != "SETUP_NOT_TRUSTED":  # that is asked about when the run is started
                self._refusal = error
        await self._take_template(moves=False)  # another folder may have another one
        if self._refusal is None:
            self._source = await self._engine.sources.inspect(spec.workspace)
        with suppress(NoMatches):  # the form is being closed
            self._describe()

    async def _find_files(self) -> Sequence[str]:
        workspace = self._draft.workspace()
        if self._files is None or self._files[0] != workspace:
            self._files = workspace, await self._engine.sources.files(workspace)
        return self._files[1]

    # Messages

    def _say(self, content: Content, *, is_error: bool = False) -> None:
        place = self.query_one("#problem", Static)
        place.set_class(is_error, "-error")
        place.update(content)

    def _refuse(self, error: UserError) -> None:
        recovery = printable(error.recovery)
        if error.entry.is_of_agent and self._draft.agent is Agent.CODEX:
            recovery = f"{recovery} {STAND_IN}"
        way_out = (f" {recovery}", "$secondary")
        self._say(Content.assemble(printable(error.message), way_out), is_error=True)

    # What can be done

    def action_next_field(self) -> None:
        """Take the file that is offered, or go to the next field."""
        if self.prompt_area.has_focus and self.prompt_area.is_choosing:
            self.prompt_area.take()
        else:
            self.focus_next()

    def action_options(self) -> None:
        """Show the options, or fold them."""
        self.fields.unfold(is_open=not self.fields.is_unfolded)
        if self.fields.is_unfolded:
            self.fields.enter_options()
        self._describe()

    def action_history(self) -> None:
        """Begin from an earlier prompt."""
        from tui.screens.history import PromptHistory, prompts

        def picked(prompt: str | None) -> None:
            if prompt is not None:
                self.prompt_area.replace(
                    printable(prompt),
                    self.prompt_area.document.start,
                    self.prompt_area.document.end,
                )
                self.prompt_area.focus()

        earlier = prompts(self._engine.view.runs.values())
        if earlier:
            app_of(self).push_screen(PromptHistory(earlier), picked)
        else:
            tell(app_of(self), "There are no earlier prompts yet.")

    def action_learn(self) -> None:
        """Learn from the nearest pattern, from the next one, or from none."""
        self.fields.query_one("#learn-from", Input).value = self._nearest.next()

    def action_copy(self) -> None:
        """Copy the command line that would do the same."""
        self._check()
        app_of(self).copy_to_clipboard(self._draft.command_line())
        tell(app_of(self), "Copied the command line")

    def on_click(self, event: object) -> None:
        """Press the buttons and links that were clicked."""
        widget = getattr(event, "widget", None)
        match widget.id if isinstance(widget, Widget) else None:
            case "fold":
                self.action_options()
            case "command":
                self.action_copy()
            case _:
                pass

    @on(Input.Submitted)
    @on(Button.Pressed)
    def action_start(self) -> None:
        """Start the run; what speaks against it is shown in the form."""
        if not self._starting:
            self._starting = True
            self.run_worker(self._start, group="start")

    async def _start(self) -> None:
        start = StartRun(self._engine, self, self._clock)
        try:
            if not await self._is_ready():
                return
            run_id = await start.start(self._draft, self._template.usable)
        except UserError as error:
            self._refusal = error
            self._refuse(error)
        else:
            if run_id:
                await self._engine.memory.remember("new-run", self._draft.choices())
                self.dismiss(run_id)
        finally:
            self._starting = False

    async def _is_ready(self) -> bool:
        """Read the fields as they are now; return whether they are valid."""
        await settled(self)
        self._check()
        if self._draft.template:  # in a folder that was typed just now it may be another one
            await self._take_template(moves=False)
        wrong = [problem for _, problem in self._problems()]
        if wrong:
            self._say(show_draft.wrong(wrong, PROBLEMS), is_error=True)
        return not wrong

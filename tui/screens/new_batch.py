"""The form that starts a batch: checked as it is typed, with all that would start in sight."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events, getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Static, TextArea
from textual.worker import Worker

from engine.domain.errors import UserError
from engine.domain.model import WorkspaceKind
from engine.domain.text import printable
from tui import commands
from tui.formatting import draft as show_draft
from tui.formatting.batch_plan import plan_content
from tui.formatting.work_progress import WorkProgress
from tui.models.batch_draft import LABELS, LINES, OPTIONS, BatchDraft
from tui.models.draft import AGENTS, KINDS, SOURCE
from tui.models.fields import usual_words
from tui.screens.dialog import Dialog
from tui.screens.long_work import PATIENCE_S
from tui.screens.trust import question
from tui.widgets.base.key_order import settled
from tui.widgets.forms.command_line import CommandLine
from tui.widgets.forms.prompt_area import PromptArea
from tui.widgets.forms.run_fields import KIND_WORDS
from tui.widgets.forms.run_options import RunOptions
from tui.widgets.forms.segmented_control import SegmentedControl
from tui.widgets.forms.text_input import TextInput
from tui.widgets.status.toast import app_of, focus_now, tell

if TYPE_CHECKING:
    from engine.batches.service import Told
    from engine.engine import BatchPlan, BatchRequest
    from engine.ports.engine import EnginePort

PAUSE_S = 0.3
"""So long nothing is typed before files are read and everything is checked."""
NONE = "none"
PROBLEMS = 3
"""Lines there are for what is wrong."""
KEYS = ("form.start", "form.options", "form.copy")


class NewBatch(Dialog[str]):
    """Form that starts a batch; answers with its id, or None."""

    DEFAULT_CSS = """
    NewBatch {
        .box { width: 100; height: auto; padding: 1 2 0 2; }
        PromptArea { height: 4; margin-bottom: 0; }
        #fields { height: auto; max-height: 16; scrollbar-size-vertical: 1; }
        .row { height: 1; }
        .name { width: 14; color: $secondary; }
        #prompt-row { height: auto; }
        #plan { height: 6; margin-top: 1; }
        #plan.-error { color: $text-error; }
        #fold { height: 1; color: $secondary; &:hover { color: $foreground; } }
        &.-unfolded RunOptions { display: block; }
        .buttons { margin: 0 0 1 0; }
        &.-low {
            .box { padding: 0 2; }
            #fields { max-height: 12; }
            PromptArea { height: 2; }
            #plan { margin-top: 0; height: 4; }
            .buttons { margin: 0; }
        }
    }
    """
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-high")]  # noqa: RUF012  Textual declares it without ClassVar
    BINDINGS: ClassVar[list[BindingType]] = [
        each for each in commands.bindings("form") if isinstance(each, Binding) and each.id in KEYS
    ]

    prompt_area = getters.query_one(PromptArea)
    options = getters.query_one(RunOptions)

    def __init__(self, engine: EnginePort, draft: BatchDraft, clock: Callable[[], float]) -> None:
        super().__init__()
        self._engine, self._draft, self._clock = engine, draft, clock
        self._templates: Sequence[str] = (NONE,)
        self._looking: Worker[None] | None = None
        self._starting = False
        self._start_work: Worker[None] | None = None

    def compose(self) -> ComposeResult:
        """Compose the form."""
        draft = self._draft
        with Vertical(classes="box") as box:
            box.border_title = Content("New batch")
            box.border_subtitle = Content("^s start · ^o options · ^l copy · esc back")
            with VerticalScroll(id="fields", can_focus=False):
                yield from _row("Template", SegmentedControl(self._templates, 0, id="template"))
                with Horizontal(classes="row", id="prompt-row"):
                    yield Static(Content("Prompt"), classes="name")
                    hint = "Text to append to the template; {{ name }} inserts a column"
                    yield PromptArea(draft.run.prompt, placeholder=hint)
                for id, label, hint in LINES:
                    text = TextInput(draft.text(id), placeholder=hint, id=id)
                    yield from _row(label, text)
                agent = SegmentedControl(AGENTS, AGENTS.index(draft.run.agent), id="agent")
                yield from _row("Agent", agent)
                kind = SegmentedControl(KIND_WORDS, KINDS.index(draft.run.kind), id="kind")
                yield from _row("Workspace", kind)
                is_run = draft.run.kind is WorkspaceKind.FROM_RUN
                source = draft.run.earlier if is_run else draft.run.folder
                yield from _row("Folder or run", TextInput(source, id=SOURCE))
                yield Static(id="fold")
                config = self._engine.config
                usual = usual_words(config)
                yield RunOptions(draft.run, OPTIONS, config.codex.sandbox, usual)
            yield Static(id="plan")
            yield CommandLine()
            with Horizontal(classes="buttons"):
                yield Button(Content("Start"), id="start", compact=True)

    def on_mount(self) -> None:
        """Focus the prompt; find the templates."""
        self.prompt_area.focus()
        self.prompt_area.move_cursor(self.prompt_area.document.end)
        self.run_worker(self._find_templates, group="templates")
        self._check()

    async def _find_templates(self) -> None:
        templates = self._engine.templates
        known = await templates.all(templates.repository_of(self._draft.run.workspace()))
        names = [name for name, each in known.items() if not each.problem]
        self._templates = (NONE, *names)
        chosen = names.index(self._draft.template) + 1 if self._draft.template in names else 0
        self.query_one("#template", SegmentedControl).offer(self._templates, chosen)

    @on(TextArea.Changed)
    @on(Input.Changed)
    @on(SegmentedControl.Changed)
    def _check(self) -> None:
        """Take in what was typed, and look at what would come of it."""
        if self not in app_of(self).screen_stack:
            return
        self._take_in()
        draft = self._draft
        wrong = dict(draft.problems(self._clock()))
        for id in (*LABELS, SOURCE):
            self.query_one(f"#{id}", TextInput).set_class(id in wrong, "-wrong")
        self.options.show(wrong, {})
        if wrong:
            told = show_draft.wrong(list(wrong.values()), PROBLEMS)
            self._say(told, is_error="prompt" not in wrong)
        self.query_one(CommandLine).say("" if wrong else draft.command_line())
        self._show_fold()
        if self._looking:
            self._looking.cancel()
        may_look = not (wrong or self._starting)
        self._looking = self.run_worker(self._look, group="plan") if may_look else None
        self.query_one("#start", Button).disabled = bool(wrong)

    def _take_in(self) -> None:
        draft, run = self._draft, self._draft.run
        if len(self._templates) > 1:  # before that, it is not known which there are
            place = self._chosen("template")
            draft.template = self._templates[place] if place else None
        run.prompt = self.prompt_area.text
        draft.typed = {id: self.query_one(f"#{id}", TextInput).value for id in LABELS}
        self.options.take_in()
        run.agent = AGENTS[self._chosen("agent")]
        source, kind = self.query_one(f"#{SOURCE}", TextInput), run.kind
        if kind is WorkspaceKind.FROM_RUN:
            run.earlier = source.value
        else:
            run.folder = source.value
        run.kind = KINDS[self._chosen("kind")]
        source.disabled = run.kind is WorkspaceKind.EMPTY
        if (run.kind is WorkspaceKind.FROM_RUN) != (kind is WorkspaceKind.FROM_RUN):
            source.value = run.earlier if run.kind is WorkspaceKind.FROM_RUN else run.folder

    def _chosen(self, id: str) -> int:
        return self.query_one(f"#{id}", SegmentedControl).chosen

    # What would start

    async def _look(self) -> None:
        await asyncio.sleep(PAUSE_S)
        try:
            plan = await self._planned(self._order(), self._progress(), may_fetch=False)
            size = await self._engine.swarms.size(plan)
            consents = await self._engine.swarms.consents(plan)
            estimate = await self._engine.usage.estimate([each.spec for each in plan.planned])
        except UserError as error:
            self._refuse(error)
        else:
            self._say(plan_content(plan, size, self._engine.disk.free(), consents, estimate))
            self.query_one("#start", Button).disabled = False

    def _order(self) -> BatchRequest:
        return self._draft.order(self._engine.config.codex.sandbox, self._clock())

    async def _planned(
        self, order: BatchRequest, told: Told, *, may_fetch: bool = True
    ) -> BatchPlan:
        """Return the plan, checked; what is to be trusted is asked about at the start."""
        swarms = self._engine.swarms
        plan = await swarms.plan(order, told)
        return await swarms.check(plan, told, ask_later=True, may_fetch=may_fetch)

    def _progress(self, hint: str = "") -> Told:
        """Return a function that shows the progress of work, once that takes long."""
        began, shown = time.monotonic(), [WorkProgress("")]

        def tell(work: str, done: int, of: int) -> None:
            if shown[0].what != work:
                shown[0] = WorkProgress(work)
            words = shown[0].at(done, of)
            if time.monotonic() - began > PATIENCE_S and self.is_attached:
                self._say(Content(f"{words}{hint}"))

        return tell

    def _refuse(self, error: UserError) -> None:
        way_out = (f"\n{printable(error.recovery)}", "$secondary")
        self._say(Content.assemble(printable(error.message), way_out), is_error=True)
        self.query_one("#start", Button).disabled = True

    def _say(self, content: Content, *, is_error: bool = False) -> None:
        place = self.query_one("#plan", Static)
        place.set_class(is_error, "-error")
        place.update(content)

    def _show_fold(self) -> None:
        is_open = self.has_class("-unfolded")
        self.query_one("#fold", Static).update(show_draft.fold(self._draft.run, is_open=is_open))

    # What can be done

    def action_options(self) -> None:
        """Show the options, or fold them."""
        if self.has_class("-unfolded") and self.options.has_focus_within:
            focus_now(self.prompt_area)
        self.toggle_class("-unfolded")
        if self.has_class("-unfolded"):
            self.options.sandbox.focus(scroll_visible=False)
            fields = self.query_one("#fields", VerticalScroll)
            self.call_after_refresh(fields.scroll_to_widget, self.query_one("#fold"), top=True)
        self._show_fold()

    def on_click(self, event: events.Click) -> None:
        """Press the buttons and links that were clicked."""
        match event.widget.id if event.widget else None:
            case "fold":
                self.action_options()
            case "command":
                self.action_copy()
            case _:
                pass

    def action_copy(self) -> None:
        """Copy the command line that would do the same."""
        if not next(self._draft.problems(self._clock()), None):
            app_of(self).copy_to_clipboard(self._draft.command_line())
            tell(app_of(self), "Copied the command line")

    @on(Input.Submitted)
    @on(Button.Pressed)
    def action_start(self) -> None:
        """Start the batch; what speaks against it is shown in the form."""
        if not self._starting:
            self._starting = True
            self._start_work = self.run_worker(self._start, group="start")

    def action_leave(self) -> None:
        """Stop a start that goes on; else close the form."""
        if self._starting and self._start_work:
            self._start_work.cancel()
        else:
            super().action_leave()

    async def _start(self) -> None:
        """Start the batch of the fields as they are now: they are checked again."""
        try:
            await settled(self)
            self._check()
            if next(self._draft.problems(self._clock()), None):
                return
            told = self._progress(" · esc stops")
            plan = await self._planned(self._order(), told)
            for consent in await self._engine.swarms.consents(plan):
                asked = question(consent, may_go_without=False)
                if await app_of(self).push_screen_wait(asked) != "trust":
                    self._starting = False
                    self._check()
                    return
                await self._engine.trust.grant(consent)
            swarm, _ = await self._engine.swarms.start(plan, told=told)
        except UserError as error:
            self._refuse(error)
        except asyncio.CancelledError:
            self._say(Content("Stopped: no run was started."))
            raise
        else:
            self.dismiss(swarm.id)
        finally:
            self._starting = False


def _row(name: str, field: Input | SegmentedControl) -> ComposeResult:
    with Horizontal(classes="row"):
        yield Static(Content(name), classes="name")
        yield field

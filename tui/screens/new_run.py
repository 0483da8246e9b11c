"""The form that starts a run."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Label, Static, TextArea

from engine.domain.errors import UserError
from engine.domain.model import Agent, RunSpec, WorkspaceKind, WorkspaceSpec
from engine.domain.text import one_line, printable
from tui.screens.dialog import Dialog
from tui.toast import app_of
from tui.widgets.prompt_area import PromptArea
from tui.widgets.segments import Segments

if TYPE_CHECKING:
    from engine.engine import Engine

AGENTS = (Agent.CODEX, Agent.SIMULATED)
KINDS = (WorkspaceKind.EMPTY, WorkspaceKind.COPY, WorkspaceKind.WORKTREE)
TITLE_LIMIT = 120
STAND_IN = "Or choose the simulated agent: it needs nothing."


@dataclass(slots=True)
class Draft:
    """What was typed so far: it survives leaving the form."""

    prompt: str = ""
    title: str = ""
    agent: Agent = Agent.CODEX
    kind: WorkspaceKind = WorkspaceKind.EMPTY
    folder: str = field(default_factory=lambda: str(Path.cwd()))

    def problem(self) -> str:
        """Say what is still missing, or nothing."""
        if not self.prompt.strip():
            return "Say what is to be done."
        if len(self.title) > TITLE_LIMIT:
            return f"The title is {len(self.title) - TITLE_LIMIT} characters too long."
        if self.kind is not WorkspaceKind.EMPTY and not self.folder.strip():
            return "Name the folder to work from."
        return ""

    def rest(self) -> Draft:
        """Give what stays for the next run: everything but what this one was to do."""
        return replace(self, prompt="", title="")

    def source(self) -> str | None:
        """Give the folder to work from as an absolute path."""
        if self.kind is WorkspaceKind.EMPTY:
            return None
        return str(Path(os.path.expandvars(self.folder.strip())).expanduser().absolute())


class NewRun(Dialog[str]):
    """Asks for a run and starts it; answers with the run's id, or None."""

    DEFAULT_CSS = """
    NewRun {
        .box { width: 92; padding: 1 2 0 2; }
        .row { height: 1; margin-bottom: 1; }
        .name { width: 12; color: $secondary; }
        Input { width: 1fr; height: 1; border: none; padding: 0 1; background: $panel; }
        #problem { height: auto; min-height: 2; max-height: 4; color: $secondary; }
        #problem.-error { color: $text-error; }
        .buttons { margin: 0 0 1 0; }
        #folder:disabled { color: $secondary 45%; background: $surface; }
        &.-short {
            .box { padding: 0 2; }
            PromptArea { height: 5; }
        }
    }
    """

    VERTICAL_BREAKPOINTS = [(0, "-short"), (24, "-tall")]  # noqa: RUF012

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s,ctrl+enter", "start", "start")]

    def __init__(self, engine: Engine, draft: Draft) -> None:
        super().__init__()
        self._engine, self._draft = engine, draft
        self._starting = False

    def compose(self) -> ComposeResult:
        """Lay the form out."""
        draft = self._draft
        with Vertical(classes="box") as box:
            box.border_title = Content("New run")
            box.border_subtitle = Content("ctrl+s start · tab next field · esc back")
            yield PromptArea(draft.prompt, id="prompt", placeholder="What is to be done?")
            yield from _row("Title", Input(draft.title, id="title", compact=True))
            yield from _row("Agent", Segments(AGENTS, AGENTS.index(draft.agent), id="agent"))
            words = ("empty folder", "copy of a folder", "git worktree")
            yield from _row("Workspace", Segments(words, KINDS.index(draft.kind), id="kind"))
            yield from _row("Folder", Input(draft.folder, id="folder", compact=True))
            yield Static(id="problem")
            with Horizontal(classes="buttons"):
                yield Button(Content("Start"), id="start", compact=True)

    def on_mount(self) -> None:
        """Begin with the prompt."""
        self.query_one(PromptArea).focus()
        self._check()

    @on(TextArea.Changed)
    @on(Input.Changed)
    @on(Segments.Changed)
    def _check(self) -> None:
        """Take in what was typed and say what is missing."""
        draft = self._draft
        draft.prompt = self.query_one(PromptArea).text
        draft.title = self.query_one("#title", Input).value
        draft.agent = AGENTS[self.query_one("#agent", Segments).chosen]
        draft.kind = KINDS[self.query_one("#kind", Segments).chosen]
        draft.folder = self.query_one("#folder", Input).value
        title = one_line(draft.prompt, 60)
        self.query_one("#title", Input).placeholder = title or "from the prompt's first line"
        self.query_one("#folder", Input).disabled = draft.kind is WorkspaceKind.EMPTY
        problem = draft.problem()
        self.query_one("#start", Button).disabled = bool(problem)
        self._say(Content(problem))

    def _say(self, content: Content, *, is_error: bool = False) -> None:
        place = self.query_one("#problem", Static)
        place.set_class(is_error, "-error")
        place.update(content)

    @on(Input.Submitted)
    @on(Button.Pressed)
    def action_start(self) -> None:
        """Start the run; what speaks against it is shown in the form."""
        self._check()
        problem = self._draft.problem()
        if problem:
            self._say(Content(problem), is_error=True)
        elif not self._starting:
            self._starting = True
            self.run_worker(self._start(), group="start")

    async def _start(self) -> None:
        try:
            wanted = await self._trusted(spec(self._draft, self._engine))
            if wanted is None:
                return
            run = await self._engine.start(wanted)
        except UserError as error:
            recovery = printable(error.recovery)
            if error.code == "CODEX_CLI_MISSING":
                recovery = f"{recovery} {STAND_IN}"
            way_out = (f"\n{recovery}", "$secondary")
            self._say(Content.assemble(printable(error.message), way_out), is_error=True)
        else:
            self.dismiss(run.id)
        finally:
            self._starting = False

    async def _trusted(self, wanted: RunSpec) -> RunSpec | None:
        """Ask where the repository has settings that are not trusted; None: not now."""
        from tui.screens.trust import question

        consent = await self._engine.trust.asked(wanted)
        if consent is None:
            return wanted
        answer = await app_of(self).push_screen_wait(question(consent))
        if answer == "trust":
            await self._engine.trust.give(consent)
        elif answer == "without":
            return replace(wanted, with_setup=False)
        return wanted if answer == "trust" else None


def _row(name: str, field_: Input | Segments) -> ComposeResult:
    with Horizontal(classes="row"):
        yield Label(Content(name), classes="name")
        yield field_


def spec(draft: Draft, engine: Engine) -> RunSpec:
    """Give the run that the draft asks for, with the settings' sandbox."""
    source = draft.source()
    return RunSpec(
        prompt=draft.prompt,
        title=one_line(draft.title, TITLE_LIMIT) or one_line(draft.prompt, 60),
        project=(Path(source) if source else Path.cwd()).name or "default",
        agent=draft.agent,
        workspace=WorkspaceSpec(draft.kind, source),
        sandbox=engine.config.codex.sandbox,
    )

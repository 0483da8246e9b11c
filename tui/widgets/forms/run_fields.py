"""The fields of a run that is being written, and what they come to."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from textual import getters, on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Label, OptionList, Static

from engine.domain.model import Sandbox, WorkspaceKind
from tui.formatting import draft as show_draft
from tui.models.draft import AGENTS, COPIES, KINDS, SOURCE, Draft
from tui.models.fields import FIELDS, usual_words
from tui.widgets.forms.ask_line import AskLine
from tui.widgets.forms.command_line import CommandLine
from tui.widgets.forms.file_autocomplete import FileAutocomplete
from tui.widgets.forms.parameter_fields import ParameterFields
from tui.widgets.forms.prompt_area import Files, PromptArea
from tui.widgets.forms.run_options import RunOptions
from tui.widgets.forms.segmented_control import SegmentedControl
from tui.widgets.forms.text_input import TextInput
from tui.widgets.status.toast import focus_now

if TYPE_CHECKING:
    from engine.config.settings import Config
    from engine.engine import RenderedTemplate, SourceInfo, Template

TO_DO = "Describe the task  ·  @ names a file"
MORE = "Text to append to the template (optional)  ·  @ names a file"
ALONE = "runs of this prompt, each in a workspace of its own"
UNFOLDED = "-unfolded"
KIND_WORDS = ("worktree", "copy", "empty", "from run", "in place")


class RunFields(VerticalScroll, can_focus=False):
    """Fields that write into a draft; `files` are those that can be mentioned."""

    DEFAULT_CSS = """
    RunFields {
        height: auto; max-height: 100%; scrollbar-size-vertical: 1;
        .row { height: 1; }
        .name { width: 13; color: $secondary; }
        #uncommitted { width: auto; }
        #copies { width: 8; }
        .note { width: 1fr; height: 1; padding: 0 1; color: $secondary; text-wrap: nowrap; }
        &.-unfolded RunOptions { display: block; }
        #fold { height: 1; color: $secondary; text-wrap: nowrap; &:hover { color: $foreground; } }
        #row-preview { height: auto; max-height: 8; margin-bottom: 1; display: none; }
        #preview { height: auto; width: 1fr; padding: 0 1; color: $secondary; }
        &.-template #row-preview { display: block; }
        #does { height: auto; max-height: 3; margin-top: 1; color: $secondary; }
    }
    """

    prompt_area = getters.query_one(PromptArea)
    parameters = getters.query_one(ParameterFields)
    options = getters.query_one(RunOptions)

    def __init__(
        self, draft: Draft, config: Config, files: Files, *, is_unfolded: bool = False
    ) -> None:
        super().__init__(classes=UNFOLDED if is_unfolded else None)
        self._draft, self._config, self._files = draft, config, files
        self._template: Template | None = None

    def compose(self) -> ComposeResult:
        """Compose the fields."""
        draft = self._draft
        mentions = FileAutocomplete()
        yield from _row("Template", AskLine(id="template"))
        yield ParameterFields()
        yield PromptArea(
            draft.prompt,
            id="prompt",
            placeholder=TO_DO,
            files=self._files,
            mentions=mentions,
        )
        yield mentions
        yield from _row("Preview", Static(id="preview"))
        copies = TextInput(draft.copies, id=COPIES, limit=6)
        yield from _row("Copies", copies, Static(Content(ALONE), id="alone", classes="note"))
        yield from _row("Agent", SegmentedControl(AGENTS, AGENTS.index(draft.agent), id="agent"))
        kinds = SegmentedControl(KIND_WORDS, KINDS.index(draft.kind), id="kind")
        yield from _row("Workspace", kinds)
        yield from _row("Folder", TextInput(draft.folder, id=SOURCE))
        words = ("left out", "brought along")
        brought = SegmentedControl(words, int(draft.include_uncommitted), id="uncommitted")
        yield from _row("Changes", brought, Static(id="branch", classes="note"))
        yield Static(id="fold")
        usual = usual_words(self._config)
        yield RunOptions(draft, FIELDS, self._usual_sandbox, usual)
        yield Static(id="does")
        yield CommandLine()

    @property
    def _usual_sandbox(self) -> Sandbox:
        template = self._template
        return (template and template.keys.option("sandbox")) or self._config.codex.sandbox

    async def show_template(self, template: Template | None) -> None:
        """Show the parameters of a template, and its values where the user set none."""
        draft = self._draft
        self._template = None  # the values belong to no template until the fields exist
        given = draft.given.get(template.name, {}) if template else {}
        await self.parameters.show(template, given)
        self._template = template
        keys = template.keys if template else None
        self.options.usually(self._usual_sandbox, usual_words(self._config, keys))
        self.set_class(template is not None, "-template")

    def unfold(self, *, is_open: bool) -> None:
        """Show the options, or fold them."""
        if not is_open and self.options.has_focus_within:
            focus_now(self.prompt_area)
        self.set_class(is_open, UNFOLDED)

    def enter_options(self) -> None:
        """Go to the first option, as much in sight as there is room for."""
        self.options.sandbox.focus(scroll_visible=False)
        self.call_after_refresh(self.scroll_to_widget, self.query_one("#fold"), top=True)

    @property
    def is_unfolded(self) -> bool:
        """True while the options are shown."""
        return self.has_class(UNFOLDED)

    @on(OptionList.OptionSelected)
    def _file_clicked(self, event: OptionList.OptionSelected) -> None:
        self.prompt_area.take(event.option_index)

    def take_in(self) -> None:
        """Write into the draft what stands in the fields."""
        draft = self._draft
        draft.prompt = self.prompt_area.text
        draft.copies = self.query_one(f"#{COPIES}", TextInput).value
        draft.agent = AGENTS[self._chosen("agent")]
        kind = draft.kind
        if kind is KINDS[self._chosen("kind")]:
            source = self.query_one(f"#{SOURCE}", TextInput).value
            if draft.kind is WorkspaceKind.FROM_RUN:
                draft.earlier = source
            else:
                draft.folder = source
        draft.kind = KINDS[self._chosen("kind")]
        draft.include_uncommitted = bool(self._chosen("uncommitted"))
        self.options.take_in()
        if self._template:
            draft.given[self._template.name] = self.parameters.given()
        if draft.kind is not kind:
            self._name_source()

    def _chosen(self, id: str) -> int:
        return self.query_one(f"#{id}", SegmentedControl).chosen

    def _name_source(self) -> None:
        """Label the field by the source that the kind of workspace needs."""
        draft = self._draft
        is_run = draft.kind is WorkspaceKind.FROM_RUN
        self.query_one(f"#name-{SOURCE}", Label).update(Content("Run" if is_run else "Folder"))
        field = self.query_one(f"#{SOURCE}", TextInput)
        field.value = draft.earlier if is_run else draft.folder

    def tell(
        self, wrong: Container[str], source: SourceInfo | None, filled: RenderedTemplate | None
    ) -> None:
        """Show the run of the draft, and mark the invalid fields."""
        draft = self._draft
        self.query_one(f"#{SOURCE}", TextInput).set_class(SOURCE in wrong, "-wrong")
        self.query_one(f"#{COPIES}", TextInput).set_class(COPIES in wrong, "-wrong")
        is_tree = draft.kind is WorkspaceKind.WORKTREE
        self.query_one(f"#{SOURCE}", TextInput).disabled = draft.kind is WorkspaceKind.EMPTY
        self.query_one("#uncommitted", SegmentedControl).disabled = not is_tree
        hints = show_draft.hints(draft, self._config, self._template, filled)
        self.options.show(wrong, hints)
        self.prompt_area.placeholder = MORE if self._template else TO_DO
        self.query_one(AskLine).say(*show_draft.template(draft, self._template))
        self._write("branch", show_draft.branch(draft, source))
        self._write("preview", show_draft.preview(filled))
        self._write("fold", show_draft.fold(draft, is_open=self.is_unfolded))
        self._write("does", show_draft.does(draft, source, filled))
        self.query_one(CommandLine).say(show_draft.command(draft))

    def _write(self, id: str, content: Content) -> None:
        self.query_one(f"#{id}", Static).update(content)


def _row(name: str, field: Widget, *more: Widget) -> ComposeResult:
    with Horizontal(id=f"row-{field.id}", classes="row"):
        yield Label(Content(name), id=f"name-{field.id}", classes="name")
        yield field
        yield from more

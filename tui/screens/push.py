"""Dialog that pushes the branch of a run, and opens a pull request if it is asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Label, Static

from engine.domain.errors import UserError
from engine.domain.model import Run
from engine.domain.text import printable
from engine.engine import PullRequest, PushRequest, PushResult
from tui import formatting
from tui.screens.dialog import Dialog
from tui.terminal.cells import clean, crop
from tui.widgets.forms.prompt_area import PromptArea
from tui.widgets.forms.segmented_control import SegmentedControl
from tui.widgets.forms.text_input import TextInput
from tui.widgets.status.toast import app_of, tell

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

CHOICES = ("none", "open", "draft")
HINT = "Your own git pushes; no hook of the repository runs."
GH_HINT = "gh opens the pull request, if it is installed."


class PushDialog(Dialog[bool]):
    """Remote, branch and pull request of a push; answers whether it was pushed."""

    DEFAULT_CSS = """
    PushDialog {
        .box { width: 92; padding: 1 2 0 2; }
        .row { height: 1; margin-bottom: 1; }
        .name { width: 14; color: $secondary; }
        #body { height: 8; }
        .request, #body { display: none; }
        &.-with-request { .request, #body { display: block; } }
        #hint { height: auto; max-height: 4; color: $secondary; margin-top: 1; }
        #hint.-error { color: $text-error; }
        .buttons { margin: 1 0 1 0; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s,ctrl+enter", "send", "push")]

    def __init__(self, engine: EnginePort, run: Run) -> None:
        super().__init__()
        self._engine, self._run = engine, run
        self._is_busy = False

    def compose(self) -> ComposeResult:
        """Compose the dialog."""
        before = self._run.pushed
        with Vertical(classes="box") as box:
            box.border_title = Content(f"Push · {crop(formatting.title(self._run), 60)}")
            box.border_subtitle = Content("^s push · ← → pull request · esc back")
            with Horizontal(classes="row"):
                yield Label(Content("Pull request"), classes="name")
                yield SegmentedControl(CHOICES, 0, id="request")
            with Horizontal(classes="row"):
                yield Label(Content("Remote"), classes="name")
                remote = clean(before.remote, 200) if before else ""
                yield TextInput(remote, placeholder="origin, or the only one", id="remote")
            with Horizontal(classes="row"):
                yield Label(Content("Branch"), classes="name")
                branch = clean(before.branch, 200) if before else ""
                yield TextInput(branch, placeholder="the run's own", id="branch")
            with Horizontal(classes="row request"):
                yield Label(Content("Title"), classes="name")
                yield TextInput(id="title")
            yield PromptArea("", id="body", placeholder="The text of the pull request")
            yield Static(Content(HINT), id="hint")
            with Horizontal(classes="buttons"):
                yield Button(Content("Push"), id="send", compact=True)

    def on_mount(self) -> None:
        """Begin without a pull request, and fetch the words for one."""
        self.query_one(SegmentedControl).focus()
        self.run_worker(self._suggest, group="draft")

    async def _suggest(self) -> None:
        try:
            draft = await self._engine.pushes.draft(self._run.id)
        except UserError as error:
            if not self._is_busy:
                self._show(error)
            return
        title, area = self.query_one("#title", TextInput), self.query_one(PromptArea)
        title.value = title.value or draft.title
        area.text = area.text or draft.body

    @property
    def _choice(self) -> str:
        return self.query_one(SegmentedControl).word

    @on(SegmentedControl.Changed)
    def _chosen(self) -> None:
        has_request = self._choice != "none"
        self.set_class(has_request, "-with-request")
        if not self._is_busy:
            self._show_hint(GH_HINT if has_request else HINT)

    @on(TextInput.Submitted)
    @on(Button.Pressed)
    def action_send(self) -> None:
        """Push; a refusal is shown here."""
        if not self._is_busy:
            self._is_busy = True
            self._show_hint("Pushing …")
            self.run_worker(self._push, group="push")

    def action_leave(self) -> None:
        """Close; a push that has begun is finished and recorded first."""
        if self._is_busy:
            self._show_hint("Pushing … The dialog closes when the push has ended.")
        else:
            super().action_leave()

    def _show_hint(self, words: str) -> None:
        hint = self.query_one("#hint", Static)
        hint.remove_class("-error")
        hint.update(Content(words))

    def _request(self) -> PushRequest:
        """Return the request; raises `UserError` for a pull request without a title."""
        from engine.domain.errors import user_error

        wanted = None
        if self._choice != "none":
            title = self.query_one("#title", TextInput).value.strip()
            if not title:
                raise user_error("INPUT_INVALID", "The title is empty.", "Write one.")
            body = self.query_one(PromptArea).text
            wanted = PullRequest(title, body, is_draft=self._choice == "draft")
        remote = self.query_one("#remote", TextInput).value.strip()
        branch = self.query_one("#branch", TextInput).value.strip()
        return PushRequest(remote or None, branch or None, wanted)

    async def _push(self) -> None:
        try:
            done = await self._engine.pushes.push(self._run.id, self._request())
        except UserError as error:
            self._show(error)
        else:
            tell(app_of(self), _words(done, self._choice), stays=True)
            self.dismiss(True)
        finally:
            self._is_busy = False

    def _show(self, error: UserError) -> None:
        hint = self.query_one("#hint", Static)
        hint.add_class("-error")
        hint.update(Content(printable(f"{error.message} {error.recovery}", 600)))


def _words(done: PushResult, choice: str) -> str:
    pushed = done.pushed
    words = f"{pushed.branch} pushed to {pushed.remote}. "
    if choice != "none" and not pushed.pull_request:
        words += "gh is not installed: open the pull request yourself at "
    return words + (pushed.pull_request or pushed.web_address)

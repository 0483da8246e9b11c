"""The files of the chosen run, and below them the filter while there is one."""

from __future__ import annotations

from textual import events, getters, on
from textual.app import ComposeResult
from textual.widgets import Input

from tui.widgets.base.containers import TransparentVertical
from tui.widgets.files.workspace_tree import WorkspaceTree
from tui.widgets.forms.text_input import TextInput
from tui.widgets.status.toast import focus_now

FILTER_HINT = "words  !word"


class FilesPane(TransparentVertical):
    """A workspace tree with a filter as one types."""

    DEFAULT_CSS = """
    FilesPane {
        height: 1fr;
        & > WorkspaceTree { height: 1fr; }
        & > Input { height: 1; border: none; padding: 0 1; background: $panel; display: none; }
        & > Input.-open { display: block; }
    }
    """

    filter_input = getters.query_one(Input)

    def __init__(self) -> None:
        super().__init__()
        self.files = WorkspaceTree()

    def compose(self) -> ComposeResult:
        """Compose the parts."""
        yield self.files
        yield TextInput(id="files-filter", placeholder=FILTER_HINT)

    @property
    def is_narrowed(self) -> bool:
        """True while some files are left out, or are about to be."""
        return bool(self.files.narrowing) or self.filter_input.has_focus

    def show_all(self) -> None:
        """Show all files again."""
        self.filter_input.value = ""
        self.files.narrow("", changed_only=False)
        self._close_filter()

    @on(WorkspaceTree.FilterAsked)
    def _open_filter(self) -> None:
        self.filter_input.add_class("-open")
        focus_now(self.filter_input)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value != self.files.narrowing.text:
            self.files.narrow(event.value)

    @on(Input.Submitted)
    def _close_filter(self) -> None:
        focus_now(self.files)
        self.filter_input.set_class(bool(self.filter_input.value), "-open")

    def on_key(self, event: events.Key) -> None:
        """Go up from the filter into the files."""
        if event.key in ("up", "down") and self.filter_input.has_focus:
            event.stop()
            focus_now(self.files)

"""Changed files and the diff of one of them: beside each other, or where there is no room, one."""

from __future__ import annotations

from textual import events, getters, on
from textual.app import ComposeResult
from textual.containers import Horizontal

from tui.widgets.code.code_view import CodeView
from tui.widgets.files.changed_files import ChangedFiles
from tui.widgets.status.toast import app_of, focus_now

BESIDE = 100
"""Columns from which both have room."""


class DiffPanes(Horizontal):
    """The one that has the focus is the one that is shown alone."""

    DEFAULT_CSS = """
    DiffPanes {
        height: 1fr;
        ChangedFiles { width: 32%; max-width: 60; height: 1fr; }
        CodeView { width: 1fr; height: 1fr; }
        &.-single ChangedFiles { width: 1fr; max-width: 100%; }
    }
    """

    files = getters.query_one(ChangedFiles)
    code = getters.query_one(CodeView)

    def __init__(self) -> None:
        super().__init__()
        self._pane = "files"
        self.is_zoomed = False

    def compose(self) -> ComposeResult:
        """Compose the panes."""
        yield ChangedFiles()
        yield CodeView()

    def go(self, pane: str) -> None:
        """Focus `files` or `diff`."""
        self._pane = pane
        self._arrange()
        focus_now(self.code if pane == "diff" else self.files)

    def step(self) -> None:
        """Go to the other pane."""
        self.go("files" if self._pane == "diff" else "diff")

    def zoom(self) -> None:
        """Show the diff on the whole screen, or beside the files again."""
        self.is_zoomed = not self.is_zoomed
        self.go("diff")

    def back(self) -> bool:
        """Leave the zoom, or the diff where it is alone; return whether there was one."""
        if self.is_zoomed:
            self.zoom()
            return True
        if self.is_single and self._pane == "diff":
            self.go("files")
            return True
        return False

    @property
    def is_single(self) -> bool:
        """Return whether one pane is shown alone."""
        return self.is_zoomed or app_of(self).size.width < BESIDE

    def _arrange(self) -> None:
        self.set_class(self.is_single, "-single")
        self.files.display = not self.is_single or self._pane == "files"
        self.code.display = not self.is_single or self._pane == "diff"

    def on_resize(self) -> None:
        """Show as many panes as there is room for."""
        self._arrange()

    @on(ChangedFiles.Entered)
    def _entered(self) -> None:
        self.go("diff")

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Keep in mind which pane has the focus."""
        self._pane = "diff" if event.widget is self.code else "files"

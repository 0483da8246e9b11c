"""Diff of the workspaces of two runs: the files on the left, the diff of one on the right."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.dom import DOMNode

from engine.domain.errors import UserError
from engine.engine import Comparison
from tui import commands, formatting
from tui.screens.diff import DiffScreen
from tui.screens.node_return import NodeReturn
from tui.widgets.code.diff_panes import DiffPanes
from tui.widgets.status.key_bar import KeyBar
from tui.widgets.status.top_bar import TopBar

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

COMPARING = "Comparing …"
SAME = "Both workspaces have the same files."
NEEDS_FILE = frozenset({"open", "beside", "next_hunk", "last_hunk", "next_file", "last_file"})


class RunDiffScreen(DiffScreen):
    """Lines that only the run has are added ones, those of the other run alone are removed."""

    DEFAULT_CSS = """
    RunDiffScreen {
        background: $background;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("rundiff")
    NO_LINES = "No line of it differs."

    def __init__(self, engine: EnginePort, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self._other = ""
        self._comparison: Comparison | None = None
        self._node_return = NodeReturn(self, self._read_again)

    def compose(self) -> ComposeResult:
        """Compose the screen."""
        yield TopBar()
        yield DiffPanes()
        yield KeyBar()

    @property
    def comparison(self) -> Comparison | None:
        """The comparison that is shown; None until it is there."""
        return self._comparison

    def carrier(self, scope: str) -> DOMNode | None:
        """Return the object that carries out the commands of a scope here."""
        return self if scope == "rundiff" else super().carrier(scope)

    # What is compared

    def open(self, run_id: str, path: str | None) -> None:
        """Show how a run differs from another one, whose id is in place of the path."""
        self.run_id, self._other, self._comparison = run_id, path or "", None
        self.panes.is_zoomed = False
        self._show_files(COMPARING)
        self.panes.go("files")
        self.action_refresh()

    def action_refresh(self) -> None:
        """Compare the workspaces as they are now."""
        self.files.set_title(f"{self._names} · {COMPARING}")
        self._read_again()

    def _read_again(self) -> None:
        self._node_return.end()
        self.run_worker(self._compare, group="compare", exclusive=True)

    async def _compare(self) -> None:
        chosen = self.files.file
        try:
            self._comparison = await self.engine.workspaces.compare_runs(self.run_id, self._other)
        except UserError as error:
            self._comparison = None
            self._show_files(f"{error.message} {error.recovery}")
            if error.entry.is_node_away:
                self._node_return.wait(self.run_id, self._other)
            return
        if self._comparison.changes.checkpoint is not None:
            self._node_return.wait(self.run_id, self._other)
        self._show_files(SAME, chosen.path if chosen else None)

    @property
    def _names(self) -> str:
        return f"{self.run_id} against {self._other}"

    def _show_files(self, empty_text: str, path: str | None = None) -> None:
        found = self._comparison.changes if self._comparison else None
        self.files.empty_text = empty_text
        self.files.show(found.files if found else (), path)
        told = [self._names]
        if found:
            count = len(found.files)
            total = formatting.changes(found.total)
            told.insert(0, f"{count} file{'' if count == 1 else 's'} {total}".strip())
            if found.checkpoint is not None:
                told.append("a node does not answer: its last checkpoint")
            elif found.left_out:
                told.append(f"{len(found.left_out)} could not be read")
        self.files.set_title(" · ".join(told))
        self.refresh_bindings()
        self.show_chosen()

    # What the user asks for

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey what needs a file where there is none."""
        del parameters
        if action not in NEEDS_FILE:
            return True
        return True if self.is_mounted and self.files.file else None

    def action_open(self) -> None:
        """Go to the diff of the chosen file."""
        self.panes.go("diff")

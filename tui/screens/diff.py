"""Base of the screens that show changed files beside the diff of the chosen one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import getters, on

from engine.domain.errors import UserError
from engine.domain.text import printable_name
from engine.engine import Comparison, FileDelta
from tui.models.code.document import CodeDocument, read_diff, side_by_side, unified
from tui.screens.code import CodeScreen
from tui.terminal.cells import clean
from tui.widgets.code.diff_panes import DiffPanes
from tui.widgets.files.changed_files import ChangedFiles, in_words

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort


class DiffScreen(CodeScreen):
    """A screen of changed files, with the diff of the chosen one."""

    NO_TEXT: ClassVar[str] = "Not text: there are no lines to compare."
    NO_LINES: ClassVar[str]

    panes = getters.query_one(DiffPanes)
    files = getters.query_one(ChangedFiles)

    def __init__(self, engine: EnginePort, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self._begins_at_end = False
        """True if the next file that is chosen was reached from the file behind it."""

    @property
    def comparison(self) -> Comparison | None:
        """The comparison that is shown; None until it is there."""
        raise NotImplementedError

    @property
    def subject(self) -> tuple[str, str | None] | None:
        """The run, and the chosen file where the run has it."""
        file = self.files.file
        return self.run_id, file.path if file and file.mode else None

    @on(ChangedFiles.FileSelected)
    def _chosen(self, event: ChangedFiles.FileSelected) -> None:
        self.show_diff(event.file, at_end=self._begins_at_end)
        self._begins_at_end = False

    def show_chosen(self) -> None:
        """Show the diff of the chosen file."""
        if self.files.file:
            self.show_diff(self.files.file)
        else:
            self.code.clear()
            self.code.set_title("")

    def show_diff(self, file: FileDelta, *, at_end: bool = False) -> None:
        """Show the diff of a file, from its first change or its last."""
        if self.comparison:
            self.run_worker(self.show_file(file, at_end=at_end), group="diff", exclusive=True)

    async def show_file(self, file: FileDelta, *, at_end: bool = False) -> None:
        """Show the diff of a file, and wait for it."""
        comparison = self.comparison
        if comparison is None:
            return
        told = in_words(file)
        # The place of the file, where the list of files is not beside it
        place = _place(comparison, file) if self.panes.is_single else ""
        name = f"{place}{clean(printable_name(file.path))}"
        self.code.set_title(f"{name} · {told}" if told else name)
        if file.binary:
            self.code.clear(self.NO_TEXT)
            return
        try:
            document = await self.document(comparison, file)
        except UserError as error:
            self.code.clear(f"{error.message} {error.recovery}")
            return
        if document.is_shortened:
            told = " · ".join(filter(None, [told, f"the first {len(document.lines)} lines"]))
            self.code.set_title(f"{name} · {told}")
        await self.code.show(file.path, document, empty_text=self.NO_LINES)
        if at_end and (rows := self.code.hunk_rows):
            self.code.go_to(rows[-1])

    async def document(self, comparison: Comparison, file: FileDelta) -> CodeDocument:
        """Return the diff of a file; raises `UserError`."""
        return await asyncio.to_thread(read_diff, await comparison.diff(file))

    def action_next_hunk(self) -> None:
        """Go to the next hunk, on into the next file."""
        if not self.code.step_hunk(1):
            self.files.step(1)

    def action_last_hunk(self) -> None:
        """Go to the hunk before, back into the file before."""
        if not self.code.step_hunk(-1):
            self._begins_at_end = self.files.step(-1)

    def action_next_file(self) -> None:
        """Go to the next file."""
        self.files.step(1)

    def action_last_file(self) -> None:
        """Go to the file before."""
        self.files.step(-1)

    def action_beside(self) -> None:
        """Show both sides beside each other, or below."""
        layout = unified if self.code.arrangement is side_by_side else side_by_side
        self.run_worker(self.code.lay_out(layout), group="layout", exclusive=True)

    def action_next_pane(self) -> None:
        """Go to the other pane."""
        self.panes.step()

    def action_zoom(self) -> None:
        """Show the diff on the whole screen, or beside the files again."""
        self.panes.zoom()

    async def action_back(self) -> None:
        """Leave the zoom, the diff where it is alone, or the screen."""
        if not self.panes.back():
            await super().action_back()


def _place(comparison: Comparison, file: FileDelta) -> str:
    """Return the place of a file among several, to stand before its name."""
    paths = [one.path for one in comparison.changes.files]
    if len(paths) < 2 or file.path not in paths:
        return ""
    return f"{paths.index(file.path) + 1}/{len(paths)} files · "

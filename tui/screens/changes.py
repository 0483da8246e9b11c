"""Changes of a run: the files on the left, the diff of the chosen one on the right."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.dom import DOMNode

from engine.domain.errors import UserError
from engine.domain.events import ChangesMeasured, Event, FilesChanged
from engine.domain.text import printable_name
from engine.engine import Comparison, FileDelta
from tui import commands, formatting
from tui.models.code.document import read_diff, side_by_side, unified
from tui.screens.allowed import allows
from tui.screens.code import CodeScreen
from tui.screens.live import CodeRequested
from tui.screens.turn_view import TurnBanner, TurnView
from tui.terminal.cells import clean
from tui.widgets.code.diff_panes import DiffPanes
from tui.widgets.files.changed_files import NOTHING, ChangedFiles, in_words
from tui.widgets.status.key_bar import KeyBar
from tui.widgets.status.toast import app_of, attempt
from tui.widgets.status.top_bar import TopBar

if TYPE_CHECKING:
    from engine.engine import EventBatch
    from engine.ports.engine import EnginePort

COMPARING = "Comparing …"
NEWER = "the workspace changed meanwhile: F5 refreshes"
NO_TEXT = "Not text: there are no lines to compare. o opens it in your editor."
NO_LINES = "No line of it changed."


class ChangesScreen(CodeScreen):
    """Comparison of the workspace with its first state, or with a checkpoint."""

    DEFAULT_CSS = """
    ChangesScreen {
        background: $background;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("changes")

    panes = getters.query_one(DiffPanes)
    files = getters.query_one(ChangedFiles)

    def __init__(self, engine: EnginePort, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self._since = 0
        self.turn = TurnView(self)
        self._comparison: Comparison | None = None
        self._begins_at_end = False
        """Whether the next file that is chosen was come to from behind."""

    def compose(self) -> ComposeResult:
        """Compose the screen."""
        yield TopBar()
        yield TurnBanner()
        yield DiffPanes()
        yield KeyBar()

    def carrier(self, scope: str) -> DOMNode | None:
        """Return the object that carries out the commands of a scope here."""
        return self if scope == "changes" else super().carrier(scope)

    @property
    def subject(self) -> tuple[str, str | None] | None:
        """The run, and the chosen file as long as there is one."""
        file = self.files.file
        return self.run_id, file.path if file and file.mode else None

    # What is compared

    def open(self, run_id: str, path: str | None) -> None:
        """Show all that a run changed, beginning with one file."""
        self.run_id, self._since, self._comparison = run_id, 0, None
        self.panes.is_zoomed = False
        self.files.empty_text = COMPARING
        self.files.show(())
        self.code.clear()
        self.panes.go("diff" if path else "files")
        self.turn.forget()
        self.turn.follow(self.run)
        self._compare(path)

    def action_refresh(self) -> None:
        """Compare with the workspace as it is now."""
        file = self.files.file
        self._compare(file.path if file else None, must_be_there=False)

    def _compare(self, path: str | None, *, must_be_there: bool = True) -> None:
        work = self._compared(path, must_be_there=must_be_there)
        self.run_worker(work, group="compare", exclusive=True)

    async def _compared(self, path: str | None, *, must_be_there: bool) -> None:
        self._tell_newer(is_newer=False)
        self.files.set_title(f"{self.run_title} · {COMPARING}")
        try:
            self._comparison = await self.engine.workspaces.compare(self.run_id, self._since)
        except UserError as error:
            self._comparison = None
            self._show_files((), f"{error.message} {error.recovery}")
            return
        files = self._comparison.changes.files
        self._show_files(files, NOTHING, path)
        if path and must_be_there and path not in {file.path for file in files}:
            self.post_message(CodeRequested("file", self.run_id, path))

    def _show_files(
        self, files: Sequence[FileDelta], empty_text: str, path: str | None = None
    ) -> None:
        self.files.empty_text = empty_text
        self.files.show(files, path)
        self.files.set_title(self._totals())
        self.refresh_bindings()
        if not self.turn.is_shown:
            self.show_measured()

    def _totals(self) -> str:
        parts = [f"since checkpoint {self._since}"] if self._since else []
        if self._comparison:
            changes = self._comparison.changes
            count = len(changes.files)
            parts.append(
                f"{count} file{'' if count == 1 else 's'} {formatting.changes(changes.total)}"
            )
            if changes.left_out:
                parts.append(f"{len(changes.left_out)} could not be read")
        return " · ".join([*parts, self.run_title])

    # What happens meanwhile

    def on_screen_resume(self) -> None:
        """Show a note where the changes became others while another screen was shown."""
        if self.run and self._comparison and not self._since:
            measured = self.run.changes
            if measured.files and measured != self._comparison.changes.total:
                self._tell_newer(is_newer=True)

    def take(self, batch: EventBatch) -> None:
        """Show a note where the workspace changed since it was read; nothing moves by itself."""
        super().take(batch)
        if self.run_id in batch.runs:
            self.turn.follow(self.run)
        if any(event.run == self.run_id and self._is_news(event) for event in batch.events):
            self._tell_newer(is_newer=True)

    def _is_news(self, event: Event) -> bool:
        if self._comparison is None:
            return False
        match event.body:
            case FilesChanged():
                return True
            case ChangesMeasured(files=files, insertions=insertions, deletions=deletions):
                total = self._comparison.changes.total
                known = (total.files, total.insertions, total.deletions)
                return not self._since and known != (files, insertions, deletions)
            case _:
                return False

    def _tell_newer(self, *, is_newer: bool) -> None:
        for pane in (self.files, self.code):
            pane.border_subtitle = Content(NEWER) if is_newer else None

    # One file

    @on(ChangedFiles.FileSelected)
    def _chosen(self, event: ChangedFiles.FileSelected) -> None:
        self._show_diff(event.file, at_end=self._begins_at_end)
        self._begins_at_end = False

    def show_measured(self) -> None:
        """Show the measured changes of the chosen file."""
        if self.files.file:
            self._show_diff(self.files.file)
        else:
            self.code.clear()
            self.code.set_title("")

    def _show_diff(self, file: FileDelta, *, at_end: bool = False) -> None:
        self.turn.is_shown = False
        comparison = self._comparison
        if comparison:
            work = self._diff(comparison, file, at_end=at_end)
            self.run_worker(work, group="diff", exclusive=True)

    async def _diff(self, comparison: Comparison, file: FileDelta, *, at_end: bool) -> None:
        told = in_words(file)
        name = clean(printable_name(file.path))
        self.code.set_title(f"{name} · {told}" if told else name)
        if file.binary:
            self.code.clear(NO_TEXT)
            return
        try:
            out = await comparison.diff(file)
        except UserError as error:
            self.code.clear(f"{error.message} {error.recovery}")
            return
        document = await asyncio.to_thread(read_diff, out)
        if document.is_shortened:
            told = " · ".join(filter(None, [told, f"the first {len(document.lines)} lines"]))
            self.code.set_title(f"{name} · {told}")
        await self.code.show(file.path, document, empty_text=NO_LINES)
        if at_end and (rows := self.code.hunk_rows):
            self.code.go_to(rows[-1])

    # What the user asks for

    def action_open(self) -> None:
        """Go to the diff of the chosen file."""
        self.panes.go("diff")

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

    def action_turn(self) -> None:
        """Show the patches of the present turn, or the measured changes again."""
        self.turn.toggle()

    def why_not(self, command_id: str) -> UserError | None:
        """Return why there are no patches of a turn."""
        return self.turn.why_not() if command_id == "changes.turn" else None

    def action_beside(self) -> None:
        """Show old and new beside each other, or below."""
        layout = unified if self.code.arrangement is side_by_side else side_by_side
        self.run_worker(self.code.lay_out(layout), group="layout", exclusive=True)

    def action_whole(self) -> None:
        """Show the whole file as it is now."""
        file = self.files.file
        if file:
            self.post_message(CodeRequested("file", self.run_id, file.path))

    async def action_since(self) -> None:
        """Ask for the checkpoint to compare with."""
        from tui.screens.pick import PickDialog

        found = await attempt(app_of(self), self.engine.workspaces.checkpoints(self.run_id))
        if not found:
            return

        def chosen(place: int | None) -> None:
            if place is not None:
                self._since = found[place].n
                self.action_refresh()

        words = [
            f"{one.n:>4}  {formatting.time_of_day(one.at)}  {clean(one.message)}" for one in found
        ]
        place = next((n for n, one in enumerate(found) if one.n == self._since), 0)
        app_of(self).push_screen(PickDialog("Changes since checkpoint …", words, place), chosen)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey what needs a file where there is none, and what needs a home."""
        del parameters
        if action == "turn":
            return True if self.turn.is_there else None
        if action == "apply":
            run = self.engine.view.runs.get(self.run_id)
            return True if run and allows(run, "apply_run") else None
        needs_file = ("open", "whole", "beside", "next_hunk", "last_hunk", "next_file", "last_file")
        if action not in needs_file:
            return True
        file = self.files.file if self.is_mounted else None
        return True if file and (action != "whole" or file.mode) else None

    def action_apply(self) -> None:
        """Take the run's changes home, after a look at what would come."""
        from tui.screens.apply import ApplyDialog

        if run := self.engine.view.runs.get(self.run_id):
            app_of(self).push_screen(ApplyDialog(self.engine, [run]))

    # Panes

    def action_next_pane(self) -> None:
        """Go to the other pane."""
        self.panes.step()

    def action_zoom(self) -> None:
        """Show the diff on the whole screen, or beside the files again."""
        self.panes.zoom()

    async def action_back(self) -> None:
        """Leave the zoom, the diff where it is alone, the screen: whichever is the innermost."""
        if not self.panes.back():
            await super().action_back()

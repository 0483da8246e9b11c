"""The comparison that a screen of changes shows, and whether the workspace is still like that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from engine.domain.errors import UserError
from engine.domain.events import ChangesMeasured, Event, FilesChanged, StatusChanged
from engine.domain.lifecycle import FINISHED
from engine.domain.model import ChangeCount
from engine.engine import Comparison, FileDelta
from tui import formatting
from tui.formatting.questions import counted
from tui.screens.live import CodeRequested
from tui.screens.node_return import NodeReturn, place_words
from tui.widgets.files.changed_files import NOTHING

if TYPE_CHECKING:
    from tui.screens.changes import ChangesScreen

COMPARING = "Comparing …"
NEWER = "the workspace changed meanwhile: F5 refreshes"


class ShownComparison:
    """The comparison of one run's workspace with its first state, or with a checkpoint."""

    def __init__(self, screen: ChangesScreen) -> None:
        self._screen = screen
        self.since = 0
        """The checkpoint that the workspace is compared with; 0: its first state."""
        self.comparison: Comparison | None = None
        self._measured: ChangeCount | None = None
        """The changes that were recorded of the run when it was compared."""
        self._node_return = NodeReturn(screen, self._read_again)

    # Reading

    def begin(self, path: str | None) -> None:
        """Compare the screen's run, beginning with one file; at once where that is known."""
        screen = self._screen
        self.since, self.comparison = screen.comments.begin(), None
        if self.since or screen.comparisons.ready(screen.run_id) is None:
            screen.files.empty_text = COMPARING
            screen.files.show(())
            screen.code.clear()
        screen.code.forget_place()
        self._start(path)

    def refresh(self) -> None:
        """Compare with the workspace as it is now."""
        file = self._screen.files.file
        self._screen.comparisons.forget(self._screen.run_id)
        self.comparison = None
        self._start(file.path if file else None, must_be_there=False)

    def _start(self, path: str | None, *, must_be_there: bool = True) -> None:
        screen = self._screen
        self._node_return.end()
        ready = None if self.since else screen.comparisons.ready(screen.run_id)
        self._tell_newer(is_newer=False)
        if ready:
            self._show(ready.comparison, path)
        else:
            screen.files.set_title(f"{screen.run_title} · {COMPARING}")
        work = self._compare(path, must_be_there=must_be_there)
        screen.run_worker(work, group="compare", exclusive=True)

    async def _compare(self, path: str | None, *, must_be_there: bool) -> None:
        screen = self._screen
        self._measured = screen.run.changes if screen.run else None
        await screen.comments.drafts.load(screen.run_id)
        try:
            found = await screen.engine.workspaces.compare(screen.run_id, self.since)
        except UserError as error:
            self.comparison = None
            screen.comparisons.forget(screen.run_id)
            if screen.comments.forget_reviewed():  # its checkpoint may be gone
                self.since = 0
                await self._compare(path, must_be_there=must_be_there)
                return
            self._show_error(error)
            screen.review.preload()
            return
        if not self._is_shown(found):  # a comparison that was read before may be out of date
            if not self.since:
                screen.comparisons.keep(screen.run_id, found)
            self._show(found, path)
        files = found.changes.files
        if path and must_be_there and path not in {file.path for file in files}:
            screen.post_message(CodeRequested("file", screen.run_id, path))
        screen.review.preload()

    def _read_again(self) -> None:
        """Compare again without a sign of it: the node of the run may answer now."""
        self._screen.run_worker(self._compare_again(), group="compare", exclusive=True)

    async def _compare_again(self) -> None:
        try:
            await self.has_changed()
        except UserError as error:
            if self.comparison is None:
                self._show_error(error)
            elif error.entry.is_node_away:
                self._node_return.wait(self._screen.run_id)

    async def has_changed(self) -> bool:
        """Compare again; return whether the workspace is not as it was shown, and show it."""
        screen = self._screen
        run_id, since = screen.run_id, self.since
        found = await screen.engine.workspaces.compare(run_id, since)
        if (run_id, since) != (screen.run_id, self.since):
            return True
        if self._is_shown(found):
            return False
        screen.comparisons.forget(run_id)
        file = screen.files.file
        self._show(found, file.path if file else None)
        return True

    def _is_shown(self, found: Comparison) -> bool:
        """Return whether this comparison is shown; what it is of may be other words now."""
        shown = self.comparison
        if shown is None or (shown.old, shown.new) != (found.old, found.new):
            return False
        if shown.changes.checkpoint != found.changes.checkpoint:
            self._take(found)
            self.show_totals()
        elif found.changes.checkpoint is not None:
            self._node_return.wait(self._screen.run_id)
        return True

    # Showing

    def _show_error(self, error: UserError) -> None:
        self._show_files((), f"{error.message} {error.recovery}")
        if error.entry.is_node_away:
            self._node_return.wait(self._screen.run_id)

    def _take(self, found: Comparison) -> None:
        """Take this comparison for the one that is shown; one of a checkpoint is read again."""
        self.comparison = found
        if found.changes.checkpoint is None:
            self._node_return.end()
        else:
            self._node_return.wait(self._screen.run_id)

    def _show(self, found: Comparison, path: str | None) -> None:
        self._take(found)
        self._show_files(found.changes.files, NOTHING, path)

    def _show_files(
        self, files: Sequence[FileDelta], empty_text: str, path: str | None = None
    ) -> None:
        screen = self._screen
        screen.files.empty_text = empty_text
        screen.files.show(files, path)
        self.show_totals()
        screen.comments.locate()
        screen.files.show_reviewed(screen.reviewed.paths)
        screen.refresh_bindings()
        if not screen.turn.is_shown:
            screen.show_chosen()

    def show_totals(self) -> None:
        """Show the totals in the title."""
        self._screen.files.set_title(self._totals())

    def _totals(self) -> str:
        parts = [f"since checkpoint {self.since}"] if self.since else []
        if self.comparison:
            changes = self.comparison.changes
            files = self._screen.reviewed.summary or counted(len(changes.files), "file")
            parts.append(f"{files} {formatting.changes(changes.total)}")
            if changes.checkpoint is not None:
                parts.append(place_words(self._screen.run, changes.checkpoint))
            elif changes.left_out:
                parts.append(f"{len(changes.left_out)} could not be read")
        screen = self._screen
        return " · ".join(filter(None, [*parts, screen.comments.summary, screen.run_title]))

    # What happens meanwhile

    def check_measured(self) -> None:
        """Show a note where the run's measured changes are no longer those shown."""
        run = self._screen.run
        if run and self.comparison and not self.since:
            is_known = run.changes in (self._measured, self.comparison.changes.total)
            if run.changes.files and not is_known:
                self._tell_newer(is_newer=True)

    def take(self, events: Sequence[Event]) -> None:
        """Show a note where the workspace changed; forget what was read of other runs."""
        run_id = self._screen.run_id
        for event in events:
            if isinstance(event.body, FilesChanged | ChangesMeasured | StatusChanged):
                self._screen.comparisons.forget(event.run)
            if event.run == run_id and self._is_news(event):
                self._tell_newer(is_newer=True)
        run = self._screen.run
        if run and run.status in FINISHED and self._shows_nothing(events):
            self.refresh()

    def _shows_nothing(self, events: Sequence[Event]) -> bool:
        """Return whether the run has just ended, and none of its changes are shown."""
        ended = (e.run == self._screen.run_id and isinstance(e.body, StatusChanged) for e in events)
        return any(ended) and not self._screen.files.files

    def _is_news(self, event: Event) -> bool:
        if self.comparison is None:
            return False
        match event.body:
            case FilesChanged():
                return True
            case ChangesMeasured(files=files, insertions=insertions, deletions=deletions):
                total = self.comparison.changes.total
                known = (total.files, total.insertions, total.deletions)
                return not self.since and known != (files, insertions, deletions)
            case _:
                return False

    def _tell_newer(self, *, is_newer: bool) -> None:
        for pane in (self._screen.files, self._screen.code):
            pane.border_subtitle = Content(NEWER) if is_newer else None

"""Files of a run that are marked as reviewed, as long as their content is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.widgets.status.toast import app_of, attempt

if TYPE_CHECKING:
    from tui.screens.changes import ChangesScreen


class ReviewedFiles:
    """The marks of the files that one screen of changes shows."""

    def __init__(self, screen: ChangesScreen) -> None:
        self._screen = screen

    @property
    def paths(self) -> frozenset[str]:
        """The shown files that are marked, and have not changed since."""
        run = self._screen.run
        known = {one.file: one.fingerprint for one in run.reviewed} if run else {}
        files = self._screen.files.files if known else ()
        return frozenset(one.path for one in files if known.get(one.path) == one.fingerprint)

    @property
    def summary(self) -> str:
        """The number of marked files in words; empty without one."""
        count = len(self.paths)
        return f"{count}/{len(self._screen.files.files)} files reviewed" if count else ""

    def follow(self) -> None:
        """Show the marks as they are now."""
        self._screen.files.show_reviewed(self.paths)
        self._screen.show_totals()

    def toggle(self) -> None:
        """Mark the file under the cursor and go on to the next one; or remove its mark.

        On a folder, all files below it are marked.
        """
        screen = self._screen
        files = screen.files.below
        marked = self.paths
        is_new = any(one.path not in marked for one in files)
        marks = {one.path: one.fingerprint if is_new else "" for one in files}
        if marks:
            self._screen.run_worker(self._mark(screen.run_id, marks), group="mark")
        if is_new:
            self._go_on(marked | marks.keys())

    async def _mark(self, run_id: str, marks: dict[str, str]) -> None:
        work = self._screen.engine.annotations.mark_reviewed(run_id, marks)
        await attempt(app_of(self._screen), work)

    def _go_on(self, marked: frozenset[str]) -> None:
        """Go to the next file that is not marked, from the first where none follows."""
        files = self._screen.files
        ordered = list(files.files)
        at = ordered.index(files.file) + 1 if files.file in ordered else 0
        left = (one for one in (*ordered[at:], *ordered[:at]) if one.path not in marked)
        following = next(left, None)
        if following:
            files.go_to(following)

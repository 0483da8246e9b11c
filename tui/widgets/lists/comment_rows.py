"""The comments on a run, each with its place, its lines and its text."""

from __future__ import annotations

from collections.abc import Sequence

from tui.widgets.base.property_list import Property, PropertyList


class CommentRows(PropertyList):
    """List of comments in which the cursor moves from one to the next."""

    def show_comments(self, shown: Sequence[Property]) -> None:
        """Show these; the cursor stays on its comment, or at its place."""
        place = self.place
        self.show(shown)
        if shown:
            self._go(min(place, len(shown) - 1))

    @property
    def place(self) -> int:
        """The place of the comment under the cursor, from 0."""
        fact = self.fact
        return next((n for n, one in enumerate(self._facts) if one is fact), 0)

    def _go(self, place: int) -> None:
        rows = [n for n, row in enumerate(self._rows) if row.fact is self._facts[place]]
        if rows:
            self.move_cursor(rows[0])
            self.show_line(rows[-1])
            self.show_line(rows[0])

    def action_cursor_down(self) -> None:
        """Go to the next comment."""
        if self.place + 1 < len(self._facts):
            self._go(self.place + 1)

    def action_cursor_up(self) -> None:
        """Go to the comment before."""
        if self._facts:
            self._go(max(0, self.place - 1))

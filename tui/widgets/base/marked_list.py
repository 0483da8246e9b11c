"""Marks on the lines of a list: one by one, a range, or all that is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from textual.message import Message

from tui.widgets.base.grid_view import GridView


class MarkedList(GridView):
    """A list of things with ids that can be marked; what is no longer shown loses its mark.

    A line stands for one of them, or as a heading for all that belong to it.
    """

    @dataclass
    class MarksChanged(Message):
        """Other lines are marked than before."""

        marked_list: MarkedList

        @property
        def control(self) -> MarkedList:
            """The list."""
            return self.marked_list

    marks: set[str]
    _anchor: str | None = None
    """Where the range began that is being marked."""
    _before: frozenset[str] = frozenset()
    """What was marked when it began."""

    def ids_at(self, line: int) -> Sequence[str]:
        """Give the ids a line stands for, in order."""
        raise NotImplementedError

    def all_ids(self) -> Iterable[str]:
        """Give all ids that are shown."""
        raise NotImplementedError

    def is_shown(self, one: str) -> bool:
        """Say whether an id is shown, be it under a heading that is folded."""
        raise NotImplementedError

    def line_of(self, one: str) -> int | None:
        """Give the line an id stands on."""
        raise NotImplementedError

    @property
    def is_marking(self) -> bool:
        """Whether the cursor marks what it passes."""
        return self._anchor is not None

    def set_marks(self, ids: Iterable[str]) -> None:
        """Mark exactly these, as far as they are shown."""
        marks = {one for one in ids if self.is_shown(one)}
        if marks != self.marks:
            self.marks = marks
            self.refresh(self.stretch(0, self.size.height))
            self.post_message(self.MarksChanged(self))

    def drop_hidden_marks(self) -> None:
        """Unmark what is no longer shown: actions apply to what is seen."""
        if self.marks:
            self.set_marks(self.marks)

    def cursor_moved(self) -> None:
        """Mark what lies between the cursor and the beginning of the range."""
        anchor = None if self._anchor is None else self.line_of(self._anchor)
        if anchor is None:
            return
        first, last = sorted((anchor, self.cursor_line))
        between = {one for line in range(first, last + 1) for one in self._own(line)}
        self.set_marks(self._before | between)

    def _own(self, line: int) -> Sequence[str]:
        """Give what a line adds to a range: a heading only what is not on lines of its own."""
        ids = self.ids_at(line)
        return ids if ids and self.line_of(ids[0]) == line else ()

    def action_mark(self) -> None:
        """Mark the line under the cursor or unmark it, and go on to the next."""
        self._anchor = None
        if self.line_count:
            ids = set(self.ids_at(self.cursor_line))
            self.set_marks(self.marks - ids if ids <= self.marks else self.marks | ids)
            self.move_cursor(self.cursor_line + 1)

    def action_mark_range(self) -> None:
        """Mark from here to where the cursor goes; the second time, leave it at that."""
        if self._anchor is not None or not self.line_count:
            self._anchor = None
            return
        ids = self.ids_at(self.cursor_line)
        self._anchor = ids[0]
        self._before = frozenset(self.marks)
        self.set_marks(self.marks | set(self._own(self.cursor_line)))

    def action_mark_all(self) -> None:
        """Mark everything that is shown."""
        self._anchor = None
        self.set_marks(self.all_ids())

    def action_clear_marks(self) -> None:
        """Mark nothing."""
        self._anchor = None
        self.set_marks(())

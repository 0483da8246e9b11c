"""Marks on the lines of a list: one by one, a range, or all that is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from textual.message import Message

from tui.widgets.line_view import LineView


class MarkedList(LineView):
    """A list whose lines have ids that can be marked; what is no longer shown loses its mark."""

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

    def shown_ids(self) -> Sequence[str]:
        """Give the ids of all lines, in order."""
        raise NotImplementedError

    @property
    def is_marking(self) -> bool:
        """Whether the cursor marks what it passes."""
        return self._anchor is not None

    def set_marks(self, ids: Iterable[str]) -> None:
        """Mark exactly these lines, as far as they are shown."""
        marks = set(ids) & set(self.shown_ids())
        if marks != self.marks:
            self.marks = marks
            self.refresh(self.size.region)
            self.post_message(self.MarksChanged(self))

    def drop_hidden_marks(self) -> None:
        """Unmark what is no longer shown: actions apply to what is seen."""
        if self.marks:
            self.set_marks(self.marks)

    def cursor_moved(self) -> None:
        """Mark what lies between the cursor and the beginning of the range."""
        if self._anchor is None:
            return
        ids = self.shown_ids()
        if self._anchor in ids:
            ends = sorted((ids.index(self._anchor), self.cursor_line))
            self.set_marks(self._before | set(ids[ends[0] : ends[1] + 1]))

    def action_mark(self) -> None:
        """Mark the line under the cursor or unmark it, and go on to the next."""
        self._anchor = None
        if self.line_count:
            self.set_marks(self.marks ^ {self.shown_ids()[self.cursor_line]})
            self.action_cursor_down()

    def action_mark_range(self) -> None:
        """Mark from here to where the cursor goes; the second time, leave it at that."""
        if self._anchor is not None or not self.line_count:
            self._anchor = None
            return
        self._anchor = self.shown_ids()[self.cursor_line]
        self._before = frozenset(self.marks)
        self.set_marks(self.marks | {self._anchor})

    def action_mark_all(self) -> None:
        """Mark everything that is shown."""
        self._anchor = None
        self.set_marks(self.shown_ids())

    def action_clear_marks(self) -> None:
        """Mark nothing."""
        self._anchor = None
        self.set_marks(())

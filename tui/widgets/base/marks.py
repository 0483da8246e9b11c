"""Marks on the lines of a list: one by one, a range, or all that is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from textual.message import Message

from engine.domain.record import mutable_record
from tui.widgets.base.line_view import LineView


class MarkableLines(Protocol):
    """Ids on the lines of a list; a line shows one, or is the heading of several."""

    def ids_at(self, line: int) -> Sequence[str]:
        """Return the ids on a line, in order."""
        ...

    def visible_ids(self) -> Iterable[str]:
        """Return all ids that are shown, without those under a folded heading."""
        ...

    def __contains__(self, one: str, /) -> bool:
        """Return whether an id is shown, under a folded heading too."""
        ...

    def line_of(self, one: str, /) -> int | None:
        """Return the line an id is on."""
        ...


@mutable_record
class MarksChanged(Message):
    """Other ids are marked than before."""

    view: LineView
    count: int
    """Ids that are marked now."""

    @property
    def control(self) -> LineView:
        """The list."""
        return self.view


class Marks:
    """Marked ids of a view; an id that is no longer shown loses its mark."""

    def __init__(
        self,
        view: LineView,
        lines: Callable[[], MarkableLines],
        is_awaited: Callable[[str], bool] = lambda one: False,
    ) -> None:
        """Mark ids of `lines`; those that are awaited there keep their marks meanwhile."""
        self._view = view
        self._lines = lines
        self._is_awaited = is_awaited
        self.ids: AbstractSet[str] = frozenset()
        """The marked ids; another set after every change."""
        self._anchor: str | None = None
        """Start of the range that is being marked."""
        self._before: frozenset[str] = frozenset()
        """The ids that were marked when the range began."""

    def set(self, ids: Iterable[str]) -> None:
        """Mark exactly these ids, as far as they are shown."""
        lines = self._lines()
        marked = frozenset(one for one in ids if one in lines or self._is_awaited(one))
        if marked != self.ids:
            self.ids = marked
            self._view.refresh(self._view.stretch(0, self._view.size.height))
            self._view.post_message(MarksChanged(self._view, len(marked)))

    def drop_hidden(self) -> None:
        """Unmark ids that are no longer shown: actions apply to what is seen."""
        if self.ids:
            self.set(self.ids)

    def follow_cursor(self) -> None:
        """Mark the lines between the cursor and the beginning of the range, if there is one."""
        lines = self._lines()
        anchor = None if self._anchor is None else lines.line_of(self._anchor)
        if anchor is None:
            return
        first, last = sorted((anchor, self._view.cursor_line))
        between = {one for line in range(first, last + 1) for one in self._own(line)}
        self.set(self._before | between)

    def _own(self, line: int) -> Sequence[str]:
        """Return what a line adds to a range: a heading only ids that have no lines."""
        ids = self._lines().ids_at(line)
        return ids if ids and self._lines().line_of(ids[0]) == line else ()

    def toggle(self) -> None:
        """Mark the line under the cursor or unmark it, and go to the next."""
        self._anchor = None
        if self._view.line_count:
            ids = frozenset(self._lines().ids_at(self._view.cursor_line))
            self.set(self.ids - ids if ids <= self.ids else self.ids | ids)
            self._view.move_cursor(self._view.cursor_line + 1)

    def toggle_range(self) -> None:
        """Mark from here to where the cursor goes; the second time, end the range."""
        if self._anchor is not None or not self._view.line_count:
            self._anchor = None
            return
        here = self._view.cursor_line
        self._anchor = self._lines().ids_at(here)[0]
        self._before = frozenset(self.ids)
        self.set(self.ids | set(self._own(here)))

    def mark_all(self) -> None:
        """Mark everything that is shown; what is folded is not."""
        self._anchor = None
        self.set(self._lines().visible_ids())

    def clear(self) -> None:
        """Remove all marks."""
        self._anchor = None
        self.set(())


class MarkableView(LineView):
    """List with the commands that mark its lines; a subclass sets `marks`."""

    marks: Marks

    def action_mark(self) -> None:
        """Mark the line under the cursor or unmark it, and go to the next."""
        self.marks.toggle()

    def action_mark_range(self) -> None:
        """Mark from here to where the cursor goes; the second time, end the range."""
        self.marks.toggle_range()

    def action_mark_all(self) -> None:
        """Mark everything that is shown."""
        self.marks.mark_all()

    def action_clear_marks(self) -> None:
        """Remove all marks."""
        self.marks.clear()

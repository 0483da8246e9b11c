"""The run or heading under the cursor of the run list: it stays there while lines move."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.models.grouped_runs import RunGroup
from tui.widgets.runs.run_messages import RunHighlighted

if TYPE_CHECKING:
    from tui.widgets.runs.run_list import RunList


class ListCursor:
    """The cursor of a list: on a run, or on a heading."""

    def __init__(self, view: RunList) -> None:
        self._view = view
        self._held: tuple[bool, str] | None = None
        """True if the cursor is on a heading, and the heading's name or the run's id."""
        self._announced: str | None = None

    @property
    def _found(self) -> RunGroup | str | None:
        lines = self._view.arrangement
        return lines[self._view.cursor_line] if len(lines) else None

    @property
    def run(self) -> str | None:
        """Return the id of the run under the cursor; None on a heading."""
        found = self._found
        return found if isinstance(found, str) else None

    @property
    def group(self) -> RunGroup | None:
        """Return the group whose heading is under the cursor."""
        found = self._found
        return found if isinstance(found, RunGroup) else None

    @property
    def group_name(self) -> str | None:
        """Return the name of the group in which the cursor is, where that has a heading."""
        if self._held is None:
            return None
        is_heading, name = self._held
        if not is_heading and name not in self._view.arrangement:
            return None
        group = name if is_heading else self._view.arrangement.group_of(name)
        return group if self._view.arrangement.has_heading(group) else None

    @property
    def is_awaited(self) -> bool:
        """Return whether the remembered run is not arranged yet.

        One that is gone is not waited for: the run now under the cursor is held instead, or the
        runs that follow would push another one under it.
        """
        if self._held is None:
            return False
        is_heading, name = self._held
        return not is_heading and self._view.arrangement.awaits(name)

    def hold(self) -> None:
        """Remember what the cursor is on, and announce another run."""
        found = self._found
        if found is None:
            self._held = None
        else:
            is_heading = isinstance(found, RunGroup)
            self._held = (is_heading, found.name if isinstance(found, RunGroup) else found)
        if self.run != self._announced:
            self._announced = self.run
            self._view.post_message(RunHighlighted(self._view, self.run))

    def hold_heading(self, group: str) -> None:
        """Move to a heading as soon as the lines are laid out."""
        self._held = (True, group)

    def line(self) -> int | None:
        """Return the line on which the held run or heading is now; None where it is gone."""
        if self._held is None:
            return None
        lines = self._view.arrangement
        is_heading, name = self._held
        if not is_heading:
            return lines.line_of(name)
        line = lines.heading_of(name) if lines.has_heading(name) else None
        if line is None and len(lines):
            # Onto no run of another group: the next key was meant for the whole of this one.
            near = lines[min(self._view.cursor_line, len(lines) - 1)]
            line = lines.heading_of(
                near.name if isinstance(near, RunGroup) else lines.group_of(near)
            )
        return line

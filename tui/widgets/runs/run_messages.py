"""Messages of the run list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

from engine.domain.record import mutable_record

if TYPE_CHECKING:
    from tui.widgets.runs.run_list import RunList


@mutable_record
class RunHighlighted(Message):
    """The cursor is on another run; None where it is on none."""

    run_list: RunList
    run_id: str | None

    @property
    def control(self) -> RunList:
        """Return the list."""
        return self.run_list


@mutable_record
class RunOpened(Message):
    """The user opened a run."""

    run_list: RunList
    run_id: str

    @property
    def control(self) -> RunList:
        """Return the list."""
        return self.run_list


@mutable_record
class HeadClicked(Message):
    """The user clicked on a column's heading."""

    column: str

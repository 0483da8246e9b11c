"""A range of lines in a log, from where it was started to the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui import formatting
from tui.widgets.log.window_entry import LogPosition

if TYPE_CHECKING:
    from tui.widgets.log.event_log import EventLog


class LogSelection:
    """The range of a log, if one is started."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._anchor: LogPosition | None = None

    @property
    def is_active(self) -> bool:
        """True while a range is started."""
        return self._anchor is not None

    @property
    def lines(self) -> range:
        """The lines of the range that are in the window."""
        anchor = self._log.window.line_of(self._anchor)
        if anchor is None:
            return range(0)
        cursor = self._log.cursor_line
        return range(min(anchor, cursor), max(anchor, cursor) + 1)

    @property
    def summary(self) -> str:
        """The number of lines in words, and the keys that apply; empty without a range."""
        count, dot = len(self.lines), formatting.sign("·", "-")
        lines = f"{count} line{'' if count == 1 else 's'}"
        return f"{lines} marked {dot} y copies {dot} esc" if count else ""

    @property
    def texts(self) -> list[str]:
        """The full texts of the lines, or of the one under the cursor."""
        log = self._log
        lines = self.lines or range(log.here, log.here + min(1, log.line_count))
        return [log.window.at(line)[1].text for line in lines]

    def start(self) -> None:
        """Start a range at the line under the cursor."""
        self._change(self._log.window.place(self._log.here))

    def end(self) -> None:
        """End the range."""
        if self._anchor:
            self._change(None)

    def _change(self, anchor: LogPosition | None) -> None:
        self._anchor = anchor
        self._log.show_range()
        self._log.refresh_bindings()

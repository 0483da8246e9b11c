"""A range of lines in a window of events: marked, told in the border, copied."""

from __future__ import annotations

from dataclasses import replace

from tui import formatting
from tui.terminal.cells import clean
from tui.widgets.log.log_line import TIMES
from tui.widgets.log.window_entry import LogPosition
from tui.widgets.log.window_view import WindowView
from tui.widgets.status.toast import app_of, tell


class RangeView(WindowView):
    """Lines that can be marked from one to another, and copied as they are, columns left out."""

    _anchor: LogPosition | None = None

    @property
    def is_ranging(self) -> bool:
        """Whether a range is being marked."""
        return self._anchor is not None

    @property
    def range_lines(self) -> range:
        """The lines of the range that are in the window."""
        anchor = self.window.line_of(self._anchor)
        if anchor is None:
            return range(0)
        return range(min(anchor, self.cursor_line), max(anchor, self.cursor_line) + 1)

    def action_mark_range(self) -> None:
        """Mark from here on; again: no more."""
        if self._anchor:
            self.end_range()
        elif self.line_count:
            self._anchor = self.window.place(self.here)
            self.follow_end(False)
            self._show_range()
            self.refresh_bindings()

    def end_range(self) -> None:
        """Mark nothing any more."""
        if self._anchor:
            self._anchor = None
            self._show_range()
            self.refresh_bindings()

    def _show_range(self) -> None:
        self.tell()
        self.refresh()

    def tell(self) -> None:
        """Say in the border how many lines are marked, or how the reader stands."""
        count = len(self.range_lines)
        dot = formatting.sign("·", "-")
        if count:
            lines = f"{count} line{'' if count == 1 else 's'}"
            self.say(f"{lines} marked {dot} y copies {dot} esc")
        else:
            super().tell()

    @property
    def is_held(self) -> bool:
        """Whether the reader looks at what is marked or searched for."""
        return self.is_ranging or self.lines_look.lit is not None

    def cursor_moved(self) -> None:
        """Carry the range along."""
        super().cursor_moved()
        if self._anchor:
            self._show_range()

    def action_copy(self) -> None:
        """Copy the marked lines, or the one under the cursor, uncut."""
        lines = self.range_lines or range(self.here, self.here + min(1, self.line_count))
        if not lines:
            return
        texts = [self.window.at(line)[1].text for line in lines]
        app_of(self).copy_to_clipboard("\n".join(texts))
        said = clean(texts[0], 60) if len(texts) == 1 else f"{len(texts)} lines"
        tell(app_of(self), f"Copied {said}")
        self.end_range()

    def action_wrap(self) -> None:
        """Wrap long lines, or cut them."""
        self.wrap = not self.wrap

    def action_times(self) -> None:
        """Show the time of day, the time since the run's start, or neither."""
        times = TIMES[(TIMES.index(self.lines_look.times) + 1) % len(TIMES)]
        self.lines_look = replace(self.lines_look, times=times)

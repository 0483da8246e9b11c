"""All of a request: what it asks for, the agent's reason, the runs, and the steps before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

from tui import formatting
from tui.formatting.interaction import decision_words
from tui.formatting.request_text import (
    RequestContext,
    TextRow,
    context_rows,
    essential_rows,
    laid_out,
)
from tui.models.open_requests import RequestGroup
from tui.terminal.cells import clean
from tui.widgets.base.line_view import LineView

CONTEXT = RequestContext()


class TextView(LineView):
    """Rows of text with tones, of which only those in view are drawn."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"line--alarm"}
    DEFAULT_CSS = """
    TextView { & > .line--alarm { color: $error; text-style: bold reverse; } }
    """

    def __init__(self, *, title: str = "", empty_text: str = "") -> None:
        super().__init__(title=title, empty_text=empty_text)
        self._rows: Sequence[TextRow] = ()
        self.is_painted = False
        """True if it has been on the screen."""
        self.painted_to = 0
        """The rows that have been on the screen, from the first one on, without a gap."""
        self._laid_out_for: int = 0

    def rows(self, width: int) -> Sequence[TextRow]:
        """Return all rows, none wider than `width` cells."""
        raise NotImplementedError

    def styles_changed(self) -> None:
        """Arrange the text again."""
        self.lay_out(cursor=self.cursor_line)

    def lay_out(self, cursor: int) -> None:
        """Arrange the text for the width at hand."""
        width = self.scrollable_content_region.width
        if self.is_attached and width:
            if width != self._laid_out_for:  # other rows, of which none was on the screen
                self._laid_out_for, self.painted_to = width, 0
            self._rows = self.rows(width - 2)
            self.set_lines(len(self._rows), cursor=cursor)

    @property
    def essential(self) -> int:
        """Return the number of rows that have to be read, from the first one on."""
        return len(self._rows)

    @property
    def is_covered(self) -> bool:
        """Return whether a toast covers rows that have to be read."""
        region, top = self.content_region, self.scroll_offset.y
        rows = max(0, min(region.height, self.essential - top))
        shown = Region(region.x, region.y, region.width, rows)
        toasts = self.screen.query("Toast")
        return any(toast.is_attached and shown.overlaps(toast.region) for toast in toasts)

    @property
    def is_read(self) -> bool:
        """Return whether all that has to be read was on the screen, and is not covered now."""
        return self.is_painted and self.painted_to >= self.essential and not self.is_covered

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines of a region, and remember what has been on the screen."""
        self.is_painted = True
        top, height = self.scroll_offset.y, self.scrollable_content_region.height
        if top <= self.painted_to < top + height and not self.is_covered:
            self.painted_to = top + height
        return super().render_lines(crop)

    def draw(self, line: int, width: int) -> Strip:
        """Draw one row."""
        row, cursor = self._rows[line], self.has_focus and line == self.cursor_line
        gutter = formatting.sign("▌", "|") if cursor else " "
        segments = [
            Segment(gutter, self.paint.tone("live")),
            Segment(row.lead, self.paint.tone("faint")),
            Segment(row.text, self._style(row.tone)),
            Segment(row.end, self.paint.tone("warn")),
        ]
        return self.paint.strip(segments, width, cursor=cursor)

    def _style(self, tone: str) -> Style:
        if tone == "alarm":
            return self.get_component_rich_style("line--alarm", partial=True)
        if tone == "strong":
            return self.paint.tone("plain") + self.paint.strong()
        return self.paint.tone(tone)

    def on_focus(self) -> None:
        """Show the cursor."""
        self.repaint(self.cursor_line)

    def on_blur(self) -> None:
        """Hide the cursor."""
        self.repaint(self.cursor_line)


class RequestView(TextView):
    """All of one request."""

    def __init__(self) -> None:
        super().__init__(title="Request")
        self._group: RequestGroup | None = None
        self._around = CONTEXT
        self._asked: tuple[object, int, Sequence[TextRow]] = (None, 0, ())
        """The rows of what was laid out last, which may be long, with their request and width."""
        self._essential = 0
        self.painted_group: RequestGroup | None = None
        """The request as it was painted last: the only one that may be answered."""

    def show(self, group: RequestGroup | None, around: RequestContext = CONTEXT) -> None:
        """Show a request; the reader stays where they are as long as it is the same one."""
        is_same = bool(group and self._group and group.key == self._group.key)
        if group is self._group and around == self._around:
            return
        self._group, self._around = group, around
        kind = f" · {clean(group.request.kind.value, 20)}" if group and group.request.kind else ""
        self.set_title(f"Request{kind}")
        self.lay_out(cursor=self.cursor_line if is_same else 0)
        if not is_same:
            self.painted_to = 0
            self.scroll_to(y=0, animate=False, force=True)

    @property
    def essential(self) -> int:
        """Return the number of rows of what would be approved."""
        return self._essential

    def rows(self, width: int) -> Sequence[TextRow]:
        """Return the request first, then the facts around it."""
        if self._group is None:
            return ()
        request = self._group.request
        if self._asked[0] is not request or self._asked[1] != width:
            asked = list(laid_out(list(essential_rows(request)), width))
            self._asked = (request, width, asked)
        rows = [*laid_out(_status_rows(self._group), width), *self._asked[2]]
        self._essential = len(rows)
        return [*rows, *laid_out(list(context_rows(request, self._around)), width)]

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines of a region, and remember which request they show."""
        self.painted_group = self._group
        return super().render_lines(crop)


def _status_rows(group: RequestGroup) -> list[TextRow]:
    """Return what became of a request that no longer waits for an answer."""
    if group.open:
        return []
    if group.answered:
        return [TextRow("It is answered: the answer is on its way to the agent.", "warn")]
    end = group.end
    if end and end.decision:
        return [TextRow(f"{decision_words(end)}; the agent has the answer.", "good")]
    return [TextRow("It is no longer open: the request was withdrawn.", "warn")]

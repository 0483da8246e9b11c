"""The nodes of the cluster, a line each, and the facts and runs of one of them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from engine.domain.node import NodeCondition, NodeSummary
from tui import formatting
from tui.formatting.nodes import NODE_COLUMNS, NODE_TONES, NodeColumn, node_name
from tui.terminal.cells import clean, fit, wrap
from tui.widgets.base.line_view import LineView

NAME, BAR, MOST_NAME, MOST_BAR = 12, 6, 32, 20
"""Least and most room of the name and of the bar of slots."""
GAP = 2
DROPPED = ("MEMORY", "LOAD", "DISK")
"""Columns left out on a narrow screen, the first one first."""
Part = tuple[str, str]


class NodeColumns:
    """The columns that have room, and the widths of the name and the bar of slots."""

    def __init__(self, width: int) -> None:
        self.shown = list(NODE_COLUMNS)
        room = width - 1
        for name in DROPPED:
            if self._rest(room) >= NAME + BAR + GAP:
                break
            self.shown = [column for column in self.shown if column.name != name]
        rest = max(0, self._rest(room) - GAP)
        self.name = min(MOST_NAME, max(1, rest - min(MOST_BAR, max(BAR, rest // 3))))
        self.bar = max(0, min(MOST_BAR, rest - self.name))

    def _rest(self, room: int) -> int:
        return room - sum(GAP + column.width for column in self.shown)

    def parts(self, name: str, texts: dict[str, Part], bar: Part, tone: str) -> list[Part]:
        """Return a row in pieces, each with its tone."""
        found = [(fit(name, self.name), tone)]
        for column in self.shown:
            if column.name == "SLOTS" and self.bar:
                text, bar_tone = bar
                found.append((" " * GAP + fit(text, self.bar), bar_tone))
            text, cell_tone = texts[column.name]
            found.append((" " * GAP + fit(text, column.width, right=column.is_number), cell_tone))
        return found


class NodeHeading(LineView, can_focus=False):
    """State of the cluster, above the names of the columns."""

    DEFAULT_CSS = "NodeHeading { height: 2; border: none; overflow-y: hidden; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._words: Part = ("", "dim")

    def show(self, words: str, tone: str) -> None:
        """Show how the cluster stands."""
        self._words = (words, tone)
        self.paint.forget_strips()
        self.set_lines(2, cursor=0)

    def draw(self, line: int, width: int) -> Strip:
        """Draw one of both lines."""
        if line == 0:
            text, tone = self._words
            return self.paint.strip([Segment(f" {text}", self.paint.tone(tone))], width)
        names = {column.name: (column.name, "faint") for column in NODE_COLUMNS}
        parts = NodeColumns(width).parts("NODE", names, ("", "faint"), "faint")
        segments = [Segment(text, self.paint.tone(tone)) for text, tone in parts]
        return self.paint.strip([Segment(" "), *segments], width)


class NodeList(LineView):
    """The nodes with a cursor on one."""

    DEFAULT_CSS = """
    NodeList {
        height: 1fr; border: none; padding: 0 1;
        &:focus { border: none; }
    }
    """

    class NodeSelected(Message):
        """The cursor is on another node."""

    class NodeOpened(Message):
        """The user wants to see the runs of the node."""

    def __init__(self) -> None:
        super().__init__(empty_text="Asking the cluster …")
        self._listed: Sequence[NodeSummary] = ()

    @property
    def chosen(self) -> NodeSummary | None:
        """The node under the cursor."""
        return self._listed[self.cursor_line] if self._listed else None

    def show(self, nodes: Sequence[NodeSummary]) -> None:
        """Show these, the cursor on the node it was on."""
        before = self.chosen.name if self.chosen else ""
        names = [node.name for node in nodes]
        place = names.index(before) if before in names else min(self.cursor_line, len(names) - 1)
        if nodes != self._listed:
            self._listed = nodes
            self.paint.forget_strips()
            self.set_lines(len(nodes), cursor=max(0, place))
            self.show_line(self.cursor_line)
        self.post_message(self.NodeSelected())

    def cursor_moved(self) -> None:
        """Notify the screen of the node under the cursor."""
        self.post_message(self.NodeSelected())

    def on_click(self, event: events.Click) -> None:
        """Select the node clicked; a double click opens it."""
        line = self.line_at(event)
        if line is not None:
            self.move_cursor(line)
            if event.chain == 2:
                self.post_message(self.NodeOpened())

    def draw(self, line: int, width: int) -> Strip:
        """Draw one node."""
        node, cursor = self._listed[line], line == self.cursor_line
        tone = "dim" if node.is_away else "plain"
        texts = {column.name: (column.text(node), _tone(column, node)) for column in NODE_COLUMNS}
        columns = NodeColumns(width)
        bar = (_slots_bar(node, columns.bar), "dim" if node.is_away else "live")
        parts = columns.parts(node_name(node), texts, bar, tone)
        gutter = formatting.sign("▌", "|") if cursor else " "
        segments = [Segment(gutter, self.paint.tone("live"))]
        segments += [Segment(text, self.paint.tone(tone)) for text, tone in parts]
        return self.paint.strip(segments, width, cursor=cursor)


def _slots_bar(node: NodeSummary, width: int) -> str:
    machine = node.machine
    if machine is None or not machine.slots or node.condition is NodeCondition.LOST:
        return ""
    return formatting.bar(100 * machine.busy_slots / machine.slots, width)


def _tone(column: NodeColumn, node: NodeSummary) -> str:
    """Return the tone of a cell: of the condition, or of a machine on which Codex cannot work."""
    if column.name == "STATE":
        return NODE_TONES[node.condition]
    if node.is_away:
        return "dim"
    machine = node.machine
    if column.name == "CODEX" and machine and not (machine.agent_version and machine.is_logged_in):
        return "warn"
    return "plain"


class NodeText(LineView, can_focus=False):
    """Facts of the node under the cursor, and the runs there; only rows in view are drawn."""

    def __init__(self) -> None:
        super().__init__(title="Node")
        self._text: Sequence[Part] = ()
        self._rows: list[Part] = []

    def show(self, title: str, text: Sequence[Part]) -> None:
        """Show lines of text, each with its tone."""
        self.set_title(title)
        if text != self._text:
            self._text = text
            self.styles_changed()

    def styles_changed(self) -> None:
        """Wrap the text again."""
        if self.is_attached:
            room = max(10, self.scrollable_content_region.width - 2)
            self._rows = [
                (row, tone)
                for text, tone in self._text
                for row in list(wrap(clean(text, 500), room)) or [""]
            ]
            self.paint.forget_strips()
            self.set_lines(len(self._rows), cursor=0)

    def draw(self, line: int, width: int) -> Strip:
        """Draw one line."""
        text, tone = self._rows[line]
        return self.paint.strip([Segment(f" {text}", self.paint.tone(tone))], width)

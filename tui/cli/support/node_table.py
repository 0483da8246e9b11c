"""The table of nodes that `swarm-tui nodes` prints."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from engine.domain.node import ClusterSummary, NodeSummary
from tui.cli.support.colours import COLOURS
from tui.cli.support.usage_table import terminal_width
from tui.formatting.nodes import NODE_COLUMNS, NODE_TONES, NodeColumn, node_name, node_problems
from tui.terminal.cells import cells, fit

GAP = 2
LEAST_NAME = 8
Piece = tuple[str, str | None]


def node_lines(cluster: ClusterSummary) -> Iterator[list[Piece]]:
    """Yield the lines of the table, which fits the terminal; in a pipe names are whole."""
    widths = {column.name: _width(column, cluster) for column in NODE_COLUMNS}
    longest = max((cells(node_name(node)) for node in cluster.nodes), default=0)
    room = terminal_width() - sum(GAP + width for width in widths.values())
    longest = max(longest, len("NODE"))
    width = min(longest, max(LEAST_NAME, room)) if terminal_width() else longest
    heading = [_cell(column, column.name, widths) for column in NODE_COLUMNS]
    yield [(fit("NODE", width) + "".join(heading), "bright_black")]
    for node in cluster.nodes:
        yield _row(node, width, widths)


def problem_lines(cluster: ClusterSummary, now: float) -> Iterator[str]:
    """Yield a line for each problem of a node."""
    here = version("swarm-tui")
    for node in cluster.nodes:
        yield from node_problems(node, now, here)


def _width(column: NodeColumn, cluster: ClusterSummary) -> int:
    """Return the width of a column, as narrow as its texts."""
    texts = [column.name, *(column.text(node) for node in cluster.nodes)]
    return min(column.width, max(map(cells, texts)))


def _row(node: NodeSummary, width: int, widths: dict[str, int]) -> list[Piece]:
    colour = COLOURS.get(NODE_TONES[node.condition])
    rest = "".join(_cell(column, column.text(node), widths) for column in NODE_COLUMNS[1:])
    state = NODE_COLUMNS[0]
    return [
        (fit(node_name(node), width), None),
        (_cell(state, state.text(node), widths), colour),
        (rest, None),
    ]


def _cell(column: NodeColumn, text: str, widths: dict[str, int]) -> str:
    return " " * GAP + fit(text, widths[column.name], right=column.is_number)

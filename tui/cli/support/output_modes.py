"""Choice of the display that fits the output."""

from __future__ import annotations

import sys
from collections.abc import Collection

from engine.domain.cost import RunCost, no_cost
from engine.domain.model import Run
from tui.cli.support import output
from tui.cli.support.follow import RunDisplay, RunFollower
from tui.cli.support.plain_lines import JsonLines, PlainLines
from tui.cli.support.run_names import RunNames


def choose(
    follower: RunFollower, *, as_json: bool, full: bool = False, has_bookkeeping: bool = False
) -> RunDisplay:
    """Return JSON where it is asked for, a live view on a terminal, else plain lines.

    `full` shows all output instead of its last lines, `has_bookkeeping` all events.
    """
    if as_json:
        return JsonLines()
    if output.is_terminal(sys.stdout):
        from tui.cli.support.live_view import LiveView  # brings most of Rich

        return LiveView(follower, full=full, has_bookkeeping=has_bookkeeping)
    runs = follower.runs.values()
    return plain_lines(runs, full=full, has_bookkeeping=has_bookkeeping, cost=follower.cost)


def plain_lines(
    runs: Collection[Run], *, full: bool, has_bookkeeping: bool, cost: RunCost = no_cost
) -> PlainLines:
    """Return the display as plain lines; with several runs, each line names its run."""
    if len(runs) == 1:
        return PlainLines(full=full, has_bookkeeping=has_bookkeeping, cost=cost)
    names = RunNames(runs)
    return PlainLines(names.prefix, full=full, has_bookkeeping=has_bookkeeping, colour=names.colour)

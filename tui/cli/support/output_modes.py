"""Choice of the display that fits the output."""

from __future__ import annotations

import sys

from engine.domain.model import Run
from tui.cli.support import output
from tui.cli.support.follow import RunDisplay, RunFollower
from tui.cli.support.plain_lines import JsonLines, PlainLines


def choose(follower: RunFollower, *, as_json: bool, full: bool = False) -> RunDisplay:
    """Return JSON where it is asked for, a live view on a terminal, else plain lines.

    `full` shows all output instead of its last lines.
    """
    if as_json:
        return JsonLines()
    if output.is_terminal(sys.stdout):
        from tui.cli.support.live_view import LiveView  # brings most of Rich

        return LiveView(follower, full=full)
    return PlainLines(_id if len(follower.runs) > 1 else None, full=full)


def _id(run: Run) -> str:
    return run.id

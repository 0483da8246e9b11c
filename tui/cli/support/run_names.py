"""Names of several runs whose lines are printed together: short and coloured on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from engine.domain.model import Run
from tui import formatting
from tui.cli.support import output
from tui.formatting.distinct_names import distinct_names
from tui.terminal.cells import fit

WIDTH = 18
COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "bright_cyan")


class RunNames:
    """A name and a colour for each of some runs; where no terminal is, its id."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._titles = {run.id: formatting.title(run) for run in runs}
        self._names = distinct_names(self._titles, WIDTH)
        self._numbers = {run_id: number for number, run_id in enumerate(self._titles)}
        self._is_short = output.is_terminal(sys.stdout)

    def short(self, run_id: str) -> str:
        """Return the name of a run with what distinguishes it first, `WIDTH` cells wide."""
        return fit(self._names.get(run_id, run_id), WIDTH)

    def prefix(self, run: Run) -> str:
        """Return the name that the lines of a run begin with."""
        return f"{self.short(run.id)} {formatting.sign('│', '|')}" if self._is_short else run.id

    def colour(self, run_id: str) -> str:
        """Return the colour of a run, which none of the next runs has."""
        return COLOURS[self._numbers.get(run_id, 0) % len(COLOURS)]

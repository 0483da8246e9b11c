"""Facts of runs that a log shows beside their events: name, colour, time and prompt."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.domain.model import Run
from tui import formatting
from tui.formatting.distinct_names import distinct_names

NAME = 9
"""Cells in which the names of runs differ."""


class LogRuns:
    """Names and numbers of all runs; a number never changes."""

    def __init__(self, runs: Callable[[], Mapping[str, Run]], name_width: int = NAME) -> None:
        self._runs = runs
        self._width = name_width
        self._numbers: dict[str, int] = {}
        self._names: dict[str, str] = {}

    def name(self, run_id: str) -> str:
        """Return the name of a run, with what distinguishes it first."""
        self._know(run_id)
        return self._names.get(run_id, run_id)

    def number(self, run_id: str) -> int:
        """Return the number of a run, from 0; it decides the run's colour."""
        self._know(run_id)
        return self._numbers.get(run_id, 0)

    def began_at(self, run_id: str) -> float:
        """Return the time at which a run was made; 0 if it is unknown."""
        run = self._runs().get(run_id)
        return run.created_at if run else 0.0

    def prompt(self, run_id: str) -> str:
        """Return the prompt of a run; empty if it is unknown."""
        run = self._runs().get(run_id)
        return run.spec.prompt if run else ""

    def _know(self, run_id: str) -> None:
        """Record numbers and names of all runs if this one is new."""
        runs = self._runs()
        if run_id in self._numbers or run_id not in runs:
            return
        for one in runs:
            self._numbers.setdefault(one, len(self._numbers))
        titles = {run_id: formatting.title(run) for run_id, run in runs.items()}
        self._names = distinct_names(titles, self._width)

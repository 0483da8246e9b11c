"""Comparison of runs from the list: the marked ones, or those of the chosen run's task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.domain.errors import UserError, user_error
from engine.domain.model import Run
from engine.domain.ranking import of_same_task, ranked
from tui.widgets.status.toast import app_of, report

if TYPE_CHECKING:
    from tui.screens.live import LiveScreen
    from tui.screens.run_browser import RunBrowser

ALONE = "There is no other run of this task."
HINT = "Mark the runs to compare with space."


class RunComparer:
    """Opener of the comparison from a screen with a list of runs."""

    def __init__(self, screen: LiveScreen, browser: RunBrowser, place: str) -> None:
        self._screen, self._browser, self._place = screen, browser, place

    def why_not(self) -> UserError:
        """Return why there is nothing to compare."""
        return user_error("INPUT_INVALID", ALONE, HINT)

    def open(self) -> None:
        """Open the comparison."""
        from tui.screens.side_by_side import RunComparison

        app, runs = app_of(self._screen), self._runs()
        if len(runs) < 2:
            report(app, self.why_not())
            return
        given = runs[0].spec.given if not self._several else {}
        engine = self._screen.engine
        task, clock = ranked(runs, given), self._screen.clock
        app.push_screen(RunComparison(engine, task, clock, self._place))

    @property
    def _several(self) -> Sequence[Run]:
        marked = self._browser.marked()
        return marked if len(marked) > 1 else self._browser.headed()

    def _runs(self) -> Sequence[Run]:
        run = self._browser.run
        if self._several or run is None or run.spec.batch is None:
            return self._several
        return of_same_task(run, self._screen.engine.view.batch(run.spec.batch))

"""The guided tour of the demo: one hint at a time, which advances with what the user does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.css.query import NoMatches

from engine.domain.model import Run, Status
from tui.cli.support.demo_scenes import BATCH, CONFLICTING, CRASHING, ENDLESS
from tui.commands import BY_ID, keys_of
from tui.widgets.status.hint_line import HintLine
from tui.widgets.status.key_bar import KeyBar

if TYPE_CHECKING:
    from tui.app import SwarmApp

EVERY_S = 0.3
"""Seconds from one check to the next."""


@dataclass(frozen=True, slots=True)
class TourStep:
    """A hint, with `{key}` for the key of its command, and the check that it was followed."""

    words: str
    command: str
    is_done: Callable[[], bool]
    is_possible: Callable[[], bool] = lambda: True
    """Checks that the hint can be followed now; until then the next one that can be is shown."""


class GuidedTour:
    """The tour through a dashboard with simulated runs."""

    def __init__(self, app: SwarmApp) -> None:
        self._app = app
        self._first: str | None = None
        self._done: set[str] = set()
        self._failed: dict[str, int] = {}
        """The attempts of the runs that have failed, by their ids."""
        self._steps = (
            TourStep(
                f"These runs are simulated. {self._last_key('move.up')} and "
                f"{self._last_key('move.down')} choose another one",
                "move.down",
                lambda: self._has_moved() or bool(self._done),
            ),
            TourStep(
                "{key} on a run that has not ended reads the log of the run",
                "run.open",
                self._is_in_log,
            ),
            TourStep(
                "{key} shows the command that an agent asks for; "
                f"{self._key('inbox.approve')} approves it",
                "screen.inbox",
                lambda: self._app.current_mode == "inbox",
                lambda: any(run.unanswered for run in self._runs()),
            ),
            TourStep(
                "{key} shows the changes of a run that has succeeded",
                "view.changes",
                lambda: self._app.current_mode == "changes",
                lambda: any(run.changes.files for run in self._with(Status.SUCCEEDED)),
            ),
            TourStep(
                "{key} applies the changes of a run that has succeeded to the repository",
                "run.apply",
                lambda: any(run.applied for run in self._runs()),
                lambda: any(run.changes.files for run in self._with(Status.SUCCEEDED)),
            ),
            TourStep(
                f"{{key}} on `{CONFLICTING[0]}`, then on `{CONFLICTING[1]}`: a conflict",
                "changes.apply",
                self._has_met_conflict,
                lambda: all(self._status_of(title) is Status.SUCCEEDED for title in CONFLICTING),
            ),
            TourStep(
                "{key} on a failed run tries it again in the same workspace",
                "run.retry",
                self._has_retried,
                lambda: bool(self._with(Status.FAILED)),
            ),
            TourStep(
                f"{{key}} on `{ENDLESS}` cancels it: it would never end",
                "run.cancel",
                lambda: bool(self._with(Status.CANCELLED, Status.CANCELLING)),
            ),
            TourStep(
                f"{{key}} on `{BATCH}` compares three attempts at one task",
                "view.batch",
                lambda: self._app.current_mode == "batch",
            ),
            TourStep("{key} lists every key of a screen", "app.help", self._sees_help),
        )

    async def run(self) -> None:
        """Show the hints until the dashboard is closed."""
        while True:
            await asyncio.sleep(EVERY_S)
            if self._app.is_running:
                self._app.call_later(self.refresh)

    def refresh(self) -> None:
        """Note what was done, and show the next hint on the current screen."""
        for step in self._steps:
            if step.command not in self._done and step.is_possible() and step.is_done():
                self._done.add(step.command)
        screen = self._app.live_screen
        if screen is None or not screen.is_mounted:
            return
        try:
            screen.query_one(HintLine).show(self.hint)
        except NoMatches:
            line = HintLine()
            line.show(self.hint)
            screen.mount(line, before=screen.query_one(KeyBar))

    @property
    def hint(self) -> str:
        """The next hint that can be followed."""
        for step in self._steps:
            if step.command not in self._done and step.is_possible():
                return step.words.format(key=self._key(step.command))
        return (
            f"That was the tour. {self._key('app.quit')} quits; "
            "then `cd` into a repository and start `swarm-tui`"
        )

    def _key(self, command: str) -> str:
        keys = keys_of(BY_ID[command], self._app.keys)
        return keys[0] if keys else f"`{BY_ID[command].label}` in the palette"

    def _last_key(self, command: str) -> str:
        """Return the last key of a command: the arrows stand behind the letters."""
        return next(reversed(keys_of(BY_ID[command], self._app.keys)), self._key(command))

    def _runs(self) -> list[Run]:
        return list(self._app.engine.view.runs.values())

    def _with(self, *statuses: Status) -> list[Run]:
        return [run for run in self._runs() if run.status in statuses]

    def _chosen(self) -> str | None:
        """Return the id of the run under the cursor, or of the one whose changes are shown."""
        from tui.screens.runs import RunsScreen  # imported by the time it is shown

        screen = self._app.live_screen
        if isinstance(screen, RunsScreen):
            return screen.run.id if screen.run else None
        return self._app.subject[0] if self._app.subject else None

    def _has_moved(self) -> bool:
        chosen = self._chosen()
        self._first = self._first or chosen
        return chosen != self._first

    def _is_in_log(self) -> bool:
        from tui.widgets.log.log_pane import LogPane

        focused = self._app.focused
        return focused is not None and any(
            isinstance(node, LogPane) for node in focused.ancestors_with_self
        )

    def _status_of(self, title: str) -> Status | None:
        return next((run.status for run in self._runs() if run.spec.title == title), None)

    def _has_met_conflict(self) -> bool:
        """Return whether the user applies the second of two runs that conflict."""
        from tui.screens.apply import ApplyDialog

        applied = [run.id for run in self._runs() if run.spec.title in CONFLICTING and run.applied]
        chosen = self._app.engine.view.runs.get(self._chosen() or "")
        if not applied or chosen is None or not isinstance(self._app.screen, ApplyDialog):
            return False
        return chosen.spec.title in CONFLICTING and chosen.id not in applied

    def _has_retried(self) -> bool:
        """Return whether a run that failed is no longer as it was; the demo retries one itself."""
        for run in self._with(Status.FAILED):
            if run.spec.title != CRASHING:
                self._failed.setdefault(run.id, run.attempt)
        runs = self._app.engine.view.runs
        return any(
            runs[id].attempt > attempt or runs[id].status is not Status.FAILED
            for id, attempt in self._failed.items()
        )

    def _sees_help(self) -> bool:
        from tui.screens.help import HelpScreen  # imported when the user opens it

        return isinstance(self._app.screen, HelpScreen)

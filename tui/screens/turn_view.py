"""The patches of the agent's present turn, live, beside the measured changes of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from engine.domain.errors import UserError, user_error
from engine.domain.live import LiveReport, TurnDiff
from engine.domain.model import ChangeCount, Run
from tui import formatting
from tui.formatting.questions import counted
from tui.models.code.turn_diff import TurnPatches, read_turn
from tui.widgets.log.live_feed import LiveFeed

if TYPE_CHECKING:
    from tui.screens.changes import ChangesScreen

TITLE = "this turn's patches · live, not measured"
TOO_LONG = "The patches of this turn are too long to be shown live."
NONE = "The agent has not patched a file in this turn."


class TurnBanner(Static):
    """Line that reports the patches of the present turn; hidden where there are none."""

    DEFAULT_CSS = """
    TurnBanner {
        height: 1; padding: 0 1; display: none; background: $surface; color: $warning;
        text-wrap: nowrap;
    }
    """


class TurnView:
    """The turn's patches on one screen. They are not the record: the measured changes are."""

    def __init__(self, screen: ChangesScreen) -> None:
        self._screen = screen
        self._feed: LiveFeed | None = None
        self._latest = TurnDiff("")
        self._patches: TurnPatches | None = None
        self.is_shown = False
        """True if they are shown in the place of a file's diff."""

    @property
    def is_there(self) -> bool:
        """Return whether the turn has patched a file."""
        return bool(self._latest.diff) or self._latest.is_cut

    def follow(self, run: Run | None) -> None:
        """Read the patches of a run as it is now."""
        screen = self._screen
        if self._feed is None:
            self._feed = LiveFeed(screen.panes, screen.engine.live_output, self._hear)
        self._feed.follow(run)
        if self.is_there and not self._feed.is_open:
            self._take(TurnDiff(""))

    def forget(self) -> None:
        """Show no patches: another run is looked at."""
        self._latest, self._patches, self.is_shown = TurnDiff(""), None, False
        self._screen.query_one(TurnBanner).display = False

    def _hear(self, reports: Sequence[LiveReport]) -> None:
        diffs = [report for report in reports if isinstance(report, TurnDiff)]
        if diffs and diffs[-1] != self._latest:
            self._take(diffs[-1])

    def _take(self, diff: TurnDiff) -> None:
        self._latest = diff
        self._screen.run_worker(self._read(diff), group="turn", exclusive=True)

    async def _read(self, diff: TurnDiff) -> None:
        self._patches = await asyncio.to_thread(read_turn, diff.diff)
        screen = self._screen
        banner = screen.query_one(TurnBanner)
        banner.display = self.is_there
        banner.update(Content(f"{self._title} · L {'hides' if self.is_shown else 'shows'} them"))
        screen.refresh_bindings()
        if self.is_shown and self.is_there:
            await self._show()
        elif self.is_shown:
            self.toggle()

    @property
    def _title(self) -> str:
        found = self._patches
        if found is None or self._latest.is_cut:
            return TITLE
        figures = ChangeCount(found.files, found.insertions, found.deletions)
        return f"{TITLE} · {counted(found.files, 'file')} {formatting.changes(figures)}".rstrip()

    async def _show(self) -> None:
        code = self._screen.code
        code.set_title(self._title)
        if self._latest.is_cut or self._patches is None:
            code.clear(TOO_LONG)
        else:
            await code.show(TITLE, self._patches.document, empty_text=NONE)

    def toggle(self) -> None:
        """Show the patches, or the measured changes again."""
        self.is_shown = not self.is_shown
        if self.is_shown:
            self._screen.panes.go("diff")
            self._take(self._latest)
        else:
            self._screen.show_chosen()
            self._take(self._latest)

    def why_not(self) -> UserError:
        """Return why there are no patches to show."""
        recovery = "They are there while the agent of an interactive run works."
        return user_error("INPUT_INVALID", NONE, recovery)

"""The main screen: the runs, and everything about the one that is chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.dom import DOMNode
from textual.widgets import Static

from engine.domain.model import Status
from tui import commands
from tui.screens.run_browser import RunBrowser
from tui.widgets.key_bar import KeyBar
from tui.widgets.pane_tabs import PaneTabs
from tui.widgets.panes import PANES, WIDE, Panes
from tui.widgets.run_list import RunList
from tui.widgets.top_bar import TopBar

if TYPE_CHECKING:
    from engine.engine import Batch, Engine

TOO_SMALL = "Too small: swarm-tui needs 60 × 15."


class RunsScreen(RunBrowser):
    """Run list on the left, the chosen run on the right; one pane at a time where it is narrow."""

    CSS_PATH = "runs.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (15, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("runs")

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self._acts: tuple[str, Status] | None = None

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        yield TopBar()
        yield PaneTabs(PANES)
        yield Panes(self.engine, self.clock)
        yield Static(Content(TOO_SMALL), id="too-small")
        yield KeyBar()

    def on_mount(self) -> None:
        """Say what is in the way of a first run, if anything is."""
        if not self.engine.view.runs:
            self.run_worker(self.look_for_codex, group="doctor")

    def on_screen_resume(self) -> None:
        """Catch up with what happened while another screen was shown."""
        self.panes.reckon_positions(self.engine.view.runs)
        self.rearrange()

    def carrier(self, scope: str) -> DOMNode | None:
        """Give who carries out the commands of a scope here."""
        chosen = self.panes.chosen
        widgets = {"list": self.panes.run_list, "log": chosen.log_view, "files": chosen.files}
        return self if scope == "runs" else widgets.get(scope)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the key of the filter to the files while they have the focus."""
        if action == "filter" and self.panes.pane == "files":
            return False
        return super().check_action(action, parameters)

    # What happens

    def take(self, batch: Batch) -> None:
        """Take in what happened, at the cost of what changed."""
        super().take(batch)
        self.panes.pulse.hear(batch.events)
        if batch.runs:
            self.panes.reckon_positions(batch.runs)
            self.update_list(batch.runs)
        self.panes.chosen.take(batch)
        self.meet_expected()
        self._refresh_keys()

    def tick(self) -> None:
        """Let the clocks go on."""
        super().tick()
        now = self.clock()
        self.panes.run_list.tick(now)
        self.panes.chosen.tick(now)

    @on(RunList.Highlighted)
    def _highlighted(self, event: RunList.Highlighted) -> None:
        self.panes.chosen.choose(event.run_id)
        self._refresh_keys()

    def _refresh_keys(self) -> None:
        run = self.run
        acts = (run.id, run.status) if run else None
        if acts != self._acts:
            self._acts = acts
            self.refresh_bindings()

    # Panes

    @on(Panes.Moved)
    def _moved(self) -> None:
        self.tabs.light(self.panes.pane)

    @on(PaneTabs.Chosen)
    def _tab_clicked(self, event: PaneTabs.Chosen) -> None:
        self.panes.go(event.pane)

    @on(RunList.Opened)
    def action_log(self) -> None:
        """Go to the log."""
        self.panes.go("log")

    def action_files(self) -> None:
        """Go to the files."""
        self.panes.go("files")

    def action_next_pane(self) -> None:
        """Go to the next pane."""
        self.panes.step(1)

    def action_previous_pane(self) -> None:
        """Go to the pane before."""
        self.panes.step(-1)

    def action_zoom(self) -> None:
        """Give the pane the whole screen, or take it back."""
        self.panes.zoom()

    def action_fleet(self) -> None:
        """Show all runs as tiles, or as a list again."""
        self.panes.show_fleet(not (self.panes.is_fleet and self.panes.pane == "runs"))

    def action_follow(self) -> None:
        """Follow the end of the log."""
        self.panes.chosen.log_view.action_follow()

    def action_back(self) -> None:
        """Leave the zoom, the pane, the filter, the view: whichever is the innermost."""
        panes = self.panes
        if panes.pane == "files" and panes.chosen.files_pane.is_narrowed:
            panes.chosen.files_pane.show_all()
        elif panes.is_zoomed:
            panes.zoom()
        elif panes.pane != "runs" and not panes.filter_input.has_focus:
            panes.go("runs")
        elif not self.clear_filter():
            self.leave_view()

    def on_key(self, event: events.Key) -> None:
        """Go down from the filter into the list."""
        if event.key == "down" and self.panes.filter_input.has_focus:
            self.panes.run_list.focus()

"""The panes side by side; one at a time where the screen is narrow or a pane is zoomed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import events, getters
from textual.app import ComposeResult
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from engine.domain.model import Run, Status
from engine.domain.queue import pause_of, unfinished
from tui.models.activity_history import ActivityHistory
from tui.widgets.base.containers import TransparentVertical
from tui.widgets.base.splitters import Split, Splitters
from tui.widgets.forms.text_input import TextInput
from tui.widgets.runs.chosen_run import ChosenRun
from tui.widgets.runs.run_columns import QueuePosition, checked_columns
from tui.widgets.runs.run_list import RunList
from tui.widgets.status.toast import app_of, focus_now

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

PANES = ("runs", "log", "files")
WIDE = 120
"""Columns from which all panes have room beside each other."""

FILTER_HINT = "words  !word  status:failed  project:x  template:x"


class Panes(Splitters):
    """Run list, log and files; the one that has the focus is the one that is shown alone."""

    DEFAULT_CSS = """
    Panes {
        height: 1fr;
        & > #runs { width: 1fr; }
        &.-side-by-side > #runs { width: 42%; max-width: 78; }
        RunList { height: 1fr; }
        #filter { height: 1; border: none; padding: 0 1; background: $panel; }
    }
    """

    run_list = getters.query_one(RunList)
    filter_input = getters.query_one("#filter", Input)
    chosen = getters.query_one(ChosenRun)

    @dataclass
    class Moved(Message):
        """Another pane has the focus, or there is room for more or fewer of them."""

        pane: str

    def __init__(self, engine: EnginePort, clock: Callable[[], float]) -> None:
        super().__init__(engine)
        self._engine, self._clock = engine, clock
        self.pane = PANES[0]
        self.is_zoomed = False
        self.is_fleet = False
        self.pulses = ActivityHistory()
        self.positions: dict[str, int] = {}
        """The places of the queued runs, from 1: reckoned seldom, asked for by every row."""

    def reckon_positions(self, ids: Iterable[str]) -> None:
        """Take in the queue as it is now, if one of the runs that changed was or is in it."""
        view = self._engine.view
        if any(id in self.positions or view.runs[id].status is Status.QUEUED for id in ids):
            self.positions = {run.id: place for place, run in enumerate(view.queue(), start=1)}

    def compose(self) -> ComposeResult:
        """Lay the panes out."""
        self.set_class(app_of(self).size.width >= WIDE, "-side-by-side", update=False)
        with TransparentVertical(id="runs"):
            yield RunList(
                columns=checked_columns(self._engine.config.ui.columns)[0],
                clock=self._clock,
                wait=self.wait,
                lately=self.pulses.lately,
            )
            yield TextInput(id="filter", placeholder=FILTER_HINT)
        yield ChosenRun(self._engine, self._clock, self.wait)

    def wait(self, run: Run) -> QueuePosition:
        """Say what a run waits for, if it is queued; costs no more than the run itself."""
        if run.status is not Status.QUEUED:
            return QueuePosition()
        return QueuePosition(
            position=self.positions.get(run.id),
            after=tuple(unfinished(self._engine.view, run)),
            pause=pause_of(run, self._engine.pause, self._clock()),
        )

    def on_mount(self) -> None:
        """Begin with the list."""
        self.filter_input.display = False
        self.run_list.focus()

    def go(self, pane: str) -> None:
        """Show a pane and give it the focus."""
        self.pane = pane
        self._arrange()
        focus_now(self._target(pane))

    def step(self, by: int) -> None:
        """Go to the next pane, or the one before."""
        self.go(PANES[(PANES.index(self.pane) + by) % len(PANES)])

    def zoom(self) -> None:
        """Give the pane the whole screen, or take it back."""
        self.is_zoomed = not self.is_zoomed
        self.go(self.pane)

    def show_fleet(self, is_fleet: bool) -> None:
        """Show all runs as tiles, which need the whole width; or as a list again."""
        self.is_fleet = is_fleet
        self.run_list.show_tiles(is_fleet)
        self.go("runs")

    def open_filter(self) -> None:
        """Let the user type a filter."""
        self.go("runs")
        self.filter_input.display = True
        focus_now(self.filter_input)

    def close_filter(self) -> None:
        """Go back to the list; the filter stays in sight while it hides something."""
        focus_now(self.run_list)
        self.filter_input.display = bool(self.filter_input.value)

    def _target(self, pane: str) -> Widget:
        match pane:
            case "log":
                return self.chosen.log_view
            case "files":
                return self.chosen.files
            case _:
                return self.run_list

    def _arrange(self) -> None:
        of_fleet = self.is_fleet and self.pane == "runs"
        is_single = self.is_zoomed or of_fleet or app_of(self).size.width < WIDE
        shown = {pane: not is_single or pane == self.pane for pane in PANES}
        self.set_class(not is_single, "-side-by-side")
        self.query_one("#runs").display = shown["runs"] and (of_fleet or not self.is_fleet)
        self.chosen.display = shown["log"] or shown["files"]
        self.chosen.log_pane.display = shown["log"]
        self.chosen.files_pane.display = shown["files"]
        self.share_out(is_single=is_single)
        self.post_message(self.Moved(self.pane))

    def splits(self) -> Sequence[Split]:
        """Give what stands side by side: list and run, log and files."""
        chosen = self.chosen
        return (
            Split("runs", self.query_one("#runs"), chosen),
            Split("log", chosen.log_pane, chosen.files_pane),
        )

    def on_resize(self) -> None:
        """Show as many panes as there is room for."""
        self._arrange()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Let the pane that has the focus be the one that is shown."""
        for pane in PANES:
            if event.widget is self._target(pane) and pane != self.pane:
                self.pane = pane
                self._arrange()

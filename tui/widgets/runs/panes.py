"""The panes of the runs screen; one at a time where it is narrow or a pane is zoomed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import events, getters
from textual.app import ComposeResult
from textual.message import Message
from textual.widget import Widget

from engine.domain.errors import UserError
from engine.domain.model import Run, Status
from engine.domain.placement import node_hold
from engine.domain.queue import pause_of, unfinished
from tui import formatting
from tui.keymap import checked_keymap
from tui.models.activity_history import ActivityHistory
from tui.models.filters import HINT, completions
from tui.widgets.base.containers import TransparentVertical
from tui.widgets.base.splitters import Split, Splitters
from tui.widgets.forms.input_slot import InputSlot
from tui.widgets.runs.chosen_run import ChosenRun
from tui.widgets.runs.empty_card import EmptyCard
from tui.widgets.runs.run_activity import QueuePosition
from tui.widgets.runs.run_columns import checked_columns
from tui.widgets.runs.run_list import RunList
from tui.widgets.status.toast import app_of, focus_now

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort
    from tui.widgets.forms.text_input import TextInput

PANES = ("runs", "log", "files")
WIDE = 120
"""Columns from which the log has room below the list."""


class Panes(Splitters):
    """Run list above the log, with files beside it on demand; one at a time where it is narrow."""

    DEFAULT_CSS = """
    Panes {
        height: 1fr;
        & > #runs { width: 1fr; height: 1fr; }
        &.-stacked > #runs { height: 50%; }
        RunList { height: 1fr; }
        & > #runs > Static.-problem { color: $error; }
        & > #runs > Static { height: 1; padding: 0 1; color: $secondary; text-wrap: nowrap; }
        #filter { height: 1; border: none; padding: 0 1; background: $panel; }
    }
    """

    run_list = getters.query_one(RunList)
    chosen = getters.query_one(ChosenRun)
    card = getters.query_one(EmptyCard)

    @dataclass
    class Moved(Message):
        """Another pane has the focus, or there is room for more or fewer of them."""

        pane: str

    def __init__(self, engine: EnginePort, clock: Callable[[], float]) -> None:
        super().__init__(engine)
        self._engine, self._clock = engine, clock
        self.filter_input = InputSlot(lambda: self.query_one("#runs"), self._filter_line, HINT)
        self.pane = PANES[0]
        self.is_zoomed = False
        self.is_fleet = False
        self.shows_files = False
        """True if the files are shown beside the log."""
        self.pulses = ActivityHistory()
        self.positions: dict[str, int] = {}
        """The places of the queued runs, from 1: computed rarely, read by every row."""

    def reckon_positions(self, ids: Iterable[str]) -> None:
        """Update the places in the queue, if one of the runs that changed was or is in it."""
        view = self._engine.view
        if any(id in self.positions or view.runs[id].status is Status.QUEUED for id in ids):
            self.positions = {run.id: place for place, run in enumerate(view.queue(), start=1)}

    def compose(self) -> ComposeResult:
        """Create the panes."""
        self._stack(app_of(self).size.width >= WIDE, update=False)
        with TransparentVertical(id="runs"):
            yield RunList(
                columns=checked_columns(self._engine.config.ui.columns)[0],
                clock=self._clock,
                wait=self.wait,
                lately=self.pulses.lately,
                cost=self.cost,
            )
        yield EmptyCard(checked_keymap(self._engine.config.ui.keys)[0])
        yield ChosenRun(self._engine, self._clock, self.wait)

    def cost(self, run: Run) -> float | None:
        """Return the estimated cost of a run; None until the prices are loaded."""
        return self._engine.costs.known(run)

    def wait(self, run: Run) -> QueuePosition:
        """Return the obstacles of a queued run; costs no more than the run itself."""
        if run.status is not Status.QUEUED:
            return QueuePosition()
        now = self._clock()
        return QueuePosition(
            position=self.positions.get(run.id),
            after=tuple(map(self._name_of, unfinished(self._engine.view, run))),
            pause=pause_of(run, self._engine.pause, now)
            or self._engine.queue_pace.hold_of(run, now)
            or node_hold(self._engine.view, run, lambda: self._engine.cluster.places),
        )

    def _name_of(self, run_id: str) -> str:
        run = self._engine.view.runs.get(run_id)
        return formatting.title(run) if run else run_id

    def on_mount(self) -> None:
        """Begin with the list."""
        self.run_list.focus()

    def show_card(self, is_shown: bool) -> None:
        """Show a card in place of the panes, as long as there are no runs."""
        if is_shown != self.card.display:
            self.card.display = is_shown
            self._arrange()
            if not is_shown:
                focus_now(self.run_list)

    async def examine(self) -> None:
        """Show on the card what is missing for a first run."""
        with suppress(UserError):
            self.card.show(await self._engine.doctor.examine(told=self.card.show))

    def go(self, pane: str) -> None:
        """Show a pane that is mounted, and focus it."""
        self.pane = pane
        self.shows_files |= pane == "files"
        self._arrange()
        if target := self._target(pane):
            focus_now(target)

    async def open(self, pane: str) -> None:
        """Show a pane and focus it, whether it was ever shown or not."""
        if pane == "files":
            await self.chosen.mount_files()
        self.go(pane)

    def close_files(self) -> None:
        """Hide the files, and focus the list."""
        self.shows_files = False
        self.go("runs")

    async def step(self, by: int) -> None:
        """Go to the next pane, or to the previous one."""
        panes = PANES if self._is_single or self.shows_files else PANES[:2]
        await self.open(panes[(panes.index(self.pane) + by) % len(panes)])

    def zoom(self) -> None:
        """Maximize the pane, or restore it."""
        self.is_zoomed = not self.is_zoomed
        self.go(self.pane)

    def show_fleet(self, is_fleet: bool) -> None:
        """Show all runs as tiles on the whole screen, or as a list again."""
        self.is_fleet = is_fleet
        self.run_list.show_tiles(is_fleet)
        self.go("runs")

    def open_filter(self) -> None:
        """Focus the filter."""
        self.go("runs")
        self.filter_input.open()

    def _filter_line(self) -> TextInput:
        from tui.widgets.forms.text_input import TextInput
        from tui.widgets.forms.word_suggester import WordSuggester

        line = TextInput(id="filter", placeholder="Type to filter the runs")
        runs = self._engine.view.runs
        line.suggester = WordSuggester(lambda term: completions(term, runs.values()))
        return line

    def close_filter(self) -> None:
        """Focus the list; the filter stays visible while it hides runs."""
        focus_now(self.run_list)
        self.filter_input.leave()

    def _target(self, pane: str) -> Widget | None:
        match pane:
            case "log":
                return self.chosen.log_view
            case "files":
                return self.chosen.files
            case _:
                return self.run_list

    @property
    def is_elsewhere(self) -> bool:
        """Return whether another pane has the focus, or the layout is not the usual one."""
        return self.pane != "runs" or self.is_zoomed or self.is_fleet or self.shows_files

    @property
    def _is_single(self) -> bool:
        """Return whether one pane has the whole screen."""
        is_fleet = self.is_fleet and self.pane == "runs"
        return self.is_zoomed or is_fleet or app_of(self).size.width < WIDE

    def _arrange(self) -> None:
        is_single, of_fleet = self._is_single, self.is_fleet and self.pane == "runs"
        shown = {pane: not is_single or pane == self.pane for pane in PANES}
        shown["files"] &= is_single or self.shows_files
        if self.card.display:
            shown = dict.fromkeys(PANES, False)
        self._stack(not is_single)
        self.query_one("#runs").display = shown["runs"] and (of_fleet or not self.is_fleet)
        self.chosen.display = shown["log"] or shown["files"]
        self.chosen.log_pane.display = shown["log"]
        self.chosen.show_files(shown["files"])
        self.share_out(is_single=is_single)
        self.post_message(self.Moved(self.pane))

    def _stack(self, is_stacked: bool, *, update: bool = True) -> None:
        self.set_class(is_stacked, "-stacked", update=update)
        # Not by a rule of the class: before the first paint, nothing is styled twice.
        self.styles.layout = "vertical" if is_stacked else "horizontal"

    def splits(self) -> Sequence[Split]:
        """Return the neighbours: the list above the run, the log beside the files."""
        chosen = self.chosen
        above = Split("table", self.query_one("#runs"), chosen, is_stacked=True)
        if chosen.files_pane is None:
            return (above,)
        return above, Split("log", chosen.log_pane, chosen.files_pane)

    def on_resize(self) -> None:
        """Show as many panes as have room."""
        self._arrange()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Show the pane that has the focus."""
        for pane in PANES:
            if event.widget is self._target(pane) and pane != self.pane:
                self.pane = pane
                self._arrange()

"""Usage and limits: present cycles, usage over time, and a table of it by day, run or model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.dom import DOMNode
from textual.widgets import Input

from engine.domain.attention import is_asking
from engine.domain.errors import UserError
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run
from engine.domain.usage import UsageGroup, UsageRow
from engine.usage.pace import reserved_percent
from tui import commands
from tui.formatting.usage import notes, row_text
from tui.models.filters import HINT, completions, filter_problem
from tui.models.usage_options import GROUPS, TimeRange, UsageOptions
from tui.screens.live import BatchRequested, CodeRequested, InboxRequested, LiveScreen, reveal_run
from tui.screens.usage_refresh import UsageRefresh
from tui.widgets.base.pane_tabs import PaneTabs
from tui.widgets.base.too_small import COLUMNS, ROWS, TooSmall
from tui.widgets.forms.input_slot import InputSlot
from tui.widgets.status.key_bar import KeyBar
from tui.widgets.status.toast import app_of, focus_now, tell
from tui.widgets.status.top_bar import TopBar
from tui.widgets.usage.limit_bars import LimitBars
from tui.widgets.usage.usage_chart import UsageChart
from tui.widgets.usage.usage_table import UsageHeading, UsageTable

if TYPE_CHECKING:
    from engine.engine import EventBatch
    from engine.ports.engine import EnginePort
    from tui.widgets.forms.text_input import TextInput

ROOM_FOR_CHART = 22
"""Lines of the screen from which on there is room for the chart."""


class UsageScreen(LiveScreen):
    """Limits, a chart and a table of the usage that the options choose."""

    DEFAULT_CSS = """
    UsageScreen {
        background: $background;
        #usage-filter { height: auto; }
        #usage-filter > Static { height: 1; padding: 0 1; color: $secondary; text-wrap: nowrap; }
        #usage-filter > Static.-problem { color: $error; }
        &.-low UsageChart { display: none; }
        &.-zoomed { LimitBars, UsageChart { display: none; } }
        &.-tiny, &.-short {
            TopBar, LimitBars, UsageChart, PaneTabs, #usage-filter { display: none; }
            UsageHeading, UsageTable, KeyBar { display: none; }
            TooSmall { display: block; }
        }
    }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (COLUMNS, "-wide")]  # noqa: RUF012  Textual declares it without ClassVar
    VERTICAL_BREAKPOINTS = [(0, "-short"), (ROWS, "-low"), (ROOM_FOR_CHART, "-tall")]  # noqa: RUF012  Textual declares it without ClassVar
    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("usage")

    limits = getters.query_one(LimitBars)
    chart = getters.query_one(UsageChart)
    tabs = getters.query_one(PaneTabs)
    heading = getters.query_one(UsageHeading)
    table = getters.query_one(UsageTable)

    def __init__(self, engine: EnginePort, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self.options = UsageOptions()
        self._opened: list[UsageOptions] = []
        """The options from which a group was opened, the latest last."""
        self._filter = InputSlot(lambda: self.query_one("#usage-filter"), self._filter_line, HINT)
        self.refreshing = UsageRefresh(self, self._show_error)

    def compose(self) -> ComposeResult:
        """Compose the screen."""
        yield TopBar()
        yield LimitBars(partial(reserved_percent, self.engine.config.queue))
        yield UsageChart()
        yield PaneTabs(tuple(str(group) for group in GROUPS))
        yield Container(id="usage-filter")
        yield UsageHeading()
        yield UsageTable()
        yield TooSmall()
        yield KeyBar()

    def on_screen_resume(self) -> None:
        """Read the ledger: other screens may have been shown for long."""
        super().on_screen_resume()
        focus_now(self.table)
        self.refreshing.read_now()

    def on_resize(self) -> None:
        """Show everything in its new size; other bars of the chart may have room."""
        self.call_after_refresh(self.show_answer)
        self.refreshing.ask()

    def carrier(self, scope: str) -> DOMNode | None:
        """Return the object that carries out the commands of a scope here."""
        return self if scope == "usage" else None

    @property
    def subject(self) -> tuple[str, str | None] | None:
        """Return the run under the cursor: what an editor would open."""
        run = self._run
        return (run.id, None) if run and run.workspace else None

    # Reading

    def take(self, batch: EventBatch) -> None:
        """Read the ledger again after events that change it."""
        super().take(batch)
        if self.is_current:
            self.refreshing.hear(batch.events)

    def tick(self) -> None:
        """Read the ledger again from time to time."""
        super().tick()
        if self.is_current:
            self.refreshing.tick()

    def _show_error(self, error: UserError) -> None:
        """Show why the ledger cannot be read; the last answer stays."""
        self.table.empty_text = f"{error.message} {error.recovery}"
        self.tabs.note(error.code)

    def show_answer(self) -> None:
        """Show the last answer of the ledger."""
        answer, options = self.refreshing.answer, self.options
        self.tabs.light(str(options.by))
        if answer is None or not self.is_mounted:
            return
        report = answer.report
        self.limits.show(answer.cycles, answer.at)
        self.chart.show(answer.points, options.chart, answer.at, options.describe())
        self.chart.show_notes(list(notes(report, without_others=not options.has_other_sessions)))
        self.tabs.note("" if self.chart.display else options.describe())
        self.table.empty_text = _why_empty(options, has_runs=bool(self.engine.view.runs))
        self.table.show(answer.rows, answer.options, self.engine.view.runs, answer.at)
        self.heading.show(report.total, answer.options.by, self.table.columns)
        self.refresh_bindings()

    # Options

    def choose(self, options: UsageOptions) -> None:
        """Show something else as soon as the answer is there."""
        self.options = options
        self.tabs.light(str(options.by))
        self.refreshing.read_now()

    def _arrange(self, options: UsageOptions) -> None:
        """Show the same answer in another way."""
        answer, self.options = self.refreshing.answer, options
        if answer and answer.options.by is options.by:
            names = self.refreshing.names(options, answer.at)
            rows = options.arrange(answer.report.rows, names)
            self.refreshing.answer = replace(answer, options=options, rows=rows)
        self.show_answer()

    def action_group(self) -> None:
        """Show the next groups."""
        self.choose(self.options.next_group())

    def action_next_tab(self) -> None:
        """Show the next groups."""
        self.choose(self.options.next_group())

    def action_previous_tab(self) -> None:
        """Show the groups before."""
        self.choose(self.options.next_group(-1))

    @on(PaneTabs.PaneSelected)
    def _tab_clicked(self, event: PaneTabs.PaneSelected) -> None:
        self.choose(self.options.group(UsageGroup(event.pane)))

    def action_range(self) -> None:
        """Show the next time range."""
        self.choose(self.options.next_range())

    def action_only_runs(self) -> None:
        """Leave out other sessions, or count them again."""
        self.choose(replace(self.options, only_runs=not self.options.only_runs))

    def action_chart(self) -> None:
        """Show tokens, cost or cached tokens in the chart."""
        self._arrange(self.options.next_chart())

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._arrange(self.options.next_sort(self.table.columns.sorts))

    def action_reverse(self) -> None:
        """Reverse the order."""
        self._arrange(replace(self.options, is_reversed=not self.options.is_reversed))

    @on(UsageHeading.ColumnClicked)
    def _column_clicked(self, event: UsageHeading.ColumnClicked) -> None:
        self._arrange(self.options.by_column(event.column))

    def action_zoom(self) -> None:
        """Maximize the table, or show the limits and the chart again."""
        self.toggle_class("-zoomed")
        self.call_after_refresh(self.show_answer)

    def action_look(self) -> None:
        """Read the ledger again."""
        self.refreshing.read_now()

    # The filter

    def action_filter(self) -> None:
        """Focus the filter."""
        self._filter.open()

    def _filter_line(self) -> TextInput:
        from tui.widgets.forms.text_input import TextInput
        from tui.widgets.forms.word_suggester import WordSuggester

        line = TextInput(placeholder="Type to filter the runs; other sessions are left out")
        runs = self.engine.view.runs
        line.suggester = WordSuggester(lambda term: completions(term, runs.values()))
        return line

    @on(Input.Changed)
    def _filter_typed(self, event: Input.Changed) -> None:
        self._filter.show_problem(filter_problem(event.value))
        self.options = replace(self.options, text=event.value)
        self.refreshing.read_soon()

    @on(Input.Submitted)
    def _close_filter(self) -> None:
        focus_now(self.table)
        self._filter.leave()

    def _clear_filter(self) -> None:
        focus_now(self.table)
        self._filter.clear()
        self._filter.leave()
        self.choose(replace(self.options, text=""))

    # The row under the cursor

    @property
    def _run(self) -> Run | None:
        row = self.table.chosen
        if row is None or self.table.by is not UsageGroup.RUN:
            return None
        return self.engine.view.runs.get(row.key)

    @on(UsageTable.RowSelected)
    def _row_selected(self) -> None:
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey what makes no sense for the row."""
        del parameters
        if action in ("open_row", "copy"):
            return True if self.table.chosen or self._filter.has_focus else None
        if action == "details":
            return True if self._run else None
        return True

    @on(UsageTable.RowOpened)
    async def action_open_row(self) -> None:
        """Open the run or the batch of the row, or show the runs of its group."""
        row = self.table.chosen
        if self._filter.has_focus:
            self._close_filter()
        elif row is None:
            return
        elif run := self._run:
            await self._open_run(run)
        elif row.is_other_sessions or row.is_forgotten or self.table.by is UsageGroup.RUN:
            tell(app_of(self), "There are no runs to show.")
        elif self.table.by is UsageGroup.BATCH and row.key:
            self.post_message(BatchRequested(row.key))
        elif self.table.by is not UsageGroup.BATCH:
            self._open_group(row)

    async def _open_run(self, run: Run) -> None:
        """Review a run that has ended, answer one that asks, else go to it in the list."""
        if is_asking(run):
            self.post_message(InboxRequested(run.id))
            return
        if run.status in FINISHED and run.workspace and not run.in_trash:
            self.post_message(CodeRequested("changes", run.id))
            return
        await reveal_run(app_of(self), run.id)

    def _open_group(self, row: UsageRow) -> None:
        """Show the runs of a group."""
        if opened := self.options.group(self.table.by).open(row, self.table.name_of(row)):
            self._opened.append(self.options)
            self.choose(opened)

    def action_details(self) -> None:
        """Show the details of the run."""
        from tui.screens.details import RunDetails

        if run := self._run:
            app_of(self).push_screen(RunDetails(self.engine, run.id, self.clock))

    def action_copy(self) -> None:
        """Copy the row with its exact numbers, separated by tabs."""
        if row := self.table.chosen:
            app_of(self).copy_to_clipboard(row_text(row, self.table.name_of(row)))
            tell(app_of(self), f"Copied {self.table.name_of(row)}")

    async def action_back(self) -> None:
        """Leave the filter, the zoom or the opened group: the innermost; else go to the runs."""
        if self._filter.has_focus or (self._filter.text and not self._opened):
            self._clear_filter()
        elif self.has_class("-zoomed"):
            self.action_zoom()
        elif self._opened:
            self.choose(replace(self._opened.pop(), text=self.options.text))
        else:
            await app_of(self).run_action("app.runs")


def _why_empty(options: UsageOptions, *, has_runs: bool) -> str:
    if options.text.strip():
        return "No usage of runs that match the filter; esc removes it."
    if options.range is TimeRange.ALL and not options.is_narrowed:
        return "No usage yet: it is counted as agents work."
    if has_runs:
        return "No usage in this time; t shows more."
    return "No usage in this time yet: it is counted as agents work."

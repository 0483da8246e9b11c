"""The log with its search and the choice of its contents: kinds of events, one run or all."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.widgets import Input

from engine.domain.errors import UserError
from engine.domain.kinds import USUAL, EventKind
from engine.domain.text import printable
from tui import commands, formatting
from tui.keymap import is_own_key
from tui.terminal.cells import clean
from tui.widgets.base.containers import TransparentVertical
from tui.widgets.forms.input_slot import InputSlot
from tui.widgets.log.event_feed import HistorySource
from tui.widgets.log.event_log import NOTHING, EventLog
from tui.widgets.log.log_runs import LogRuns
from tui.widgets.log.log_search import LogSearch, pattern
from tui.widgets.status.toast import app_of, focus_now, report

if TYPE_CHECKING:
    from tui.widgets.forms.text_input import TextInput

NO_EVENTS = "No events of these kinds yet: K changes the kinds."
MAX_TEXT = 200
"""Characters that can be searched for."""


class LogPane(TransparentVertical):
    """A log, a line to search it, and the choice of what it shows."""

    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("logs")
    DEFAULT_CSS = """
    LogPane {
        & > EventLog { height: 1fr; }
        & > Input { height: 1; border: none; padding: 0 1; background: $panel; }
    }
    """

    log_view = getters.query_one(EventLog)

    class KindAsked(Message):
        """The reader asked for a choice of the kinds of events."""

    def __init__(
        self,
        history: Callable[[str | None, EventKind], HistorySource],
        runs: LogRuns,
    ) -> None:
        super().__init__()
        self._history, self._runs = history, runs
        self._run: str | None = None
        self._kind = USUAL
        self.search_input = InputSlot(lambda: self, _search_input)
        self._search: LogSearch | None = None
        self.shows_all_runs = False

    def compose(self) -> ComposeResult:
        """Show the log; the line that searches it comes when it is opened."""
        yield EventLog()

    def on_mount(self) -> None:
        """Take the names of the runs into the log."""
        self.log_view.lines_look = replace(self.log_view.lines_look, runs=self._runs)

    # Contents

    async def open(self, run_id: str) -> None:
        """Show a run's log; the log of all runs stays if it is shown."""
        if run_id != self._run:
            self._run = run_id
            if not self.shows_all_runs:
                await self._reopen()

    async def _reopen(self) -> None:
        log = self.log_view
        self._drop_search()
        log.lines_look = replace(log.lines_look, has_names=self.shows_all_runs)
        self._name_contents()
        log.empty_text = NOTHING if self._kind is USUAL else NO_EVENTS
        run = None if self.shows_all_runs else self._run
        if run or self.shows_all_runs:
            await log.open(self._history(run, self._kind))

    def _name_contents(self) -> None:
        """Show in the title what the log contains."""
        is_whole = self._kind is USUAL
        choice = [] if is_whole else [self._kind.name]
        choice += ["with book-keeping"] if is_whole and self.log_view.has_bookkeeping else []
        choice += ["all runs"] if self.shows_all_runs else []
        self.log_view.status.name_choice("Log", ", ".join(choice))

    async def go_to(self, seq: int, lit: re.Pattern[str] | None) -> None:
        """Go to an event of the run, with some words highlighted."""
        if self.shows_all_runs or self._kind is not USUAL:
            self.shows_all_runs, self._kind = False, USUAL
            await self._reopen()
        self._drop_search()
        self.log_view.lines_look = replace(self.log_view.lines_look, lit=lit)
        await self.log_view.go_to(seq)

    @property
    def shows_usual(self) -> bool:
        """Return whether the whole log of one run is shown."""
        return self._kind is USUAL and not self.shows_all_runs

    @property
    def kind(self) -> EventKind:
        """The kind of events that is shown."""
        return self._kind

    def choose_kind(self, kind: EventKind) -> None:
        """Show the events of one kind."""
        if kind != self._kind:
            self._kind = kind
            self.run_worker(self._reopen, group="reopen", exclusive=True)

    def action_kinds(self) -> None:
        """Ask for the kinds of events to show."""
        self.post_message(self.KindAsked())

    def show_all_runs(self, all_runs: bool) -> None:
        """Show all runs as one log, or the chosen run's alone."""
        if all_runs != self.shows_all_runs:
            self.shows_all_runs = all_runs
            self.run_worker(self._reopen, group="reopen", exclusive=True)

    def action_bookkeeping(self) -> None:
        """Show or hide stages, checkpoints, tokens and artifacts."""
        self.log_view.show_bookkeeping(not self.log_view.has_bookkeeping)
        self._name_contents()

    # Keys

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Return whether a key is a command of the log, which comes before all others."""
        del character
        return is_own_key(self, self._bindings, key)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a command applies now; its key is free for others if not."""
        del parameters
        if action == "bookkeeping":
            return self._kind is USUAL
        if action in ("next_match", "previous_match"):
            return self._search is not None
        if action == "leave":
            is_busy = self._search or self.log_view.selection.is_active
            return bool(is_busy) or self.search_input.has_focus
        return True

    def action_leave(self) -> None:
        """End the range, else the search."""
        if self.log_view.selection.is_active and not self.search_input.has_focus:
            self.log_view.selection.end()
        else:
            self._drop_search()
            focus_now(self.log_view)

    # Search

    def action_search(self) -> None:
        """Ask the reader for a text to search for."""
        self.search_input.open()

    def _drop_search(self) -> None:
        was_there = self._search is not None
        self.search_input.close()
        self.search_input.clear()
        self._search = None
        self._light("")
        self._note("")
        if was_there:
            self.refresh_bindings()

    def _note(self, text: str) -> None:
        self.log_view.status.note = text
        self.log_view.show_status()

    def _light(self, text: str) -> None:
        log = self.log_view
        log.lines_look = replace(log.lines_look, lit=pattern(text))

    @on(Input.Changed, "#search")
    def _typed(self, event: Input.Changed) -> None:
        self._light(event.value)

    @on(Input.Submitted, "#search")
    def _submitted(self) -> None:
        text, feed = printable(self.search_input.text, MAX_TEXT), self.log_view.feed
        if not text or feed is None:
            self.action_leave()
            return
        prompt = self._runs.prompt(feed.run) if feed.run and self._kind is USUAL else ""
        self._search = LogSearch(feed.history, text, prompt)
        self.search_input.close()
        focus_now(self.log_view)
        self.refresh_bindings()
        self._look(-1, self.log_view.here_seq + 1)

    def action_next_match(self) -> None:
        """Go to the next match."""
        self._look(1, self.log_view.here_seq)

    def action_previous_match(self) -> None:
        """Go to the previous match."""
        self._look(-1, self.log_view.here_seq)

    def _look(self, step: int, number: int) -> None:
        if self._search:
            work = self._find(self._search, step, number)
            self.run_worker(work, group="log-search", exclusive=True)

    async def _find(self, search: LogSearch, step: int, number: int) -> None:
        try:
            await search.count()
            found = await (search.next(number) if step > 0 else search.previous(number))
        except UserError as error:
            report(app_of(self), error)
            return
        if search is self._search:
            if found is not None:
                await self.log_view.go_to(found)
            self._tell_search()

    @on(EventLog.Grown)
    def _grown(self) -> None:
        if self._search:
            self.run_worker(partial(self._count, self._search), group="log-count", exclusive=True)

    async def _count(self, search: LogSearch) -> None:
        try:
            await search.count()
        except UserError:
            return  # the log shows the error itself
        if search is self._search:
            self._tell_search()

    def _tell_search(self) -> None:
        if search := self._search:
            dot = formatting.sign("·", "-")
            how = f"{search.place}/{search.total}" if search.total else "not there"
            self._note(f"/{clean(search.text, 40)} {dot} {how} {dot} n N esc")


def _search_input() -> TextInput:
    from tui.widgets.forms.text_input import TextInput

    return TextInput(id="search", placeholder="Search the whole log", limit=MAX_TEXT)

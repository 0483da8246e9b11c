"""The history of all runs searched as one types; enter goes to the event in its run's log."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.dom import DOMNode
from textual.timer import Timer
from textual.widgets import Input

from engine.domain.errors import UserError
from engine.domain.search import MAX_TEXT, SearchResult, pattern, words
from tui import commands
from tui.screens.live import EventRequested, LiveScreen
from tui.widgets.base.too_small import COLUMNS, ROWS, TooSmall
from tui.widgets.forms.text_input import TextInput
from tui.widgets.lists.hit_list import HitList
from tui.widgets.status.key_bar import KeyBar
from tui.widgets.status.toast import app_of, focus_now
from tui.widgets.status.top_bar import TopBar

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

HINT = 'words  "a phrase"  begin*  status:failed  project:x'
NOTHING_YET = "Search prompts, messages, commands and outputs of all runs."
NOT_FOUND = "No match for all of these words."
PAUSE_S = 0.12
"""Time without typing before the search begins."""
AGAIN_S = 0.5
PATIENCE_S = 0.3
MOST = 300
_FIELD = re.compile(r'(?:^|\s)(status|project):("[^"]*"?|\S*)')


class FindScreen(LiveScreen):
    """A line to type into, and the latest places below it."""

    DEFAULT_CSS = """
    FindScreen {
        background: $background;
        TextInput { margin: 0 1; }
        HitList { height: 1fr; }
        &.-tiny, &.-short {
            TopBar, TextInput, HitList, KeyBar { display: none; }
            TooSmall { display: block; }
        }
    }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (COLUMNS, "-wide")]  # noqa: RUF012  Textual declares it without ClassVar
    VERTICAL_BREAKPOINTS = [(0, "-short"), (ROWS, "-tall")]  # noqa: RUF012  Textual declares it without ClassVar
    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("find")

    typed = getters.query_one(TextInput)
    hits = getters.query_one(HitList)

    def __init__(self, engine: EnginePort, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self._soon: Timer | None = None

    def compose(self) -> ComposeResult:
        """Compose the screen."""
        yield TopBar()
        yield TextInput(placeholder=HINT, limit=MAX_TEXT)
        yield HitList(empty_text=NOTHING_YET)
        yield TooSmall()
        yield KeyBar()

    def on_screen_resume(self) -> None:
        """Look again: there may be more."""
        focus_now(self.typed)
        self._look(keep=True)

    def carrier(self, scope: str) -> DOMNode | None:
        """Return the object that carries out the commands of a scope here."""
        return self if scope == "find" else None

    @on(Input.Changed)
    def _changed(self) -> None:
        self._search_in(PAUSE_S)

    def _search_in(self, seconds: float, *, keep: bool = False) -> None:
        if self._soon:
            self._soon.stop()
        self._soon = self.set_timer(seconds, lambda: self._look(keep=keep))

    @work(group="find", exclusive=True)
    async def _look(self, *, keep: bool) -> None:
        text, fields = _split(self.typed.value)
        project = next(iter(fields.get("project", ())), None)
        statuses = [word for words in fields.get("status", ()) for word in words.split(",") if word]
        try:
            found = await self.engine.search.find(
                text,
                project=project,
                statuses=statuses,
                limit=MOST,
                as_typed=True,
                patience_s=PATIENCE_S,
            )
        except UserError as error:
            found = SearchResult()
            nothing = error.code == "INPUT_INVALID"
            self.hits.empty_text = NOTHING_YET if nothing else f"{error.message} {error.recovery}"
        else:
            self.hits.empty_text = NOT_FOUND
        self._show(found, keep=keep)

    def _show(self, found: SearchResult, *, keep: bool) -> None:
        self.hits.show(found.hits, self.clock(), keep=keep)
        self.hits.set_title(f"Found {len(found.hits)}{' and more' if found.more else ''}")
        behind = f"{found.behind} events not looked through yet" if found.behind else ""
        self.hits.border_subtitle = behind
        if found.behind:
            self._search_in(AGAIN_S, keep=True)
        self.refresh_bindings()

    # What can be done

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_open()

    @on(HitList.HitOpened)
    def action_open(self) -> None:
        """Go to the event in the log of its run."""
        hit = self.hits.chosen
        if hit:
            lit = pattern(words(_split(self.typed.value)[0]))
            self.post_message(EventRequested(hit.run, hit.seq, lit))

    def action_next(self) -> None:
        """Go to the next place."""
        self.hits.action_cursor_down()

    def action_previous(self) -> None:
        """Go to the place before."""
        self.hits.action_cursor_up()

    def action_page_down(self) -> None:
        """Go a page of places down."""
        self.hits.action_page_down()

    def action_page_up(self) -> None:
        """Go a page of places up."""
        self.hits.action_page_up()

    def action_type(self) -> None:
        """Go to the list, or back to what is typed."""
        focus_now(self.hits if self.typed.has_focus else self.typed)

    async def action_back(self) -> None:
        """Go back to the runs."""
        await app_of(self).run_action("app.runs")


def _split(text: str) -> tuple[str, dict[str, list[str]]]:
    """Split the words of the search from the criteria for runs."""
    fields: dict[str, list[str]] = {}
    for name, value in _FIELD.findall(text):
        if value.strip('"'):
            fields.setdefault(name, []).append(value.strip('"'))
    return _FIELD.sub(" ", text).strip(), fields

"""Base of all screens with a mode of their own: they receive events, and count them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from textual import getters, on, work
from textual.dom import DOMNode
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer

from engine.domain.errors import UserError
from engine.domain.fault import faults_words
from engine.domain.queue import present_holds
from engine.domain.record import mutable_record
from tui.keymap import checked_keymap
from tui.terminal.compositor import DirtyCompositor
from tui.widgets.base.marks import MarksChanged
from tui.widgets.status.key_bar import KeyBar
from tui.widgets.status.top_bar import QueueState, TopBar

if TYPE_CHECKING:
    from textual.app import App

    from engine.engine import EventBatch
    from engine.ports.engine import EnginePort
    from tui.models.review_queue import ReviewQueue
    from tui.screens.long_work import LongWork


TICK_S, REST_S = 1.0, 10.0
"""Times between two steps of the clocks: where one shows seconds, and where none does."""
YOUNG_S = 60.0
"""So long an age is shown in seconds."""
DISK_S = 20
"""Seconds from one look at the disk to the next."""


@mutable_record
class CodeRequested(Message):
    """The user wants to see something of a run, on the screen that is made for it.

    `queue` are the runs to review after it; None: all that wait for a review.
    """

    mode: str
    run_id: str
    path: str | None = None
    queue: ReviewQueue | None = None


@mutable_record
class RunDiffRequested(Message):
    """The user wants to see how a run differs from another one."""

    run_id: str
    other: str


@mutable_record
class BatchRequested(Message):
    """The user wants to see a batch."""

    batch: str


@mutable_record
class RunsRequested(Message):
    """The user wants to see the runs that match a filter."""

    filter: str


@mutable_record
class InboxRequested(Message):
    """The user wants to see the open requests of a run."""

    run_id: str


@mutable_record
class EventRequested(Message):
    """The user wants to see an event in the log of its run, with some words lit up."""

    run_id: str
    seq: int
    lit: re.Pattern[str] | None = None


@mutable_record
class EditRequested(Message):
    """The user wants to edit a file of their own; `then` is done when the editor is closed."""

    path: Path
    then: Callable[[], Awaitable[None]] | None = None


@mutable_record
class StartRequested(Message):
    """The user wants to start a run from a template."""

    template: str


def works_of(screen: LiveScreen) -> LongWork:
    """Return the long work that goes on in the background of a screen."""
    from tui.screens.long_work import LongWork

    if screen.works is None:
        screen.works = LongWork(screen)
    return screen.works


def is_at_work(screen: LiveScreen) -> bool:
    """Return whether something goes on in the background that `esc` stops."""
    return screen.works is not None and screen.works.is_going


def stop_work(screen: LiveScreen) -> bool:
    """End what goes on in the background; return whether anything does."""
    return screen.works is not None and screen.works.stop()


class LiveScreen(Screen[None]):
    """A screen of its own mode: the app hands it every batch while its mode is shown."""

    top_bar = getters.query_one(TopBar)

    def __init__(self, engine: EnginePort, clock: Callable[[], float]) -> None:
        super().__init__()
        self.engine, self.clock, self._compositor = engine, clock, DirtyCompositor()
        self.works: LongWork | None = None
        self._news_at, self._is_resting = 0.0, False
        self._next_tick: Timer | None = None

    def on_mount(self) -> None:
        """Start the clocks, and check the disk periodically."""
        for bar in self.query(TopBar):  # missing where composing failed: that fault is shown
            bar.keymap = checked_keymap(self.engine.config.ui.keys)[0]
            bar.has_cluster = has_cluster(self.engine)
        self.set_interval(DISK_S, self.look_at_disk)
        self.call_after_refresh(self.start_background)

    def start_background(self) -> None:
        """Start the work that no paint waits for."""
        self.look_at_disk()
        self.top_bar.forecast.start(self.engine)

    async def _message_loop_exit(self) -> None:
        """End the workers of this screen before its widgets are removed: they use them."""
        self.workers.cancel_node(self)  # pyright: ignore[reportUnknownMemberType]  the library's type is partial
        await super()._message_loop_exit()

    @work(group="disk", exclusive=True)
    async def look_at_disk(self) -> None:
        """Show how much space is left."""
        self.top_bar.tell_space(await self.engine.doctor.space())

    def on_screen_resume(self) -> None:
        """Catch up with what happened while another screen was shown."""
        self.top_bar.count_all(self.engine.view.runs)
        self.tell_queue()
        self._news_at = self.top_bar.news_at
        self._wind()

    def take(self, batch: EventBatch) -> None:
        """Take in what happened, at the cost of what changed."""
        self.top_bar.count(self.engine.view.runs, batch.runs)
        self.top_bar.hear(batch.besides_steps, self.engine.view.runs)
        self.tell_queue()
        if batch.runs:  # a batch without runs reports slots or faults: no clock shows seconds then
            self._news_at = self.clock()
        if self._is_resting and not self.rests:
            self._wind()

    @property
    def rests(self) -> bool:
        """True while no clock here shows seconds: nothing is live or new, nothing is waited for."""
        pause = self.engine.pause
        is_waiting = bool(self.engine.view.live) or (pause is not None and pause.until is not None)
        return not is_waiting and self.clock() - self._news_at > YOUNG_S

    def _wind(self) -> None:
        """Advance the clocks after a while."""
        if self._next_tick:
            self._next_tick.stop()
        self._is_resting = self.rests
        self._next_tick = self.set_timer(REST_S if self._is_resting else TICK_S, self._ticked)

    def _ticked(self) -> None:
        self.tick()
        self._wind()

    def tick(self) -> None:
        """Show the time that has passed."""
        self.tell_queue()

    @on(MarksChanged)
    def _show_marks(self, event: MarksChanged) -> None:
        self.query_one(KeyBar).show_marked(event.count)

    def tell_queue(self) -> None:
        """Show how the queue stands."""
        fault = self.engine.lookout.problem or faults_words(self.engine.faults)
        now = self.clock()
        held = tuple(present_holds(self.engine.view, self.engine.queue_pace.holds(now)))
        self.top_bar.tell(
            QueueState(self.engine.slots, self.engine.pause, now, fault, held, _away(self.engine))
        )

    def expect(self, run_id: str) -> None:
        """Choose a run as soon as the engine reports it."""

    def reveal(self, run_id: str) -> None:
        """Choose a run that there is, whatever hides it."""

    @property
    def subject(self) -> tuple[str, str | None] | None:
        """The run that is looked at, and the file, if it is one: what an editor would open."""
        return None

    def why_not(self, command_id: str) -> UserError | None:
        """Return why a command cannot act now, where its grey does not explain it."""
        del command_id

    def carrier(self, scope: str) -> DOMNode | None:
        """Return the object that carries out the commands of a scope here."""
        del scope


def has_cluster(engine: EnginePort) -> bool:
    """Return whether a cluster is set, without the import of what asks it."""
    return bool(engine.config.cluster.scheduler)


def _away(engine: EnginePort) -> str:
    """Return which nodes do not answer; empty where all do."""
    if not has_cluster(engine) or not engine.cluster.last.away:
        return ""
    from tui.formatting.nodes import away_words  # most homes have no cluster

    return away_words(engine.cluster.last)


async def reveal_run(app: App[None], run_id: str) -> None:
    """Show the list of runs, with the cursor on a run."""
    await app.run_action("app.runs")
    screen = app.screen_stack[0]
    if isinstance(screen, LiveScreen):
        screen.reveal(run_id)

"""Messages to agents at work, and interrupts of their turns, from the screen of runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual.widget import Widget

from engine.domain.errors import UserError
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run
from tui.formatting import questions
from tui.formatting.messages import long_command_s
from tui.widgets.status.toast import app_of, attempt, focus_now, report

if TYPE_CHECKING:
    from engine.engine import EventBatch
    from tui.screens.runs import RunsScreen
    from tui.widgets.runs.message_bar import MessageBar, MessageRequest


class RunMessages:
    """The messages of one screen; what was typed for a run is kept until it was sent."""

    def __init__(self, screen: RunsScreen) -> None:
        self._screen = screen
        self._engine = screen.engine
        self._drafts: dict[tuple[str, ...], str] = {}
        self._bar: MessageBar | None = None
        self._sending: set[tuple[str, ...]] = set()
        self._focused: Widget | None = None
        """The widget that had the focus before the line was opened."""

    @property
    def bar(self) -> MessageBar | None:
        """The line for messages, while it is open."""
        return self._bar if self._bar and self._bar.display else None

    @property
    def carriers(self) -> dict[str, Widget | None]:
        """The widgets that carry out the commands of messages, by scope."""
        bar = self.bar
        return {"message": bar, "queue": bar.queue if bar and bar.queue.display else None}

    async def write(self, runs: Sequence[Run]) -> None:
        """Open the line for a message to runs."""
        if not runs:
            return
        if self._bar is None:
            from tui.widgets.runs.message_bar import MessageBar  # a text area takes time to import

            self._bar = MessageBar(self)
            await self._screen.mount(self._bar, after=self._screen.panes)
        if self.bar is None:
            self._focused = self._screen.focused
        self._keep_draft()
        self._bar.open(runs, self._drafts.get(tuple(run.id for run in runs), ""))

    def close(self) -> None:
        """Close the line, and keep what was typed."""
        if self.bar:
            self._keep_draft()
            self.bar.close()
            focused = self._focused
            is_there = focused is not None and focused.is_on_screen
            focus_now(focused if focused and is_there else self._screen.panes.run_list)

    def _keep_draft(self) -> None:
        if self.bar and self.bar.runs:
            self._drafts.pop(self.bar.runs, None)
            if self.bar.text.strip():
                self._drafts[self.bar.runs] = self.bar.text

    def _runs(self, ids: Sequence[str]) -> list[Run]:
        found = self._engine.view.runs
        return [found[run_id] for run_id in ids if run_id in found]

    def take(self, batch: EventBatch) -> None:
        """Show what became of the runs and of their messages."""
        if self.bar and not batch.runs.isdisjoint(self.bar.runs):
            self.bar.show(self._runs(self.bar.runs), batch.events)

    # Sending

    def send(self, wanted: MessageRequest) -> None:
        """Send a message to the runs that it was written for; an interrupt may ask first."""
        ids = self.bar.runs if self.bar else ()
        if not ids or ids in self._sending:
            return

        def begin() -> None:
            self._sending.add(ids)
            self._screen.run_worker(self._send(ids, wanted), group="message")

        if wanted.interrupts:
            at_work = [run for run in self._runs(ids) if run.status not in FINISHED]
            self._ask_if_long(at_work, begin)
        else:
            begin()

    async def _send(self, ids: tuple[str, ...], wanted: MessageRequest) -> None:
        """Send it to each run; where one refuses, the text stays for those that are left."""
        left = list(ids)
        try:
            while left:
                await self._send_one(left[0], wanted)
                left.pop(0)
        except UserError as error:
            report(app_of(self._screen), error)
            self._keep_for_rest(ids, tuple(left), wanted.text)
            return
        finally:
            self._sending.discard(ids)
        self._forget(ids, wanted.text)

    async def _send_one(self, run_id: str, wanted: MessageRequest) -> None:
        run = self._engine.view.runs.get(run_id)
        if wanted.interrupts and run and run.status not in FINISHED:
            await self._engine.interrupt(run_id, wanted.text)
        else:
            await self._engine.send(run_id, wanted.text, wanted.delivery)

    def _keep_for_rest(self, ids: tuple[str, ...], left: tuple[str, ...], text: str) -> None:
        """Keep a text that only some of the runs have got for the others."""
        if left == ids:
            return
        if self.bar and self.bar.runs == ids:
            self.bar.open(self._runs(left), self.bar.text)
        else:
            self._drafts.pop(ids, None)
            self._drafts[left] = text

    def _forget(self, ids: tuple[str, ...], text: str) -> None:
        if self.bar and self.bar.runs == ids:
            self.bar.sent(text)
        elif self._drafts.get(ids) == text:
            del self._drafts[ids]
        if len(ids) > 1:
            self._screen.browser.unmark()

    def withdraw(self, run_id: str, message: str) -> None:
        """Withdraw a message that the agent has not got."""
        app = app_of(self._screen)
        work = attempt(app, self._engine.withdraw(run_id, message))
        self._screen.run_worker(work, group="message")

    # Interrupts

    def interrupt(self, runs: Sequence[Run]) -> None:
        """End the turns of runs; ask first about several, or a command that runs for long."""

        def act() -> None:
            self._screen.run_worker(self._interrupt([run.id for run in runs]), group="message")

        if len(runs) > 1:
            self._confirm(questions.interrupt(runs, 0.0), act)
        elif runs:
            self._ask_if_long(runs, act)

    def _ask_if_long(self, runs: Sequence[Run], act: Callable[[], None]) -> None:
        longest_s = max((long_command_s(run, self._screen.clock()) for run in runs), default=0.0)
        if longest_s:
            self._confirm(questions.interrupt(runs, longest_s), act)
        else:
            act()

    async def _interrupt(self, ids: Sequence[str]) -> None:
        for run_id in ids:
            await attempt(app_of(self._screen), self._engine.interrupt(run_id, ""))

    def _confirm(self, question: str, act: Callable[[], None]) -> None:
        from tui.screens.confirm import ConfirmChoice, confirm

        choice = ConfirmChoice("interrupt", "H", "Interrupt", is_danger=True)
        confirm(app_of(self._screen), question, choice, act, keep="Let it work")

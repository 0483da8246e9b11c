"""Requests of followed agents, answered below their output with single keys.

Output that comes meanwhile is shown above the question. A request that is answered
elsewhere ends its question.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from engine.domain.answers import Values, checked_values
from engine.domain.errors import UserError
from engine.domain.input_fields import InputField
from engine.domain.interaction import INPUT_KINDS, Decision, InputRequest, RequestPhase
from engine.domain.model import Run, Status
from engine.domain.run_json import request_id
from engine.domain.text import escaped
from tui.cli.support.answer_values import typed_values
from tui.cli.support.keyboard import keyboard, pressed
from tui.cli.support.open_requests import OpenRequest, answer_hint, answer_to, described
from tui.cli.support.typed_line import LineState, TypedLine
from tui.formatting.interaction import decision_words

if TYPE_CHECKING:
    from engine.engine import SupervisedTask
    from engine.ports.engine import EnginePort
    from tui.cli.support.follow import RunDisplay, RunFollower

PAUSE_S = 0.3
"""Keys that were typed before the question can be seen do not answer it."""
KEYS = "n deny · m deny with a message · s deny and end the turn · enter leave it open"
CURSOR = "_"
Keys = asyncio.Queue[bytes]


@runtime_checkable
class QuotingDisplay(Protocol):
    """A display that can show a question below its output, and texts whole above it."""

    def ask(self, question: str) -> None:
        """Show a question until an empty one replaces it."""
        ...

    def quote(self, lines: list[str]) -> None:
        """Show lines whole, with each character visible."""
        ...


def answers_for(
    engine: EnginePort, follower: RunFollower, display: RunDisplay
) -> AnswersInPlace | None:
    """Return the answers in place of a display that is a live view on a terminal."""
    is_live = isinstance(display, QuotingDisplay)
    return AnswersInPlace(engine, follower, display) if is_live else None


class AnswersInPlace:
    """The question below the output: one request at a time, the oldest first."""

    def __init__(self, engine: EnginePort, follower: RunFollower, display: QuotingDisplay) -> None:
        self._engine = engine
        self._follower = follower
        self._display = display
        self._moved = asyncio.Event()
        self._is_held = self._is_sending = False
        self._asking: asyncio.Task[None] | None = None
        self._shown: set[str] = set()
        self._done: set[str] = set()
        """The ids of requests that were answered here, or left open."""

    def start(self) -> SupervisedTask:
        """Start to ask."""
        return self._engine.tasks.start("answers", self.run)

    def update(self) -> None:
        """Look at the requests of the runs again: they were shown in a newer state."""
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def run(self) -> None:
        """Ask for one request after the other, until cancelled."""
        while True:
            moved, found = self._moved, self._next()
            if self._is_held or found is None:
                await moved.wait()
                continue
            self._asking = asyncio.create_task(self._ask(found))
            try:
                await asyncio.wait((self._asking,))
            finally:
                await _end(self._asking)
            if not self._asking.cancelled():
                self._asking.result()

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """Leave the keyboard and the place of the question to another one."""
        self._is_held = True
        if self._asking:
            await _end(self._asking)
        try:
            yield
        finally:
            self._is_held = False
            self.update()

    def _next(self) -> OpenRequest | None:
        found = [
            (run, request)
            for run in self._follower.runs.values()
            for request in _open(run)
            if request_id(run, request) not in self._done
        ]
        return min(found, key=lambda one: one[1].raised_at or 0.0, default=None)

    async def _ask(self, found: OpenRequest) -> None:
        """Show a request whole, and ask until it is answered, left open or no longer open."""
        name = request_id(*found)
        if name not in self._shown:
            await asyncio.to_thread(self._display.quote, list(described([found])))
            self._shown.add(name)
        keys = keyboard()
        if keys is None:
            await self._leave_open(found)
            return
        try:
            with pressed(keys) as typed:
                is_closed = await self._first(self._answer(found, typed), self._closed(found))
            if is_closed:
                await self._tell(f"{name} is no longer open: {self._outcome(found)}")
            self._done.add(name)
        finally:
            self._display.ask("")

    async def _first(
        self, answering: Coroutine[Any, Any, None], closing: Coroutine[Any, Any, None]
    ) -> bool:
        """Wait for the answer, or for the end of the request; True: that came first."""
        tasks = [asyncio.ensure_future(one) for one in (answering, closing)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._is_sending:  # it ends the request itself
                await asyncio.wait(tasks[:1])
        finally:
            was_answered = tasks[0].done()
            for task in tasks:
                await _end(task)
        if was_answered:
            tasks[0].result()
        return not was_answered

    async def _closed(self, found: OpenRequest) -> None:
        name = request_id(*found)
        while True:
            moved, run = self._moved, self._follower.runs[found[0].id]
            if name not in {request_id(run, request) for request in _open(run)}:
                return
            await moved.wait()

    def _outcome(self, found: OpenRequest) -> str:
        """Return what became of a request that was not answered here."""
        run, asked = self._follower.runs[found[0].id], found[1].request
        for request in run.input_requests:
            is_same = run.attempt == found[0].attempt and request.request == asked
            if is_same and request.phase is RequestPhase.ANSWERED:
                return f"{decision_words(request)} elsewhere"
        return "it was answered elsewhere or withdrawn"

    async def _answer(self, found: OpenRequest, typed: Keys) -> None:
        """Read keys until one of them has settled the request."""
        can_be_granted = not found[1].is_cut
        is_input = found[1].kind in INPUT_KINDS
        granting = f"y {'answer' if is_input else 'approve'} · " if can_be_granted else ""
        await asyncio.sleep(PAUSE_S)
        _drain(typed)
        is_settled = False
        while not is_settled:
            await self._show(f"{request_id(*found)}: {granting}{KEYS}")
            key = await typed.get()
            if key == b"y" and can_be_granted:
                is_settled = await (self._fill_in(found, typed) if is_input else self._send(found))
            elif key == b"n":
                is_settled = await self._send(found, Decision.DENY)
            elif key == b"m":
                text = await self._line("message", typed)
                is_settled = bool(text) and await self._send(found, Decision.DENY, text or "")
            elif key == b"s":
                is_settled = await self._send(found, Decision.STOP)
            elif key in b"\r\n":
                await self._leave_open(found)
                is_settled = True

    async def _fill_in(self, found: OpenRequest, typed: Keys) -> bool:
        values: Values = {}
        for field in found[1].fields:
            given = await self._field(field, typed)
            if given is None:
                return False
            values[field.name] = given
        return await self._send(found, Decision.ANSWER, values=values)

    async def _field(self, field: InputField, typed: Keys) -> tuple[str, ...] | None:
        """Read the values of a field until they are valid; None: back to the request."""
        while True:
            text = await self._line(field.name, typed, is_hidden=field.is_secret)
            if text is None:
                return None
            values = typed_values(field, text)
            try:
                checked_values([field], {field.name: values})
            except UserError as error:
                await self._tell(f"{error.message} {error.recovery}")
            else:
                return values

    async def _line(self, name: str, typed: Keys, *, is_hidden: bool = False) -> str | None:
        """Read a line; None where it was left with esc."""
        line, state = TypedLine(), LineState.OPEN
        hint = "not shown; " if is_hidden else ""
        while state is LineState.OPEN:
            shown = "" if is_hidden else escaped(line.text)
            await self._show(f"{name} ({hint}enter sends, esc goes back): {shown}{CURSOR}")
            state = line.feed(await typed.get())
        return line.text if state is LineState.SENT else None

    async def _send(
        self,
        found: OpenRequest,
        decision: Decision = Decision.APPROVE,
        text: str = "",
        values: Values | None = None,
    ) -> bool:
        """Answer the request; False: it is still open."""
        self._is_sending = True
        try:
            await self._engine.answer(found[0].id, answer_to(found, decision, text, values))
        except UserError as error:
            await self._tell(f"{error.message} {error.recovery}")
            return error.code == "REQUEST_NOT_PENDING"
        finally:
            self._is_sending = False
        return True

    async def _leave_open(self, found: OpenRequest) -> None:
        self._done.add(request_id(*found))
        await self._tell(f"left open: {answer_hint(found)}")

    async def _show(self, question: str) -> None:
        await asyncio.to_thread(self._display.ask, question)

    async def _tell(self, text: str) -> None:
        await asyncio.to_thread(self._display.quote, [text])


@asynccontextmanager
async def answering(answers: AnswersInPlace | None) -> AsyncGenerator[None]:
    """Ask as long as this is open; a fault in that is reported, and it goes on."""
    if answers is None:
        yield
        return
    task = answers.start()
    try:
        yield
    finally:
        task.cancel()
        await task.wait()


def _open(run: Run) -> tuple[InputRequest, ...]:
    """Return the requests of a run that can be answered now: not those of one that is stopped."""
    return run.unanswered if run.status is Status.RUNNING else ()


def _drain(typed: Keys) -> None:
    while not typed.empty():
        typed.get_nowait()


async def _end(task: asyncio.Task[Any]) -> None:
    """Cancel a task that is not done, and wait for its end."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

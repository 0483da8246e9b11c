"""Runs carried in the foreground: what Ctrl-C and the other signals mean for them."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from engine.domain.errors import UserError
from engine.domain.model import Run
from tui.cli.support import output, output_modes, waiting
from tui.cli.support.answers_in_place import AnswersInPlace, answers_for
from tui.cli.support.attendant import attended
from tui.cli.support.follow import RunDisplay, RunFollower, exit_code, follow
from tui.cli.support.keyboard import keyboard, pressed
from tui.cli.support.session import go_on, stops

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

QUESTION = "Leave it running in the background (Enter), cancel it (c), or stay (Esc)?"
_LEAVE, _CANCEL, _STAY = b"\r\nd", b"c", b"\x1b"


async def carry(
    engine: EnginePort, follower: RunFollower, display: RunDisplay, *, may_leave: bool = True
) -> StopHandler:
    """Follow runs that belong to this command to their end, or until a signal parts us from them.

    When the reader of our output goes away, the runs are cancelled.
    """
    answers = answers_for(engine, follower, display)
    work = follow(follower, display, answers=answers)
    following = asyncio.ensure_future(attended(engine, work, own=True))
    stopper = StopHandler(engine, follower, display, following, answers, may_leave=may_leave)
    with stops(stopper.heard):
        try:
            await following
        except output.PipeClosed:
            await stopper.end()
            raise
        except asyncio.CancelledError:
            if stopper.left is None:
                raise
            with suppress(OSError, output.PipeClosed):  # the terminal may be gone
                display.tell("\n".join(parting(follower.open_runs())))
        finally:
            await stopper.close()
    return stopper


async def carry_or_leave(
    engine: EnginePort,
    runs: list[Run],
    since: Mapping[str, int] | None = None,
    *,
    as_json: bool,
    full: bool = False,
) -> int:
    """Follow runs as their command wants it and return the exit code."""
    follower = RunFollower(engine, runs, since or 0)
    stopper = await carry(
        engine, follower, output_modes.choose(follower, as_json=as_json, full=full)
    )
    return exit_code(follower.runs.values()) if stopper.left is None else 128 + stopper.left


def parting(runs: Iterable[Run]) -> list[str]:
    """Print that runs continue without us, and how to see them again."""
    left = list(runs)
    batch = left[0].spec.batch if left else None
    if batch and len(left) > 1 and all(run.spec.batch == batch for run in left):
        return [f"{batch} goes on in the background: swarm-tui watch --batch {batch}"]
    return [f"{run.id} goes on in the background: swarm-tui watch {run.id}" for run in left]


async def detach(engine: EnginePort, runs: list[Run], *, as_json: bool) -> None:
    """Leave runs to a process in the background, and print their ids."""
    go_on(engine.paths)
    if as_json:
        now, waits = time.time(), await waiting.of_store(engine)
        output.say_json(*(waiting.told_json(run, now, waits, engine.costs.of_run) for run in runs))
    elif runs:
        output.say("\n".join(run.id for run in runs))


class StopHandler:
    """Handler of the signals that stop runs in the foreground.

    SIGTERM and SIGHUP leave them to go on in the background. Ctrl-C asks on a terminal; without
    one, and at the second time, it cancels them; the next one kills them.
    """

    def __init__(
        self,
        engine: EnginePort,
        follower: RunFollower,
        display: RunDisplay,
        following: asyncio.Future[None],
        answers: AnswersInPlace | None = None,
        *,
        may_leave: bool,
    ) -> None:
        self._answers = answers
        self._engine = engine
        self._follower = follower
        self._display = display
        self._following = following
        self._may_leave = may_leave
        self._question: asyncio.Task[None] | None = None
        self._stops: list[asyncio.Task[None]] = []
        self.left: signal.Signals | None = None
        """The signal at which we left the runs alone, if one did."""

    @property
    def used(self) -> bool:
        """Return whether the runs were stopped, or we left them."""
        return bool(self._stops) or self.left is not None

    def heard(self, number: signal.Signals) -> None:
        """Act on a signal."""
        if self._may_leave and number is not signal.SIGINT:
            self._leave(number)
        elif self._question and not self._question.done():
            self._question.cancel()
            self._stop()
        elif self._may_leave and not self._stops and (keys := keyboard()) is not None:
            self._question = asyncio.create_task(self._ask(keys))
        else:
            self._stop()

    async def close(self) -> None:
        """Ask nothing any more."""
        if self._question:
            self._question.cancel()
            await asyncio.gather(self._question, return_exceptions=True)

    async def end(self) -> None:
        """Cancel what still runs and wait for it, without a word."""
        await self._cancel(kill=False)
        async for _ in self._follower.news():
            pass

    def _leave(self, number: signal.Signals) -> None:
        self.left = number
        self._following.cancel()

    def _stop(self) -> None:
        kill, quiet = bool(self._stops), len(self._stops) > 1
        self._stops.append(asyncio.create_task(self._stopped(kill=kill, quiet=quiet)))

    async def _ask(self, keys: int) -> None:
        async with self._answers.held() if self._answers else nullcontext():
            try:
                with pressed(keys) as typed:
                    await asyncio.to_thread(self._display.ask, QUESTION)
                    while (key := await typed.get()) not in _STAY:
                        if key in _LEAVE:
                            return self._leave(signal.SIGINT)
                        if key in _CANCEL:
                            return self._stop()
            finally:
                self._display.ask("")
        return None

    async def _stopped(self, *, kill: bool, quiet: bool) -> None:
        if not quiet:
            text = "killing" if kill else "cancelling (once more kills at once)"
            with suppress(output.PipeClosed):
                await asyncio.to_thread(self._display.tell, text)
        await self._cancel(kill=kill)

    async def _cancel(self, *, kill: bool) -> None:
        for run in self._follower.open_runs():
            with suppress(UserError):  # it may have ended in this moment
                await self._engine.cancel(run.id, kill=kill)

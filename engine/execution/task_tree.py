"""The tree of long-lived tasks: each under one supervisor, which restarts what fails.

An exception is recorded at once (`execution/faults`), and the task starts again after a while:
longer after each fault in a row, short again after it worked well for some time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from engine.domain.record import record
from engine.domain.transient import transient
from engine.execution import faults as reports
from engine.execution.faults import Faults, kind_of

Work = Callable[[], Awaitable[object]]
GiveUp = Callable[[BaseException], Awaitable[object]]


@record
class Backoff:
    """Waiting times of a task after its faults, in seconds."""

    first_s: float = 0.5
    factor: float = 2.0
    longest_s: float = 30.0
    well_s: float = 60.0
    """A task that worked for so long starts to count its faults from zero."""
    identical: int = 5
    """So many faults of one kind, and what need not be tried for ever is given up."""

    def wait_s(self, count: int) -> float:
        """Return the rest after `count` faults in a row."""
        return min(self.first_s * self.factor ** min(count - 1, 30), self.longest_s)


BACKOFF = Backoff()


class FinalError(Exception):
    """Raised by a task to end for good; `error` is what the user has to know."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class SupervisedTask:
    """A named task that starts again when it fails; its work may return, and is done then."""

    def __init__(
        self,
        name: str,
        work: Work,
        faults: Faults,
        *,
        run: str | None = None,
        give_up: GiveUp | None = None,
        ends_on: type[Exception] = FinalError,
    ) -> None:
        self.name = name
        self.run = run
        self.error: Exception | None = None
        """Reason why it ended for good, if that was not a success."""
        self.in_a_row = 0
        """Number of failures since it last worked well."""
        self._work = work
        self._faults = faults
        self._give_up = give_up
        self._ends_on = ends_on
        self._kinds: Counter[reports.Kind] = Counter()
        self._failure: Exception | None = None
        self._has_begun = self._is_resting = self._is_ending = self._is_last = False
        self._woken = asyncio.Event()
        self._task = asyncio.create_task(self._supervise(), name=name)

    @property
    def is_done(self) -> bool:
        """Return whether it has ended, for whatever reason."""
        return self._task.done()

    def when_done(self, call: Callable[[], object]) -> None:
        """Call this when it has ended."""
        self._task.add_done_callback(lambda _: call())

    def fail(self, error: Exception) -> None:
        """Fail the task with a fault that was met elsewhere on its behalf."""
        if not (self._is_resting or self._is_ending or self.is_done or self._failure):
            self._failure = error
            if self._has_begun:  # a cancel before its first step would end it without a word
                self._task.cancel()

    def wake(self) -> None:
        """End its rest, if it rests after a fault."""
        self._woken.set()

    def cancel(self) -> None:
        """Begin to end it; once is enough, a second cancel would disturb what it ends."""
        if not self._is_ending:
            self._is_ending = True
            self._task.cancel()

    async def finish(self) -> None:
        """End the task after its present step; a rest is cut short."""
        self._is_last = True
        self._woken.set()
        await self.wait()

    async def wait(self) -> None:
        """Wait until it has ended by itself."""
        await asyncio.wait({self._task})

    async def _supervise(self) -> None:
        clock = asyncio.get_running_loop().time
        self._has_begun = True
        try:
            while True:
                began = clock()
                error = await self._once(clock)
                if error is None:
                    return
                if clock() - began >= BACKOFF.well_s:
                    self.in_a_row = 0
                    self._kinds.clear()
                if await self._failed(error) or self._is_last:
                    return
        finally:
            self._faults.forget(self.name)

    async def _once(self, clock: Callable[[], float]) -> Exception | None:
        """Do the work; return the fault it ends with, or None if it has ended well or for good."""
        loop = asyncio.get_running_loop()
        well = loop.call_later(BACKOFF.wait_s(self.in_a_row + 1), self._works)
        try:
            if reports.inject:
                reports.inject(self.name)
            if self._failure:
                raise self._failure
            await self._work()
            if self._failure:  # the cancel that was to report it got lost
                raise self._failure
        except FinalError as final:
            self.error = final.error
        except Exception as error:
            if not isinstance(error, self._ends_on) or transient(error):
                return error
            self.error = error
        except asyncio.CancelledError as error:
            return self._cancelled(error)
        finally:
            well.cancel()
            self._failure = None
        return None

    def _cancelled(self, error: asyncio.CancelledError) -> Exception:
        """Return the fault behind a cancel; raises it where the task itself is to end."""
        task = asyncio.current_task()
        if self._failure is not None and task and task.uncancel() == 0:
            return self._failure
        if task and task.cancelling():
            raise error
        # This task was not cancelled: something it waited for was, and that is a fault.
        return RuntimeError("something it waited for was cancelled")

    def _works(self) -> None:
        """Take note that it has worked for longer than it rested."""
        self._faults.clear(self.name)

    async def _failed(self, error: Exception) -> bool:
        """Record a fault, and rest; True where the task is given up."""
        self.in_a_row += 1
        self._faults.record(self.name, error, run=self.run, count=self.in_a_row)
        if self._give_up and not transient(error):
            self._kinds[kind_of(error)] += 1
            if self._kinds[kind_of(error)] >= BACKOFF.identical and await self._given_up(error):
                return True
        await self._rest(BACKOFF.wait_s(self.in_a_row))
        return False

    async def _given_up(self, error: Exception) -> bool:
        """Do what is to be done instead; where that fails too, the task goes on to be tried."""
        assert self._give_up
        try:
            await self._give_up(error)
        except Exception as worse:
            self._faults.record(self.name, worse, run=self.run)
            return False
        return True

    async def _rest(self, seconds: float) -> None:
        if self._is_last:
            return
        self._woken.clear()
        self._is_resting = True
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass
        finally:
            self._is_resting = False


class TaskTree:
    """Named tasks that belong together, and the branches below; all end with it."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self._tasks: dict[str, SupervisedTask] = {}
        self._branches: list[TaskTree] = []
        self._above: TaskTree | None = None

    def start(
        self,
        name: str,
        work: Work,
        *,
        run: str | None = None,
        give_up: GiveUp | None = None,
        ends_on: type[Exception] = FinalError,
    ) -> SupervisedTask:
        """Start a task that is restarted when it fails, until its work returns.

        With `give_up`, a task with too many faults of one kind is ended by that instead. `ends_on`
        is what its work raises to end it for good.
        """
        task = SupervisedTask(name, work, self.faults, run=run, give_up=give_up, ends_on=ends_on)
        self._tasks[name] = task
        task.when_done(lambda: self._drop(task))
        return task

    def branch(self) -> TaskTree:
        """Return a tree below this one: it can be ended by itself, and ends with this one."""
        tree = TaskTree(self.faults)
        tree._above = self
        self._branches.append(tree)
        return tree

    def get(self, name: str) -> SupervisedTask | None:
        """Return a task of this tree or below that is at work or rests, by its name."""
        return next((task for task in self.tasks() if task.name == name), None)

    def tasks(self) -> list[SupervisedTask]:
        """Return all tasks, those of the branches included."""
        below = [task for branch in self._branches for task in branch.tasks()]
        return [*self._tasks.values(), *below]

    async def close(self) -> None:
        """End all tasks, those of the branches first, and wait for them."""
        for branch in list(self._branches):
            await branch.close()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        for task in tasks:
            await task.wait()
        if self._above and self in self._above._branches:
            self._above._branches.remove(self)

    def _drop(self, task: SupervisedTask) -> None:
        if self._tasks.get(task.name) is task:
            del self._tasks[task.name]

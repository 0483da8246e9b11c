"""Current faults of this process: recorded at once, cleared when the task works again."""

from __future__ import annotations

import logging
import time
import traceback
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager

from engine.domain.errors import UserError
from engine.domain.fault import Fault, error_line
from engine.domain.transient import transient

Kind = tuple[str, str]
"""Key by which two faults are the same one: the exception's type, and where it was raised."""
_log = logging.getLogger(__name__)

inject: Callable[[str], None] | None = None
"""Called with the name of each task that starts and each guard that is entered; for tests."""


class Faults:
    """The faults of all tasks and guarded callbacks of an engine, by their names."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.guarded: set[str] = set()
        """The names of all callbacks that were guarded so far."""
        self.changed: Callable[[bool], None] = lambda _: None
        """Called when a fault was recorded or cleared; False: only that the same came again."""
        self._clock = clock
        self._current: dict[str, Fault] = {}
        self._logged: Counter[tuple[str, Kind]] = Counter()
        self._written: set[str] = set()
        """The names of the parts whose last fault is in the log."""

    @property
    def current(self) -> tuple[Fault, ...]:
        """All that fails now, what fails longest first."""
        return tuple(self._current.values())

    def is_failing(self, name: str) -> bool:
        """Return whether a part failed and has not worked since."""
        return name in self._current

    def record(
        self, name: str, error: BaseException, *, run: str | None = None, count: int = 0
    ) -> None:
        """Record that a part failed, `count` times in a row where the caller counts."""
        before = self._current.get(name)
        is_news = bool(count) or before is None
        count = count or (before.count + 1 if before else 1)
        since = before.since if before else self._clock()
        fault = Fault(name, error_line(error), count, since, run, transient(error))
        self._current[name] = fault
        self._write(fault, error)
        self.changed(is_news or (before is not None and before.error != fault.error))

    def clear(self, name: str) -> None:
        """Record that a part works again."""
        if self._current.pop(name, None):
            if name in self._written:
                _log.warning("%s works again", name)
            self.changed(True)

    def forget(self, name: str) -> None:
        """Drop the fault of a part that there is no more."""
        if self._current.pop(name, None):
            self.changed(True)

    @contextmanager
    def guard(self, name: str, *, run: str | None = None) -> Generator[None]:
        """Contain what a callback raises: recorded under `name`, cleared when it works again."""
        self.guarded.add(name)
        try:
            yield
            if inject:
                inject(name)
        except Exception as error:
            self.record(name, error, run=run)
        else:
            if name in self._current:
                self.clear(name)

    def _write(self, fault: Fault, error: BaseException) -> None:
        """Log the first fault of a kind with its traceback, and fewer and fewer of the others."""
        key = (fault.task, kind_of(error))
        self._logged[key] += 1
        number = self._logged[key]
        self._written.discard(fault.task)
        if number & (number - 1):  # no power of two: what fails for ever fills no disk
            return
        self._written.add(fault.task)
        with_trace = number == 1 and not (fault.passing or isinstance(error, UserError))
        words = ("%s failed (%d in a row): %s", fault.task, fault.count, fault.error)
        _log.error(*words, exc_info=error if with_trace else None)


def kind_of(error: BaseException) -> Kind:
    """Return the identity of a fault: its type, and the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__, place

"""A bell that rings when an attempt has written or ended, so that those who wait need not look."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress

from engine.config.paths import AttemptFolder
from engine.system import inotify

_MASK = inotify.MODIFY | inotify.CREATE | inotify.MOVED_TO | inotify.ONLY_FOLDERS
_log = logging.getLogger(__name__)


class OutputBell:
    """The bell of all attempts of a node, with one watch of the system."""

    def __init__(self) -> None:
        self._handle: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_broken = sys.platform != "linux"
        self._listeners: dict[int, list[asyncio.Event]] = {}
        """Events of those who wait, by the number of the watch."""
        self._names: dict[int, frozenset[bytes]] = {}
        """The files that count, by the number of the watch."""

    @contextmanager
    def listening(self, folders: Iterable[AttemptFolder]) -> Generator[asyncio.Event | None]:
        """Yield what is set when one of these attempts has news; None where that is not possible.

        To be entered before the look whose result is waited for.
        """
        rung = asyncio.Event()
        numbers: list[int] = []
        try:
            is_heard = self._listen(folders, rung, numbers)
            yield rung if is_heard else None
        finally:
            for number in numbers:
                self._end(number, rung)

    def close(self) -> None:
        """Ring no longer."""
        if self._handle is not None:
            if self._loop and not self._loop.is_closed():
                self._loop.remove_reader(self._handle)
            os.close(self._handle)
            self._handle = None

    def _listen(
        self, folders: Iterable[AttemptFolder], rung: asyncio.Event, numbers: list[int]
    ) -> bool:
        if self._is_broken:
            return False
        try:
            if self._handle is None:
                self._open()
            for folder in folders:
                self._add(folder, rung, numbers)
        except OSError as error:  # the limits of the system are reached
            _log.warning("the output of attempts is looked for again and again: %s", error)
            self._is_broken = True
            return False
        return True

    def _open(self) -> None:
        self._handle = inotify.init()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._handle, self._ring)

    def _add(self, folder: AttemptFolder, rung: asyncio.Event, numbers: list[int]) -> None:
        assert self._handle is not None
        try:
            number = inotify.add(self._handle, str(folder.path), _MASK)
        except FileNotFoundError:  # forgotten meanwhile
            return
        numbers.append(number)
        self._listeners.setdefault(number, []).append(rung)
        names = (folder.stdout.name, folder.exit.name)
        self._names[number] = frozenset(map(os.fsencode, names))

    def _end(self, number: int, rung: asyncio.Event) -> None:
        listeners = self._listeners.get(number, [])
        with suppress(ValueError):
            listeners.remove(rung)
        if not listeners and self._listeners.pop(number, None) is not None:
            del self._names[number]
            if self._handle is not None:
                inotify.remove(self._handle, number)

    def _ring(self) -> None:
        assert self._handle is not None
        for number, mask, name in inotify.read(self._handle):
            if mask & inotify.QUEUE_OVERFLOW:
                for listeners in self._listeners.values():
                    _set(listeners)
            elif name in self._names.get(number, ()):
                _set(self._listeners[number])


def _set(listeners: Iterable[asyncio.Event]) -> None:
    for rung in listeners:
        rung.set()

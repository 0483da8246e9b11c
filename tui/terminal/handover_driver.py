"""The terminal driver of the dashboard, which ends with its terminal.

It continues from the first frame, with no blank screen in between.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import termios
from codecs import getincrementaldecoder
from contextlib import suppress
from contextvars import copy_context
from enum import Enum
from typing import IO, TYPE_CHECKING, Any, cast

from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

from tui.terminal import splash

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App


class ExtraKey(Enum):
    """Keys of common terminals that Textual has no name for."""

    ALT_ENTER = "alt+enter"


# Textual reads it as `enter`, which would send a message at another time than was asked for.
cast("dict[str, object]", ANSI_SEQUENCES_KEYS)["\x1b\r"] = (ExtraKey.ALT_ENTER,)
READ_BYTES = 4096
WAIT_MS = 100
FALLBACK_SIZE = (80, 25)


class TerminalOutput:
    """The terminal behind stdout; writing to a terminal that is gone does nothing.

    An exception would end Textual's writer thread, and the dashboard would block on its queue.
    """

    def __init__(self, lost: Callable[[], object]) -> None:
        self._lost = lost
        self._number = sys.__stdout__.fileno() if sys.__stdout__ else 1

    def fileno(self) -> int:
        """Return the number of the open terminal."""
        return self._number

    def write(self, text: str) -> None:
        """Write the text, whatever the locale; report a terminal that is gone."""
        data = memoryview(text.encode("utf-8", "replace"))
        try:
            while data:
                data = data[self._written(data) :]
        except OSError:
            self._lost()

    def _written(self, data: memoryview) -> int:
        try:
            return os.write(self._number, data)
        except BlockingIOError:  # a program that we lent the terminal to made it non-blocking
            select.select([], [self._number], [])
            return 0

    def flush(self) -> None:
        """Do nothing: nothing is held back."""


class HandoverDriver(LinuxDriver):
    """Textual's driver: draws to stdout, uses the terminal's own size, exits with the terminal."""

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        before = signal.getsignal(signal.SIGTSTP)
        super().__init__(  # pyright: ignore[reportUnknownMemberType]  the library's type is partial
            app, debug=debug, mouse=mouse, size=size
        )
        if callable(before):  # the runs are handed over first, then `stop_process` is called
            signal.signal(signal.SIGTSTP, before)
        self._loop = asyncio.get_running_loop()
        self._context = copy_context()  # Textual finds the app there, in other threads too
        self._is_lost = False
        self._file = cast("IO[str]", TerminalOutput(self._lose))

    def stop_process(self) -> None:
        """Restore the terminal and stop this process; SIGCONT enters the dashboard again."""
        self._sigtstp_application()  # pyright: ignore[reportUnknownMemberType]  the library's type is partial

    def write(self, data: str) -> None:
        """Write to the terminal; entering the screen twice would clear it."""
        if not self._is_lost and (data != splash.ENTER or not splash.take()):
            super().write(data)

    def start_application_mode(self) -> None:
        """Take the terminal, or exit if it disappeared, for example while an editor had it."""
        try:
            termios.tcgetattr(self.fileno)
        except termios.error:
            return self._lose()
        # A parent process may have blocked it.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGWINCH})
        return super().start_application_mode()

    def run_input_thread(self) -> None:
        """Read keys until the driver stops or the terminal is gone."""
        # poll, unlike select, takes a file number above 1023.
        poll = select.poll()
        poll.register(self.fileno, select.POLLIN)
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        while not self.exit_event.is_set():
            if poll.poll(WAIT_MS):
                data = self._read()
                if not data:
                    self._lose()
                    break
                for event in parser.feed(decode(data)):
                    self.process_message(event)
            for event in parser.tick():
                self.process_message(event)
        with suppress(EOFError, ParseError):
            list(parser.feed(""))

    def _read(self) -> bytes:
        """Return what was typed; nothing if the terminal is gone."""
        try:
            return os.read(self.fileno, READ_BYTES)
        except BlockingIOError:
            select.select([self.fileno], [], [], WAIT_MS / 1000)
            return self._read()
        except OSError:
            return b""

    def _lose(self) -> None:
        """Exit, from any thread: the terminal of the dashboard is gone."""
        if not self._is_lost:
            self._is_lost = True
            with suppress(RuntimeError):  # the loop has ended already
                self._loop.call_soon_threadsafe(self._app.exit, context=self._context)

    def _get_terminal_size(self) -> tuple[int, int]:
        """Return the terminal's own size; COLUMNS and LINES do not describe it."""
        try:
            width, height = os.get_terminal_size(self._file.fileno())
        except OSError:
            return FALLBACK_SIZE
        return width or FALLBACK_SIZE[0], height or FALLBACK_SIZE[1]

    def _query_in_band_window_resize(self) -> None:
        """Send no query: SIGWINCH reports every resize, also behind tmux and ssh."""

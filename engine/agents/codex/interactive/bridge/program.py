"""The bridge from its arguments to its exit code."""

from __future__ import annotations

import os
import selectors
import signal
from collections.abc import Callable

from .app_server import AppServer, ServerEnded, ServerMissing
from .inbox_reader import InboxReader
from .options import BridgeUsageError, parse
from .session import AttemptEnded, Session
from .spool import Spool

POLL_S = 1.0
"""Time between two reads of the inbox without a bell: a writer may have died before it rang."""
USAGE, SERVER_ENDED, OUTPUT_FAILED, NOT_STARTED, BY_SIGNAL = 2, 70, 74, 127, 128
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Bridge:
    """The loop that waits for the server, the inbox and signals."""

    def __init__(self, arguments: list[str]) -> None:
        options = parse(arguments)
        os.umask(0o077)
        self._signal = 0
        self._wake = _signal_pipe(self._stopped)
        self._prompt = _read_prompt()
        self._spool = Spool()
        self._inbox = InboxReader(options.inbox, options.prompt_id)
        program = [options.codex, *options.codex_arguments]
        self._server = AppServer(program, options.settings)
        self._session = Session(options, self._server, self._spool)
        self._acts = {
            self._wake: lambda: os.read(self._wake, 100),
            self._inbox.bell: self._inbox.silence,
            self._server.stdin: self._server.flush,
        }
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._server.stdout, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        if self._inbox.bell >= 0:
            self._selector.register(self._inbox.bell, selectors.EVENT_READ)

    def run(self) -> int:
        """Run the attempt to its end and return its exit code."""
        try:
            return self._run()
        finally:
            self._inbox.close()

    def _run(self) -> int:
        try:
            code, reason = self._follow()
            self._server.end(self._spool.add)
            undelivered = self._session.undelivered
            self._spool.note("ended", code=code, reason=reason, undelivered=undelivered)
        except OSError as error:
            # Not recorded is not done: nothing goes on unseen.
            self._server.end(lambda _: None)
            _complain(f"the output could not be written: {error.strerror}")
            return OUTPUT_FAILED
        return code

    def _follow(self) -> tuple[int, str]:
        try:
            self._spool.note("started", pid=os.getpid(), server=self._server.pid)
            self._session.open(self._prompt)
            while True:
                self._step()
        except AttemptEnded as ended:
            return ended.code, str(ended)
        except ServerEnded as ended:
            if self._signal:  # the signal went to both
                return BY_SIGNAL + self._signal, "signal"
            return SERVER_ENDED, str(ended)

    def _step(self) -> None:
        for key, _ in self._selector.select(self._spool.wait_s(POLL_S)):
            if act := self._acts.get(key.fd):
                act()
        if self._signal:
            raise AttemptEnded(BY_SIGNAL + self._signal, "signal")
        for line in self._server.read():
            self._session.receive(line)
        for record in self._inbox.read():
            if isinstance(record, str):
                self._spool.note("refused", id=None, reason=record)
            else:
                self._session.do(record)
        self._spool.flush_due()
        self._session.advance()
        self._watch_stdin()

    def _watch_stdin(self) -> None:
        """Wait for the server to read on where it has not read all."""
        is_watched = self._server.stdin in self._selector.get_map()
        if self._server.has_unsent and not is_watched:
            self._selector.register(self._server.stdin, selectors.EVENT_WRITE)
        elif is_watched and not self._server.has_unsent:
            self._selector.unregister(self._server.stdin)

    def _stopped(self, number: int, _: object) -> None:
        self._signal = self._signal or number


def main(arguments: list[str]) -> int:
    """Run the bridge."""
    try:
        bridge = Bridge(arguments)
    except BridgeUsageError as mistake:
        _complain(str(mistake))
        return USAGE
    except ServerMissing as missing:
        _complain(str(missing))
        return NOT_STARTED
    except OSError as error:
        _complain(f"could not start: {error}")
        return OUTPUT_FAILED
    return bridge.run()


def _read_prompt() -> str:
    """Read stdin to its end, and leave nothing there."""
    with os.fdopen(os.dup(0), "rb") as stdin:
        prompt = stdin.read().decode("utf-8", "replace")
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return prompt


def _signal_pipe(stopped: Callable[[int, object], None]) -> int:
    """Handle signals; return a pipe that becomes readable with them."""
    read, write = os.pipe()
    for end in (read, write):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(write)
    for number in SIGNALS:
        signal.signal(number, stopped)
    return read


def _complain(text: str) -> None:
    try:
        os.write(2, f"swarm-tui: {text}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        return

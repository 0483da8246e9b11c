"""The app-server: the same scripts over JSON-RPC on stdin and stdout, for one client.

It has the oddities of the real one: requests are numbered from 0, a steer that was not read is
dropped by an interrupt, `turn/start` during a turn is a steer, open requests are resolved after
the end of their turn, commands outlive an interrupt, and it ends with its stdin.
"""
# Not pathlib: importing it would take a fifth of the time to start.
# ruff: noqa: PTH109

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections import deque
from collections.abc import Callable

from . import schema, script
from .arguments import ExecOptions, UsageError, parse
from .installation import VERSION
from .playing import PLAYS, steps_of
from .script import ScriptStep
from .server_lines import Json, as_dict, as_list
from .server_turn import ServerTurn, TurnClient
from .thread import Thread, create, find, fork, is_thread_id
from .turn import STDOUT, TurnEnded, TurnFailed, TurnInterrupted, encode, write_all

STDIN = 0
READ_BYTES = 65_536
_INVALID = -32600


class InputEnded(Exception):
    """The client has gone."""


class RpcError(Exception):
    """A request that is refused; the text is the message of the error."""


class SimulatedServer(TurnClient):
    """One thread at a time, and one client."""

    def __init__(self, home: str, options: ExecOptions) -> None:
        """Keep the options of the process: its settings."""
        self._home = home
        self._options = options
        self._thread: Thread | None = None
        self._is_resumed = False
        self._turn: ServerTurn | None = None
        self._last_turn: ServerTurn | None = None
        self._steps: deque[ScriptStep] = deque()
        self._prompt = ("", "")
        self._counts = {"turn": 0, "item": 0, "request": 0}
        self._open: dict[int, Json | None] = {}
        self._lines: deque[bytes] = deque()
        self._rest = b""
        self._is_deaf = self._is_stubborn = self._has_ended = self._is_cut = False
        self._methods: dict[str, Callable[[Json], Json]] = {
            "initialize": self._initialize,
            "thread/start": self._start_thread,
            "thread/resume": self._resume_thread,
            "thread/fork": self._fork_thread,
            "thread/turns/list": self._list_turns,
            "thread/backgroundTerminals/clean": self._clean,
            "turn/start": self._start_turn,
            "turn/steer": self._steer,
            "turn/interrupt": self._interrupt,
        }

    def serve(self) -> int:
        """Play turns until the client has gone; return the exit code."""
        try:
            while True:
                if self._turn:
                    self._play(self._turn)
                else:
                    self.listen(None)
        except InputEnded:
            return 0
        except TurnEnded as end:
            return end.exit_code
        finally:
            self.end_processes()

    def end_processes(self) -> None:
        """End the processes of all commands."""
        for turn in (self._turn, self._last_turn):
            for process in turn.started if turn else ():
                process.kill()
                process.wait()

    # The client

    def notify(self, method: str, params: Json) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params, "emittedAtMs": int(time.time() * 1000)})

    def request(self, method: str, params: Json) -> Json:
        """Send a request, and wait for its response; an error is an empty one."""
        number = self._counts["request"]
        self._counts["request"] += 1
        self._open[number] = None
        self._send({"method": method, "id": number, "params": params})
        while self._open.get(number) is None:
            self.listen(None)
        response = self._open.pop(number) or {}
        self._resolve(number)
        return as_dict(response.get("result"))

    def _resolve(self, number: int) -> None:
        thread = self._thread.id if self._thread else ""
        self.notify("serverRequest/resolved", {"threadId": thread, "requestId": number})

    def write(self, data: bytes) -> None:
        """Send bytes that may be no message."""
        self._is_cut = not data.endswith(b"\n")
        write_all(STDOUT, data)

    def become_deaf(self) -> None:
        """Answer no request from here on."""
        self._is_deaf = True

    def become_stubborn(self) -> None:
        """Go on without a client."""
        self._is_stubborn = True

    def listen(self, timeout_s: float | None) -> None:
        """Handle what comes within a time; None waits for it."""
        if not self._lines:
            self._read(timeout_s)
        while self._lines:
            self._handle(self._lines.popleft())

    def _read(self, timeout_s: float | None) -> None:
        if self._has_ended:
            time.sleep(3600.0 if timeout_s is None else timeout_s)
            return
        if not select.select([STDIN], [], [], timeout_s)[0]:
            return
        data = os.read(STDIN, READ_BYTES)
        if not data and not self._is_stubborn:
            raise InputEnded
        self._has_ended = not data
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._lines += lines

    def _send(self, message: Json) -> None:
        # A message behind half a line would be lost, and the client would wait for ever.
        self.write(b"\n" * self._is_cut + encode(message))

    def _handle(self, line: bytes) -> None:
        try:
            message = as_dict(json.loads(line))
        except (ValueError, RecursionError):
            return  # not a message: the real one writes it to its log
        number, method = message.get("id"), message.get("method")
        if method is None:
            # A late answer is ignored; of two, the first counts.
            if isinstance(number, int) and number in self._open:
                self._open[number] = self._open[number] or message
        elif number is not None and not self._is_deaf:
            self._respond(number, str(method), message.get("params"))

    def _respond(self, number: object, method: str, params: object) -> None:
        call = self._methods.get(method)
        try:
            if call is None:
                raise RpcError(f"Invalid request: unknown variant `{method}`")
            result = call(as_dict(params))
        except RpcError as error:
            self._send({"id": number, "error": {"code": _INVALID, "message": str(error)}})
            return
        self._send({"id": number, "result": result})
        if method == "turn/interrupt":
            raise TurnInterrupted

    # Methods

    def _initialize(self, _: Json) -> Json:
        return {"userAgent": f"swarm_tui/{VERSION}", "codexHome": self._home}

    def _start_thread(self, params: Json) -> Json:
        return self._open_thread(create(self._home, os.getcwd(), VERSION, "vscode"), params)

    def _resume_thread(self, params: Json) -> Json:
        return self._open_thread(self._found_thread(params), params)

    def _fork_thread(self, params: Json) -> Json:
        found = self._found_thread(params)
        return self._open_thread(fork(self._home, found, os.getcwd(), VERSION, "vscode"), params)

    def _found_thread(self, params: Json) -> Thread:
        name = str(params.get("threadId"))
        thread = find(self._home, name) if is_thread_id(name) else None
        if thread is None:
            raise RpcError(f"no rollout found for thread id {name}")
        self._is_resumed = True
        return thread

    def _open_thread(self, thread: Thread, params: Json) -> Json:
        if not thread.lock():
            raise RpcError(f"thread {thread.id} already has an active writer")
        self._thread = thread
        for key, option in (("sandbox", "--sandbox"), ("model", "--model")):
            if isinstance(value := params.get(key), str):
                self._options.values[option] = value
        return {"thread": {"id": thread.id, "path": thread.path, "status": {"type": "idle"}}}

    def _list_turns(self, _: Json) -> Json:
        names = self._thread.last_messages if self._thread else []
        items = [{"type": "userMessage", "clientId": name} for name in names]
        return {"data": [{"id": "turn-0", "items": items}] if items else []}

    def _start_turn(self, params: Json) -> Json:
        thread, (name, text) = self._known_thread(), _message(params)
        if self._turn:  # it is read in the present turn
            self._turn.messages.append((name, text))
            return {"turn": {"id": self._turn.id, "status": "inProgress"}}
        wanted = params.get("outputSchema")
        steps = steps_of(
            text,
            self._home,
            self._options.cwd,
            thread if self._is_resumed else None,
            schema.example(wanted) if wanted else "",
        )
        self._is_resumed = True
        self._steps, self._prompt = deque(steps), (name, text)
        self._turn = ServerTurn(
            self._new("turn"),
            self._options,
            thread,
            self,
            lambda: self._new("item"),
            counts_itself=any(step.name == "usage" for step in steps),
        )
        return {"turn": {"id": self._turn.id, "status": "inProgress"}}

    def _steer(self, params: Json) -> Json:
        if self._turn is None:
            raise RpcError("no active turn to steer")
        wanted = params.get("expectedTurnId")
        if wanted != self._turn.id:
            raise RpcError(f"expected active turn id `{wanted}` but found `{self._turn.id}`")
        self._turn.messages.append(_message(params))
        return {"turnId": self._turn.id}

    def _interrupt(self, params: Json) -> Json:
        if self._turn is None or params.get("turnId") != self._turn.id:
            raise RpcError("no active turn to interrupt")
        return {}

    def _clean(self, _: Json) -> Json:
        self.end_processes()
        if self._last_turn:
            self._last_turn.end_commands()
        return {}

    # A turn

    def _play(self, turn: ServerTurn) -> None:
        turn.begin()
        turn.thread.begin_turn(self._options.values.get("--model"))
        turn.read_message(*self._prompt)
        try:
            self._play_steps(turn)
            turn.complete()
        except TurnFailed:
            pass
        except TurnInterrupted:
            turn.end("interrupted")
        self._turn, self._last_turn = None, turn
        for number in list(self._open):
            del self._open[number]
            self._resolve(number)

    def _play_steps(self, turn: ServerTurn) -> None:
        while True:
            self.listen(0)
            # What came meanwhile is read with the next model request.
            messages, turn.messages = turn.messages, []
            for name, text in messages:
                turn.read_message(name, text)
                self._steps.extendleft(reversed(_steps_in(text)))
            if not self._steps:
                return
            step = self._steps.popleft()
            PLAYS[step.name](turn, step)

    def _known_thread(self) -> Thread:
        if self._thread is None:
            raise RpcError("thread not found")
        return self._thread

    def _new(self, kind: str) -> str:
        self._counts[kind] += 1
        return f"{kind}-{self._counts[kind]}"


def serve(arguments: list[str], home: str) -> int:
    """Serve the client on stdin; raises UsageError."""
    options = parse(arguments)
    if options.words or options.command != "exec":
        raise UsageError("error: unexpected argument")
    options.flags.add("--json")
    server = SimulatedServer(home, options)

    def stop(*_: object) -> None:
        server.end_processes()
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return server.serve()


def _message(params: Json) -> tuple[str, str]:
    parts = [as_dict(part) for part in as_list(params.get("input"))]
    texts = [str(part.get("text")) for part in parts if part.get("type") == "text"]
    return str(params.get("clientUserMessageId") or ""), "\n".join(texts)


def _steps_in(text: str) -> list[ScriptStep]:
    """Return the steps that a message in the middle of a turn asks for."""
    return script.parse(script.directives(text), 1)

"""One thread on one app-server: what is asked of it, and what it asks."""

from __future__ import annotations

from collections.abc import Callable

from . import protocol
from .app_server import AppServer
from .json_values import Json, as_dict, decode
from .messages import READ, Messages
from .options import BridgeOptions
from .spool import Spool

COMPLETED, FAILED, INTERRUPTED = 0, 1, 130
_CODES = {"completed": COMPLETED, "interrupted": INTERRUPTED}

Answered = Callable[[Json, str], None]
"""Called with the server's response to a request, and the name of the record behind it."""


class AttemptEnded(Exception):
    """The attempt has ended; the text is the reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Session:
    """The state of the conversation: one turn at a time, and messages that wait for the next."""

    def __init__(self, options: BridgeOptions, server: AppServer, spool: Spool) -> None:
        self._options = options
        self._server = server
        self._spool = spool
        self._calls: dict[int, tuple[Answered, str]] = {}
        self._count = 0
        self._requests: dict[object, tuple[str, Json]] = {}
        self._secrets: dict[str, object] = {}
        """Secret values by the id of their record, until an answer names it."""
        self._thread = self._turn = self._ended_turn = ""
        self._is_opening, self._is_starting, self._is_cleaning = True, False, False
        self._outcome = "interrupted"  # where there is nothing left to do in the thread
        self._messages = Messages()
        self._interrupts: list[str] = []
        self._last_message = ""

    @property
    def undelivered(self) -> list[str]:
        """The ids of messages that the agent has not read."""
        return self._messages.undelivered

    def open(self, prompt: str) -> None:
        """Begin the attempt with its prompt."""
        self._messages.begin(self._options.prompt_id, prompt)
        self._call("initialize", protocol.handshake(), self._initialized)

    def advance(self) -> None:
        """Begin the next turn once there is none; raises `AttemptEnded` where none is to come."""
        if self._is_opening or self._is_starting or self._turn or self._is_cleaning:
            return
        if not self._messages.are_waiting or self._outcome == "failed":
            self._write_last_message()
            raise AttemptEnded(_CODES.get(self._outcome, FAILED), self._outcome)
        self._start_turn(*self._messages.next())

    def _start_turn(self, name: str, text: str) -> None:
        self._is_starting = True
        images = self._options.images if name == self._options.prompt_id else ()
        params: Json = {"threadId": self._thread, **protocol.message(name, text, images)}
        if self._options.output_schema:
            params["outputSchema"] = protocol.schema(self._options.output_schema)
        self._call("turn/start", params, self._turn_accepted)

    def _write_last_message(self) -> None:
        if path := self._options.last_message:
            with open(path, "w", encoding="utf-8", errors="replace") as file:  # noqa: PTH123  no pathlib
                file.write(self._last_message)

    # Lines of the server

    def receive(self, line: bytes) -> None:
        """Json a line of the server, and act on it."""
        received = as_dict(decode(line))
        number, method = received.get("id"), received.get("method")
        if method is None:
            self._respond(line, received, number)
            return
        self._spool.add(line)
        params = as_dict(received.get("params"))
        if number is not None:
            self._requested(number, str(method), params)
        elif params.get("threadId") in (None, self._thread):  # not that of a sub-agent
            self._notified(str(method), params)

    def _respond(self, line: bytes, received: Json, number: object) -> None:
        call = self._calls.pop(number, None) if isinstance(number, int) else None
        if call is None or call[0] != self._listed:  # the last turn may be long, and is known
            self._spool.add(line)
        if call:
            call[0](received, call[1])

    def _requested(self, number: object, method: str, params: Json) -> None:
        if protocol.is_answerable(method, params) and isinstance(number, int | str):
            self._requests[number] = (method, params)
            return
        # Unanswered, the turn would wait for ever.
        error = {"code": -32601, "message": "not supported by this client"}
        self._server.send({"id": number, "error": error})
        self._spool.note("unsupported", method=method, request=number)

    def _notified(self, method: str, params: Json) -> None:
        item = as_dict(params.get("item"))
        if method == "serverRequest/resolved":
            number = params.get("requestId")
            if isinstance(number, int | str):
                self._requests.pop(number, None)
        elif method == "turn/started":
            self._turn_began(protocol.id_of(params.get("turn")))
        elif method == "turn/completed":
            self._turn_ended(as_dict(params.get("turn")))
        elif method == "item/started" and item.get("type") == "userMessage":
            self._messages.deliver(str(item.get("clientId")))
        elif method == "item/completed" and item.get("type") == "agentMessage":
            self._last_message = str(item.get("text") or "")

    # Responses

    def _initialized(self, received: Json, _: str) -> None:
        _check(received, "initialize")
        self._server.send({"method": "initialized"})
        if self._options.key_variable:
            params = protocol.key_login(self._options.key_variable)
            self._call("account/login/start", params, self._logged_in)
        else:
            self._open_thread()

    def _logged_in(self, received: Json, _: str) -> None:
        _check(received, "account/login/start")
        self._open_thread()

    def _open_thread(self) -> None:
        method, params = protocol.open_thread(self._options)
        self._call(method, params, self._opened)

    def _opened(self, received: Json, _: str) -> None:
        resumed = self._options.thread
        _check(received, protocol.open_thread(self._options)[0])
        self._thread = protocol.id_of(as_dict(received.get("result")).get("thread"))
        if resumed:
            # A message may be in the thread although the line that reports it was never written.
            self._call("thread/turns/list", protocol.last_turn(self._thread), self._listed)
        else:
            self._is_opening = False

    def _listed(self, received: Json, _: str) -> None:
        """Leave out the messages that the thread's last turn has already."""
        self._is_opening = False
        for name in self._messages.remove(protocol.client_ids(received.get("result"))):
            self._spool.note("applied", do="message", id=name, earlier=True)

    def _turn_accepted(self, received: Json, _: str) -> None:
        _check(received, "turn/start")
        turn = protocol.id_of(as_dict(received.get("result")).get("turn"))
        if turn != self._ended_turn:  # a short turn may end before it is answered
            self._turn_began(turn)

    def _turn_began(self, turn: str) -> None:
        if self._turn == turn:
            return
        self._turn, self._is_starting = turn, False
        for name, text in self._messages.release():
            self._steer(name, text)
        interrupts, self._interrupts = self._interrupts, []
        for name in interrupts:
            self._interrupt(name)

    def _turn_ended(self, turn: Json) -> None:
        self._ended_turn = protocol.id_of(turn)
        self._turn, self._is_starting = "", False
        self._outcome = str(turn.get("status"))
        of_others = [
            (number, one)
            for number, one in self._requests.items()
            if one[1].get("threadId") != self._thread
        ]
        self._requests = dict(of_others)
        self._messages.end_turn(is_interrupted=self._outcome == "interrupted")
        for name in self._interrupts:
            self._spool.note("refused", do="interrupt", id=name, reason="the turn has ended")
        self._interrupts.clear()

    def _steered(self, turn: str, received: Json, name: str) -> None:
        if "error" not in received:
            self._spool.note("applied", do="steer", id=name)
        elif turn == self._turn and self._messages.return_unread(name):
            # The turn is about to end, or of a kind that takes no messages. Once it has ended, the
            # message is kept already, and may be on its way again.
            self._spool.note("queued", id=name, reason=_reason(received))

    def _interrupted(self, received: Json, name: str) -> None:
        if "error" in received:
            self._spool.note("refused", do="interrupt", id=name, reason=_reason(received))
            return
        self._spool.note("applied", do="interrupt", id=name)
        # The turn ends, but the command that it runs goes on without this.
        self._is_cleaning = True
        clean: Json = {"threadId": self._thread}
        self._call("thread/backgroundTerminals/clean", clean, self._cleaned)

    def _cleaned(self, received: Json, _: str) -> None:
        self._is_cleaning = False
        if "error" in received:
            self._spool.note("not-cleaned", reason=_reason(received))

    # Jsons of the inbox

    def do(self, record: Json) -> None:
        """Apply a record of the inbox."""
        name = str(record["id"])
        actions: dict[object, Callable[[str, Json], None]] = {
            "answer": self._answer,
            "secrets": self._keep_secrets,
            "steer": self._message,
            "queue": self._message,
            "unqueue": self._unqueue,
            "interrupt": lambda name, _: self._interrupt(name),
        }
        action = actions.get(record["do"])
        if action is None:
            self._spool.note("refused", do=record["do"], id=name, reason="unknown action")
        else:
            action(name, record)

    def _answer(self, name: str, record: Json) -> None:
        number = record.get("request")
        known = self._requests.get(number) if isinstance(number, int | str) else None
        if known is None:
            self._spool.note("late", do="answer", id=name, request=number)  # it was withdrawn
            return
        decision = record.get("decision")
        secrets = self._secrets.get(str(record.get("secrets"))) if "secrets" in record else None
        result = protocol.answer(*known, decision, record.get("values"), secrets)
        if result is None or ("secrets" in record and secrets is None):
            is_known = decision == "answer"
            reason = "values that do not fit the request" if is_known else "unknown decision"
            self._spool.note("refused", do="answer", id=name, reason=reason, request=number)
            return
        del self._requests[number]
        # First the turn: the agent does not go on with the denial.
        if protocol.ends_turn(known[0], decision):
            self._interrupt(f"stop:{number}")
        self._server.send({"id": number, "result": result})
        self._spool.note("applied", do="answer", id=name, request=number)

    def _keep_secrets(self, name: str, record: Json) -> None:
        """Keep secret values: they count once an answer names their record."""
        self._secrets[name] = record.get("values")

    def _message(self, name: str, record: Json) -> None:
        text = record.get("text")
        if not isinstance(text, str):
            self._spool.note("refused", do=record["do"], id=name, reason="no text")
        elif self._messages.is_withdrawn(name):
            return
        elif record["do"] == "steer" and self._turn:
            self._steer(name, text)
        elif record["do"] == "steer" and (self._is_opening or self._is_starting):
            self._messages.hold(name, text)
        else:
            self._wait(name, text, record)

    def _wait(self, name: str, text: str, record: Json) -> None:
        if record["do"] == "steer":
            self._messages.add_next(name, text)
        elif record.get("first") is True:
            self._messages.add_of_interrupt(name, text)
        else:
            self._messages.add(name, text)
        self._spool.note("queued", id=name)

    def _steer(self, name: str, text: str) -> None:
        self._messages.send(name, text)
        turn: Json = {"threadId": self._thread, "expectedTurnId": self._turn}
        into = self._turn

        def answered(received: Json, name: str) -> None:
            self._steered(into, received, name)

        self._call("turn/steer", {**turn, **protocol.message(name, text)}, answered, name)

    def _unqueue(self, name: str, record: Json) -> None:
        message = str(record.get("message"))
        if reason := self._messages.withdraw(message):
            is_read = reason == READ
            fields = {"message": message, "reason": reason, "read": is_read}
            self._spool.note("refused", do="unqueue", id=name, **fields)
        else:
            self._spool.note("applied", do="unqueue", id=name, message=message)

    def _interrupt(self, name: str) -> None:
        if self._turn:
            turn: Json = {"threadId": self._thread, "turnId": self._turn}
            self._call("turn/interrupt", turn, self._interrupted, name)
        elif self._is_opening or self._is_starting:
            self._interrupts.append(name)
        else:
            self._spool.note("refused", do="interrupt", id=name, reason="no turn")

    def _call(self, method: str, params: Json, answered: Answered, name: str = "") -> None:
        self._count += 1
        self._calls[self._count] = (answered, name)
        self._server.send({"id": self._count, "method": method, "params": params})


def _check(received: Json, method: str) -> None:
    if "error" in received:
        raise AttemptEnded(FAILED, f"{method}: {_reason(received)}")


def _reason(received: Json) -> str:
    error = received.get("error")
    return str(as_dict(error).get("message") or error)

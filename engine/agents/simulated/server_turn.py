"""One turn of a thread of the app-server: it is played while its client may speak."""

from __future__ import annotations

import time
from collections.abc import Callable

from . import server_lines
from .arguments import ExecOptions
from .server_lines import Json
from .thread import CONTEXT_WINDOW, Thread
from .turn import Turn

Message = tuple[str, str]
"""The id that its client gave it, and its text."""


class TurnClient:
    """The client of a turn, as far as a turn needs it."""

    def notify(self, method: str, params: Json) -> None:
        """Send a notification."""
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        """Send bytes that may be no message."""
        raise NotImplementedError

    def listen(self, timeout_s: float) -> None:
        """Read messages of the client; raises `TurnInterrupted`."""
        raise NotImplementedError

    def request(self, method: str, params: Json) -> Json:
        """Send a request, and wait for its response; raises `TurnInterrupted`."""
        raise NotImplementedError

    def become_deaf(self) -> None:
        """Answer no request from here on."""
        raise NotImplementedError

    def become_stubborn(self) -> None:
        """Neither signals nor the end of stdin stop it from here on."""
        raise NotImplementedError


class ServerTurn(Turn):
    """A turn whose events are notifications."""

    def __init__(
        self,
        turn_id: str,
        options: ExecOptions,
        thread: Thread,
        client: TurnClient,
        new_item: Callable[[], str],
        *,
        counts_itself: bool,
    ) -> None:
        """Begin a turn."""
        super().__init__(options, thread, counts_itself=counts_itself)
        self.id = turn_id
        self.messages: list[Message] = []
        """Messages that were accepted and not read yet."""
        self._client = client
        self._running: dict[str, Json] = {}
        self._awaited = 0
        self._read = -1  # its own message is none that a step waits for
        self.new_id = new_item
        thread.changed = self._count_tokens

    @property
    def ids(self) -> Json:
        """The ids that its notifications name."""
        return {"threadId": self.thread.id, "turnId": self.id}

    def notify(self, method: str, **params: object) -> None:
        """Send a notification of this turn."""
        self._client.notify(method, {**params, **self.ids})

    def begin(self) -> None:
        """Report that the turn has begun."""
        self._client.notify("turn/started", self._state("inProgress"))

    def end(self, status: str, error: Json | None = None) -> None:
        """Report that the turn has ended."""
        self._client.notify("turn/completed", self._state(status, error))

    def _state(self, status: str, error: Json | None = None) -> Json:
        state: Json = {"id": self.id, "items": [], "status": status, "error": error}
        return {"threadId": self.thread.id, "turn": state}

    def read_message(self, name: str, text: str) -> None:
        """Report that the agent has read a message, and keep it in the thread."""
        part: Json = {"type": "text", "text": text, "text_elements": list[object]()}
        item: Json = {"type": "userMessage", "id": self.new_id(), "clientId": name}
        for event in ("started", "completed"):
            self.notify(f"item/{event}", item={**item, "content": [part]})
        self.thread.record_message("user", text, name)
        self._read += 1

    def end_commands(self) -> None:
        """End the commands that run: an interrupt alone leaves them."""
        running, self._running = self._running, {}
        for item in running.values():
            ended = {**item, "status": "failed", "exitCode": -1}
            self.notify("item/completed", item=ended)

    # What the steps call

    def emit(self, event: Json) -> None:
        """Send an event of `codex exec` as a notification."""
        kind = str(event["type"])
        if kind.startswith("item."):
            self._emit_item(kind.removeprefix("item."), server_lines.as_dict(event["item"]))
        elif kind == "turn.completed":
            self.end("completed")
        elif kind == "error":
            self.notify("error", error=server_lines.error(event["message"]), willRetry=True)
        else:
            fields = {key: value for key, value in event.items() if key != "type"}
            self.notify(kind.replace(".", "/"), **fields)

    def _emit_item(self, event: str, known: Json) -> None:
        if known["type"] == "todo_list":
            self.notify("turn/plan/updated", explanation=None, plan=server_lines.plan(known))
        elif known["type"] == "error":
            self._client.notify(
                "warning", {"threadId": self.thread.id, "message": known["message"]}
            )
        else:
            item = server_lines.item(known, self.options.cwd)
            self._note_command(event, item)
            if known["type"] in ("agent_message", "reasoning"):
                self.notify("item/started", item=item)
            self.notify(f"item/{event}", item=item)

    def _note_command(self, event: str, item: Json) -> None:
        if event == "started" and item["type"] == "commandExecution":
            self._running[str(item["id"])] = item
        else:
            self._running.pop(str(item["id"]), None)

    def fail(self, message: str) -> None:
        """Report that the turn has failed."""
        error = server_lines.error(message)
        self.notify("error", error=error, willRetry=False)
        self.end("failed", error)

    def emit_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._client.write(data)

    def emit_all(self, events: list[Json]) -> None:
        """Send many events."""
        for event in events:
            self.emit(event)

    def show_search(self, phase: str, item_id: str, fields: Json) -> None:
        """Send a web search."""
        self.item(phase, item_id, "web_search", query=fields["query"], action=fields["action"])

    def pause(self, seconds: float) -> None:
        """Wait, and read what the client sends meanwhile."""
        deadline = time.monotonic() + seconds / self.speed
        while (left_s := deadline - time.monotonic()) > 0:
            self._client.listen(left_s)

    def wait_for_message(self) -> None:
        """Wait for a message of the user that no earlier step has waited for."""
        self._awaited += 1
        while self._read + len(self.messages) < self._awaited:
            self._client.listen(3600.0)

    def request(self, method: str, params: Json) -> Json | None:
        """Ask the client, and return its response."""
        return self._client.request(method, {**self.ids, **params})

    def stream(self, item_id: str, text: str) -> None:
        """Send a piece of a command's output."""
        self.notify("item/commandExecution/outputDelta", itemId=item_id, delta=text)

    def stop_answering(self) -> None:
        """Answer no request of the client from here on."""
        self._client.become_deaf()

    def ignore_signals(self) -> None:
        """Stop only for SIGKILL from here on."""
        super().ignore_signals()
        self._client.become_stubborn()

    def _count_tokens(self) -> None:
        usage: Json = {
            "total": server_lines.tokens(self.thread.totals),
            "last": server_lines.tokens(self.thread.last_request),
            "modelContextWindow": CONTEXT_WINDOW,
        }
        self.notify("thread/tokenUsage/updated", tokenUsage=usage)
        limits = {
            name: server_lines.window(self.thread.rate_limits[name])
            for name in ("primary", "secondary")
        }
        self._client.notify("account/rateLimits/updated", {"rateLimits": limits})

"""One turn as it is played: what goes to stdout, how fast, and what it costs."""
# Not pathlib: importing it would take a fifth of the time to start.
# ruff: noqa: PTH123

from __future__ import annotations

import json
import os
import signal
import time

from .arguments import ExecOptions
from .thread import Thread

TYPE_CHECKING = False  # as in typing, which takes several milliseconds of every start
if TYPE_CHECKING:
    import subprocess

STDOUT = 1
STDERR = 2


class TurnEnded(Exception):
    """The turn is over without `turn.completed`; carries the exit code."""

    def __init__(self, exit_code: int) -> None:
        """Keep the exit code."""
        super().__init__(exit_code)
        self.exit_code = exit_code


class TurnFailed(TurnEnded):
    """The turn has failed, which was printed."""

    def __init__(self) -> None:
        """Set the exit code of such a turn."""
        super().__init__(1)


class TurnInterrupted(Exception):
    """The client ended the turn."""


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it at once, unbuffered: a reader never waits for a line that was printed."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def complain(text: str) -> None:
    """Write one line to stderr."""
    write_all(STDERR, text.encode("utf-8", "replace") + b"\n")


def encode(event: dict[str, object]) -> bytes:
    """Write an event as one line, compact and in UTF-8 as the real one does."""
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace") + b"\n"


class Turn:
    """The state of the turn that is being played."""

    def __init__(self, options: ExecOptions, thread: Thread, *, counts_itself: bool) -> None:
        """Begin; `counts_itself` means that the script sets the tokens of the model requests."""
        self.options = options
        self.thread = thread
        self.speed = 1.0
        self.last_message = ""
        self.plan: list[str] = []
        self.plan_done = 0
        self.plan_id = ""
        self.started: list[subprocess.Popen[bytes]] = []
        """Processes of its commands."""
        self._counts_itself = counts_itself
        self._requests = 0
        self._items = 0
        self._is_json = "--json" in options.flags

    def emit(self, event: dict[str, object]) -> None:
        """Print one event."""
        self.emit_bytes(encode(event))

    def emit_bytes(self, data: bytes) -> None:
        """Print bytes as they are; without `--json` there are no events to print."""
        if self._is_json:
            write_all(STDOUT, data)

    def item(self, phase: str, item_id: str, kind: str, **fields: object) -> None:
        """Print an item event; phase is started, updated or completed."""
        item = {"id": item_id, "type": kind, **fields}
        self.emit({"type": f"item.{phase}", "item": item})

    def fail(self, message: str) -> None:
        """Print that the turn has failed: as an error line, then as its end."""
        self.emit({"type": "error", "message": message})
        self.emit({"type": "turn.failed", "error": {"message": message}})

    def show_search(self, phase: str, item_id: str, fields: dict[str, object]) -> None:
        """Print a web search; the real one prints the key `id` twice, and so does this."""
        inner = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
        item = f'{{"id":"{item_id}","type":"web_search",{inner[1:]}'
        line = f'{{"type":"item.{phase}","item":{item}}}\n'
        self.emit_bytes(line.encode("utf-8", "replace"))

    def new_id(self) -> str:
        """Return the next item its number; they begin again with every turn."""
        self._items += 1
        return f"item_{self._items - 1}"

    def pause(self, seconds: float) -> None:
        """Wait, at the speed of this turn."""
        if seconds > 0:
            time.sleep(seconds / self.speed)

    def pause_forever(self) -> None:
        """Wait without an end."""
        while True:
            self.pause(3600.0)

    def wait_for_message(self) -> None:
        """Wait for a message of the user: without a client there is none."""
        self.pause_forever()

    def request(self, method: str, params: dict[str, object]) -> dict[str, object] | None:
        """Ask the client, and return its response; None where there is no client to ask."""
        del method, params
        return None

    def stream(self, item_id: str, text: str) -> None:
        """Show a piece of a command's output while it runs: only a client reads it."""

    def stop_answering(self) -> None:
        """Answer no request of the client from here on."""

    def ignore_signals(self) -> None:
        """Stop only for SIGKILL from here on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)

    def emit_all(self, events: list[dict[str, object]]) -> None:
        """Print many events at once."""
        self.emit_bytes(b"".join(map(encode, events)))

    def print_message(self, text: str) -> None:
        """Print an agent message and remember it as the last one."""
        self.item("completed", self.new_id(), "agent_message", text=text)
        self.last_message = text

    def show_plan(self, phase: str) -> None:
        """Print the plan as it stands."""
        items = [
            {"text": text, "completed": number < self.plan_done}
            for number, text in enumerate(self.plan)
        ]
        self.item(phase, self.plan_id, "todo_list", items=items)

    def count_request(self, characters: int) -> None:
        """Count a model request that answered with so many characters."""
        if self._counts_itself:
            return
        known = 2400 + 380 * self._requests
        self.thread.count(
            {
                "input_tokens": known,
                "cached_input_tokens": (known - 380) // 128 * 128 if self._requests else 0,
                "output_tokens": 24 + characters // 4,
                "reasoning_output_tokens": 8 + self._requests % 5,
            }
        )
        self._requests += 1

    def complete(self) -> None:
        """End well: close the plan, print the usage, leave the last message."""
        if self.plan_id:
            self.show_plan("completed")
        if not self._requests:
            self.count_request(0)
        self.thread.record(
            "event_msg", {"type": "task_complete", "last_agent_message": self.last_message or None}
        )
        self.emit({"type": "turn.completed", "usage": dict(self.thread.totals)})
        self._leave_last_message()

    def _leave_last_message(self) -> None:
        text = self.last_message.encode("utf-8", "replace")
        path = self.options.values.get("--output-last-message")
        if path:
            if not text:
                complain(f"Warning: no last agent message; wrote empty content to {path}")
            with open(path, "wb") as last_message:
                last_message.write(text)
        if not self._is_json and text:
            write_all(STDOUT, text + b"\n")

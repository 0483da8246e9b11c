"""The directives that go wrong: failures, silence, deaths and children left behind."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from .items import shell_command, show_command
from .script import ScriptStep
from .turn import Turn, TurnEnded, TurnFailed, complain

_URL = "https://api.openai.com/v1/responses"
FAILURES = {
    "auth": f"unexpected status 401 Unauthorized: Incorrect API key provided, url: {_URL}",
    "rate": "exceeded retry limit, last status: 429 Too Many Requests",
    "quota": "Quota exceeded. Check your plan and billing details.",
    "usage": "You\u2019ve hit your usage limit. Try again at 3:15 PM.",
    "overloaded": (
        "We\u2019re currently experiencing high demand, which may cause temporary errors."
    ),
    "stream": "stream disconnected before completion: stream closed before response.completed",
    "context": (
        "Codex ran out of room in the model's context window. "
        "Start a new thread or clear earlier history before retrying."
    ),
}
_NO_NETWORK = "Reconnecting... waiting for network (Connection failed: error sending request)"
_COMMAND_PROGRAM = "import select, sys; select.select([0], [], [], float(sys.argv[1]))"
"""Program that waits, at most until its stdin ends: then the agent has died."""
_CHILD_PROGRAM = "import sys, time; time.sleep(float(sys.argv[1]))"


def reconnecting(turn: Turn, step: ScriptStep) -> None:
    """Lose the connection a few times, and find it again."""
    count = int(step.words[0])
    for number in range(1, count + 1):
        reason = "stream disconnected before completion: error sending request"
        turn.emit({"type": "error", "message": f"Reconnecting... {number}/{count} ({reason})"})
        turn.pause(0.2)


def network(turn: Turn, _: ScriptStep) -> None:
    """Wait for a network that never comes."""
    while True:
        turn.emit({"type": "error", "message": _NO_NETWORK})
        turn.pause(2)


def fail(turn: Turn, step: ScriptStep) -> None:
    """Fail for a known cause, or with a message of one's own."""
    message = FAILURES.get(step.text, step.text)
    turn.fail(message)
    raise TurnFailed


def stderr(_: Turn, step: ScriptStep) -> None:
    """Write a line to stderr."""
    complain(step.text)


def hang(turn: Turn, _: ScriptStep) -> None:
    """Print nothing any more, for ever."""
    turn.pause_forever()


def crash(_turn: Turn, _step: ScriptStep) -> None:
    """Exit as a Rust program does that panics."""
    complain(
        "\nthread 'main' panicked at simulated/src/turn.rs:42:17:\n"
        "called `Option::unwrap()` on a `None` value\n"
        "stack backtrace:\n   0: <unknown>\n   1: <unknown>\n"
        "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace"
    )
    raise TurnEnded(101)


def leave(_: Turn, step: ScriptStep) -> None:
    """End with any exit code, without a word."""
    raise TurnEnded(int(step.words[0]) & 0xFF)


def ignore_term(turn: Turn, _: ScriptStep) -> None:
    """Stop only for SIGKILL from here on."""
    turn.ignore_signals()


def deaf(turn: Turn, _: ScriptStep) -> None:
    """Answer no request of the client from here on."""
    turn.stop_answering()


def child(turn: Turn, step: ScriptStep) -> None:
    """Leave a real process behind; its pid is in the output of a command."""
    import subprocess  # costs 7 ms, and few scripts ask for it

    words = [word for word in step.words if not word[0].isalpha()]
    seconds = words[-1] if words else "300"
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _CHILD_PROGRAM, seconds, "simulated-child"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session="new-session" in step.words,
        preexec_fn=_ignore_signals if "ignore-term" in step.words else None,
    )
    show_command(turn, f"/bin/bash -lc 'sleep {seconds} &'", f"[1] {process.pid}\n", 0)


def background(turn: Turn, step: ScriptStep) -> None:
    """Run a real process as a command: it outlives an interrupt, and dies with the agent."""
    import subprocess  # costs 7 ms, and few scripts ask for it

    seconds = step.words[0]
    shown, item_id = shell_command(f"sleep {seconds}"), turn.new_id()
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _COMMAND_PROGRAM, seconds, "simulated-command"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    turn.started.append(process)
    turn.item("started", item_id, "command_execution", command=shown, aggregated_output="",
              exit_code=None, status="in_progress")  # fmt: skip
    while process.poll() is None:
        turn.pause(0.05 * turn.speed)
    turn.item("completed", item_id, "command_execution", command=shown, aggregated_output="",
              exit_code=0, status="completed")  # fmt: skip
    turn.count_request(len(shown))


def _ignore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def stop_on_interrupt() -> None:
    """Make SIGINT end the process with exit code 1, as it ends the real one."""
    signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(1))


PLAYS: dict[str, Callable[[Turn, ScriptStep], None]] = {
    "reconnecting": reconnecting,
    "network": network,
    "fail": fail,
    "stderr": stderr,
    "hang": hang,
    "crash": crash,
    "exit": leave,
    "ignore-term": ignore_term,
    "deaf": deaf,
    "child": child,
    "background": background,
}

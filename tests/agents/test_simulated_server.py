"""The simulated app-server, driven as the bridge drives it: JSON-RPC over pipes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from support import LIMIT_S, script

import engine.agents.simulated as simulated

EXECUTABLE = Path(simulated.__file__).with_name("__main__.py")
Json = dict[str, Any]


class Client:
    """One app-server and its client."""

    def __init__(self, folder: Path) -> None:
        self.workspace = folder
        self._count = self._seen = 0
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(EXECUTABLE), "app-server"],
            cwd=folder,
            env={**os.environ, "CODEX_HOME": str(folder.parent)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._timer = threading.Timer(LIMIT_S, self._process.kill)
        self._timer.start()
        self.lines: list[Json] = []
        self.call("initialize")

    def close(self) -> None:
        self._timer.cancel()
        self.end()
        self._process.stdout.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def end(self) -> int:
        """Close its stdin, read to the end and return the exit code."""
        if not self._process.stdin.closed:
            self._process.stdin.close()
        while self._process.stdout.readline():
            pass
        return self._process.wait(LIMIT_S)

    def write(self, message: Json) -> None:
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def send(self, method: str, **params: object) -> int:
        self._count += 1
        self.write({"id": self._count, "method": method, "params": params})
        return self._count

    def call(self, method: str, **params: object) -> Json:
        """Send a request and return its response."""
        number = self.send(method, **params)
        while (line := self._next()).get("id") != number or "method" in line:
            pass
        return line

    def until(self, wanted: Callable[[Json], object]) -> Json:
        """Return the next line that is wanted; those before it are passed over."""
        while True:
            line = self.lines[self._seen] if self._seen < len(self.lines) else self._next()
            self._seen += 1
            if wanted(line):
                return line

    def _next(self) -> Json:
        line = self._process.stdout.readline()
        assert line, f"it ended: {self.lines}"
        self.lines.append(json.loads(line))
        return self.lines[-1]

    def method(self, name: str) -> Json:
        return self.until(lambda line: line.get("method") == name)

    def item(self, event: str, kind: str) -> Json:
        name = f"item/{event}"
        found = self.until(
            lambda line: line.get("method") == name and line["params"]["item"]["type"] == kind
        )
        return found["params"]["item"]

    def open(self, *lines: str, thread: str = "") -> Json:
        """Start or resume a thread, begin a turn of this script, and name both."""
        rights = {"sandbox": "workspace-write", "approvalPolicy": "on-request"}
        if thread:
            opened = self.call("thread/resume", threadId=thread, **rights)
        else:
            opened = self.call("thread/start", **rights)
        thread = opened["result"]["thread"]["id"]
        return {"threadId": thread, "turnId": self.start(thread, "p", *lines)}

    def start(self, thread: str, name: str, *lines: str) -> str:
        asked = {"threadId": thread, **message(name, script(*lines))}
        return self.call("turn/start", **asked)["result"]["turn"]["id"]

    def steer(self, ids: Json, name: str, text: str) -> Json:
        turn = {"threadId": ids["threadId"], "expectedTurnId": ids["turnId"]}
        return self.call("turn/steer", **turn, **message(name, text))


def message(name: str, text: str) -> Json:
    return {"clientUserMessageId": name, "input": [{"type": "text", "text": text}]}


def status(line: Json) -> str:
    return line["params"]["turn"]["status"]


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Callable[[], Client]]:
    """Start servers with one home and one workspace."""
    made: list[Client] = []
    (tmp_path / "work").mkdir()

    def start() -> Client:
        made.append(Client(tmp_path / "work"))
        return made[-1]

    yield start
    for one in made:
        one.close()


Connect = Callable[[], Client]


@pytest.mark.parametrize(
    ("answer", "item_status", "turn_status", "is_run"),
    [
        ({"result": {"decision": "accept"}}, "completed", "completed", True),
        ({"result": {"decision": "decline"}}, "declined", "completed", False),
        ({"result": {"decision": "cancel"}}, "declined", "interrupted", False),
        ({"result": {"decision": "nonsense"}}, "failed", "completed", False),
        ({"error": {"code": -1, "message": "no"}}, "failed", "completed", False),
    ],
)
def test_command_runs_only_if_it_is_accepted(
    connect: Connect, answer: Json, item_status: str, turn_status: str, is_run: bool
) -> None:
    client = connect()
    client.open('ask "npm ci" reason="May I?" writes=ran.txt', "say on")
    client.item("started", "commandExecution")
    request = client.method("item/commandExecution/requestApproval")
    assert (request["id"], request["params"]["reason"]) == (0, "May I?")
    client.write({"id": 0, **answer})
    client.write({"id": 0, "result": {"decision": "accept"}})  # of two answers the first counts
    assert client.method("serverRequest/resolved")["params"]["requestId"] == 0
    assert client.item("completed", "commandExecution")["status"] == item_status
    assert status(client.method("turn/completed")) == turn_status
    assert (client.workspace / "ran.txt").exists() == is_run


def test_requests_are_numbered_from_zero_and_resolved_after_an_interrupt(connect: Connect) -> None:
    client = connect()
    ids = client.open("ask-unknown simulated/odd", "ask-patch a.txt text")
    client.write({"id": client.method("simulated/odd")["id"], "error": {"code": -1}})
    request = client.method("item/fileChange/requestApproval")
    assert request["id"] == 1
    assert "changes" not in request["params"]
    client.call("turn/interrupt", **ids)
    assert status(client.method("turn/completed")) == "interrupted"
    assert client.method("serverRequest/resolved")["params"]["requestId"] == 1
    assert not (client.workspace / "a.txt").exists()


def test_steer_is_read_at_the_next_step_and_plays_its_directives(connect: Connect) -> None:
    client = connect()
    ids = client.open("until message", "say after")
    assert client.steer(ids, "m1", "sim: say steered")["result"]["turnId"] == ids["turnId"]
    assert client.item("started", "userMessage")["clientId"] == "p"
    assert client.item("started", "userMessage")["clientId"] == "m1"
    said = [client.item("completed", "agentMessage")["text"] for _ in range(2)]
    assert said == ["steered", "after"]
    client.method("turn/completed")
    wrong = client.steer(ids, "m2", "late")
    assert "no active turn to steer" in wrong["error"]["message"]


def test_start_during_a_turn_is_a_steer_and_another_turn_cannot_be_steered(
    connect: Connect,
) -> None:
    client = connect()
    ids = client.open("until message")
    other = client.steer({**ids, "turnId": "turn-9"}, "m0", "x")
    assert "expected active turn id" in other["error"]["message"]
    assert client.start(ids["threadId"], "m1", "say steered") == ids["turnId"]
    assert client.item("completed", "agentMessage")["text"] == "steered"


def test_interrupt_drops_a_steer_and_leaves_the_command(connect: Connect) -> None:
    client = connect()
    ids = client.open("background 300")
    client.item("started", "commandExecution")
    (command,) = psutil.Process(client.pid).children()
    client.steer(ids, "m1", "never read")
    client.call("turn/interrupt", **ids)
    assert status(client.method("turn/completed")) == "interrupted"
    assert command.is_running()
    client.call("thread/backgroundTerminals/clean", threadId=ids["threadId"])
    ended = [line for line in client.lines if line.get("method") == "item/completed"][-1]
    assert (ended["params"]["item"]["status"], ended["params"]["item"]["exitCode"]) == (
        "failed",
        -1,
    )
    assert not command.is_running()
    listed = client.call("thread/turns/list", threadId=ids["threadId"])["result"]["data"]
    assert [item["clientId"] for item in listed[0]["items"]] == ["p"]


def test_last_turn_lists_what_was_steered_also_in_a_resumed_thread(connect: Connect) -> None:
    client = connect()
    ids = client.open("until message")
    client.steer(ids, "m1", "read")
    client.method("turn/completed")
    assert client.end() == 0
    again = connect()
    again.call("thread/resume", threadId=ids["threadId"])
    listed = again.call("thread/turns/list", threadId=ids["threadId"])["result"]["data"]
    assert [item["clientId"] for item in listed[0]["items"]] == ["p", "m1"]


def test_thread_has_one_writer_until_it_is_killed(connect: Connect) -> None:
    first, second = connect(), connect()
    ids = first.open("hang")
    refused = second.call("thread/resume", threadId=ids["threadId"])
    assert "already has an active writer" in refused["error"]["message"]
    os.kill(first.pid, signal.SIGKILL)
    first.end()
    assert "result" in second.call("thread/resume", threadId=ids["threadId"])
    unknown = second.call("thread/resume", threadId="01a22527-a4df-7c20-a428-c4e1e745ccd7")
    assert "no rollout found for thread id" in unknown["error"]["message"]


def test_unknown_methods_and_lines_change_nothing(connect: Connect) -> None:
    client = connect()
    client.write({"id": 77, "result": {}})
    for line in (b"no json\n", b"[1]\n", b"\n"):
        client._process.stdin.write(line)
    assert "unknown variant" in client.call("simulated/odd")["error"]["message"]
    client.open("say hello")
    assert client.item("completed", "agentMessage")["text"] == "hello"


@pytest.mark.parametrize("how", ["stdin", "SIGTERM", "SIGKILL"])
def test_its_commands_end_with_it(connect: Connect, how: str) -> None:
    client = connect()
    client.open("background 300")
    client.item("started", "commandExecution")
    (command,) = psutil.Process(client.pid).children()
    if how != "stdin":
        os.kill(client.pid, getattr(signal, how))
    assert client.end() == (-signal.SIGKILL if how == "SIGKILL" else 0)
    command.wait(LIMIT_S)


def test_deaf_server_answers_nothing_and_still_ends(connect: Connect) -> None:
    client = connect()
    ids = client.open("deaf", "say deaf", "until message")
    client.item("completed", "agentMessage")
    client.send("turn/interrupt", **ids)
    assert client.end() == 0


def test_output_comes_while_the_command_runs_but_for_its_first_line(connect: Connect) -> None:
    client = connect()
    client.open("stream 3")
    deltas = [client.method("item/commandExecution/outputDelta") for _ in range(2)]
    assert [one["params"]["delta"] for one in deltas] == ["out 2\n", "out 3\n"]
    whole = client.item("completed", "commandExecution")["aggregatedOutput"]
    assert whole == "out 1\nout 2\nout 3\n"
    assert client.method("thread/tokenUsage/updated")["params"]["tokenUsage"]["total"]

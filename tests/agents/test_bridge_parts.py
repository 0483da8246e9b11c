"""The bridge without Codex: records, requests that nobody knows, output, and a full disk."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from engine.agents.codex.interactive import inbox
from engine.agents.codex.interactive.bridge import inbox_reader, protocol, spool
from engine.agents.codex.interactive.bridge.app_server import AppServer
from engine.agents.codex.interactive.bridge.inbox_reader import InboxReader
from engine.agents.codex.interactive.bridge.options import BridgeUsageError, parse
from engine.agents.codex.interactive.bridge.session import AttemptEnded, Session
from engine.agents.codex.interactive.bridge.spool import Spool
from engine.agents.codex.interactive.command import BRIDGE
from engine.domain.interaction import Decision
from engine.execution.local import inbox_file
from engine.execution.local.inbox_file import append_records, bell_of

Json = dict[str, Any]
THREAD = "01a22527-a4df-7c20-a428-c4e1e745ccd7"
COMMAND = protocol.COMMAND


class FakeServer:
    """An app-server that only remembers what it was sent."""

    def __init__(self) -> None:
        self.sent: list[Json] = []

    def send(self, sent: Json) -> None:
        """Remember a message."""
        self.sent.append(sent)


class Conversation:
    """A session with a fake server, and the lines that it wrote."""

    def __init__(self, tmp_path: Path, *options: str) -> None:
        self._path = tmp_path / "spool"
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.server = FakeServer()
        needed = ["--codex", "x", "--inbox", "y", "--prompt-id", "prompt:1"]
        needed += ["--sandbox", "workspace-write", "--approvals", "on-request"]
        self.session = Session(
            parse([*needed, *options]), cast("AppServer", self.server), Spool(handle)
        )
        self._handle = handle

    def close(self) -> None:
        """Close the spool."""
        os.close(self._handle)

    @property
    def lines(self) -> list[Json]:
        """The lines of the spool."""
        return [json.loads(line) for line in self._path.read_text().splitlines()]

    def notes(self, subject: str) -> list[Json]:
        """Return the bridge's own lines about a subject."""
        return [line for line in self.lines if line.get("bridge") == subject]

    def receive(self, **line: object) -> None:
        """Let the server say something."""
        self.session.receive(json.dumps(line).encode())

    def respond(self, method: str, **result: object) -> None:
        """Let the server respond to the last request with a method."""
        asked = next(sent for sent in self.server.sent[::-1] if sent.get("method") == method)
        self.receive(id=asked["id"], result=result)

    def begin(self) -> None:
        """Carry it into its first turn."""
        self.session.open("hello")
        self.respond("initialize")
        self.respond("thread/start", thread={"id": THREAD})
        self.session.advance()
        self.respond("turn/start", turn={"id": "t1"})

    def notify(self, method: str, **params: object) -> None:
        """Let the server notify of something in the thread."""
        self.receive(method=method, params={"threadId": THREAD, **params})

    def request(self, number: object, method: str, **params: object) -> None:
        """Let the server request something."""
        self.receive(id=number, method=method, params={"threadId": THREAD, **params})


@pytest.fixture
def new_conversation(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Conversation]:
    """Return a function that makes a conversation."""

    def make(*options: str) -> Conversation:
        made = Conversation(tmp_path, *options)
        request.addfinalizer(made.close)
        return made

    return make


@pytest.fixture
def conversation(new_conversation: Callable[..., Conversation]) -> Conversation:
    """Make a conversation in its first turn."""
    made = new_conversation()
    made.begin()
    return made


# Requests


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("account/chatgptAuthTokens/refresh", {}),
        ("item/tool/requestUserInput", {"questions": []}),
        ("mcpServer/elicitation/request", {"message": "your name?"}),
        ("mcpServer/elicitation/request", {"message": "x", "mode": "openai/form"}),
        (COMMAND, {"command": "x", "kind": "writeStdin"}),
        (COMMAND, {"command": "x", "kind": "humanCommand"}),
        (COMMAND, {"command": "x", "networkApprovalContext": {"host": "example.com"}}),
        (COMMAND, {"command": None}),
        (COMMAND, {"command": ["rm", "x"]}),
        (COMMAND, {"command": "x", "threadId": {"new": "form"}}),
        (COMMAND, {"command": "x", "threadId": None}),
        (protocol.PATCH, {"itemId": 3}),
        (protocol.PATCH, {}),
        (protocol.PATCH, {"itemId": "c", "grantRoot": "/"}),
        ("item/commandExecution/requestApproval/v9", {}),
    ],
)
def test_unknown_request_is_refused_at_once(
    conversation: Conversation, method: str, params: Json
) -> None:
    conversation.request(7, method, **params)
    error = {"code": -32601, "message": "not supported by this client"}
    assert conversation.server.sent[-1] == {"id": 7, "error": error}
    assert conversation.notes("unsupported")[0]["method"] == method
    conversation.session.do({"id": "a", "do": "answer", "request": 7, "decision": "approve"})
    assert conversation.notes("late")[0]["request"] == 7


def test_permissions_are_granted_for_the_turn_alone(conversation: Conversation) -> None:
    wanted = {"network": {"enabled": True}, "fileSystem": None}
    conversation.request(0, protocol.PERMISSIONS, permissions=wanted)
    conversation.request(1, protocol.PERMISSIONS, permissions=wanted)
    for number, decision in enumerate(("approve", "deny")):
        record = json.loads(inbox.answer(str(number), Decision(decision)))
        conversation.session.do(record)
    granted, denied = conversation.server.sent[-2:]
    assert granted["result"] == {"permissions": {"network": {"enabled": True}}, "scope": "turn"}
    assert denied["result"] == {"permissions": {}, "scope": "turn"}


def test_tool_is_approved_without_being_remembered(conversation: Conversation) -> None:
    meta = {"codex_approval_kind": "mcp_tool_call", "persist": ["session", "always"]}
    conversation.request("s-1", protocol.ELICITATION, _meta=meta)
    conversation.session.do(json.loads(inbox.answer('"s-1"', Decision.APPROVE)))
    answered: Json = {"action": "accept", "content": {}, "_meta": None}
    assert conversation.server.sent[-1] == {"id": "s-1", "result": answered}


@pytest.mark.parametrize("decision", ["acceptForSession", "accept", {"a": 1}, None, 3])
def test_only_our_own_decisions_are_carried_out(
    conversation: Conversation, decision: object
) -> None:
    conversation.request(0, COMMAND, command="x")
    before = len(conversation.server.sent)
    conversation.session.do({"id": "a", "do": "answer", "request": 0, "decision": decision})
    assert len(conversation.server.sent) == before
    assert conversation.notes("refused")[0]["reason"] == "unknown decision"
    # It is still open, and can be answered.
    conversation.session.do(json.loads(inbox.answer("0", Decision.DENY)))
    assert conversation.server.sent[-1] == {"id": 0, "result": {"decision": "decline"}}


@pytest.mark.parametrize(
    ("method", "params"),
    [
        (protocol.PERMISSIONS, {"permissions": {"network": {"enabled": True}}}),
        (protocol.ELICITATION, {"_meta": {"codex_approval_kind": "mcp_tool_call"}}),
        ("item/tool/requestUserInput", {"questions": [{"id": "q", "question": "Which?"}]}),
    ],
)
def test_stop_ends_the_turn_before_the_denial_is_read(
    conversation: Conversation, method: str, params: Json
) -> None:
    conversation.request(0, method, **params)
    conversation.session.do(json.loads(inbox.answer("0", Decision.STOP)))
    interrupt, denial = conversation.server.sent[-2:]
    assert (interrupt["method"], denial["id"]) == ("turn/interrupt", 0)


def test_secret_values_wait_for_the_answer_that_names_them(conversation: Conversation) -> None:
    question = {"id": "q", "question": "Token?", "isSecret": True}
    conversation.request(0, "item/tool/requestUserInput", questions=[question])
    before = len(conversation.server.sent)
    for name, text in (("secrets:1", "other"), ("secrets:2", "hush")):
        conversation.session.do({"id": name, "do": "secrets", "values": [[text]]})
    conversation.session.do(json.loads(inbox.answer("0", Decision.ANSWER, [[]], "secrets:3")))
    assert len(conversation.server.sent) == before
    conversation.session.do(json.loads(inbox.answer("0", Decision.ANSWER, [[]], "secrets:2")))
    assert conversation.server.sent[-1]["result"] == {"answers": {"q": {"answers": ["hush"]}}}
    assert "hush" not in str(conversation.lines)


def test_text_of_a_torn_record_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "inbox.jsonl"
    reader = InboxReader(str(path))
    path.write_bytes(b'\n{"id":"secrets:1","do":"secrets","values":[["hush\n')
    assert reader.read() == ["not a record: 49 bytes"]
    reader.close()


def test_second_answer_is_refused(conversation: Conversation) -> None:
    conversation.request(0, COMMAND, command="x")
    conversation.session.do({"id": "a", "do": "answer", "request": 0, "decision": "deny"})
    conversation.session.do({"id": "b", "do": "answer", "request": 0, "decision": "approve"})
    assert conversation.server.sent[-1]["result"] == {"decision": "decline"}
    assert [line["id"] for line in conversation.notes("late")] == ["b"]


@pytest.mark.parametrize("request_id", [None, [], {}, 1.5, "0", True])
def test_answer_to_an_odd_request_is_refused(
    conversation: Conversation, request_id: object
) -> None:
    conversation.request(0, COMMAND, command="x")
    record = {"id": "a", "do": "answer", "request": request_id, "decision": "approve"}
    conversation.session.do(record)
    assert "result" not in conversation.server.sent[-1]


# Threads and turns


def test_folder_is_never_named_to_the_server(conversation: Conversation) -> None:
    started = next(s for s in conversation.server.sent if s.get("method") == "thread/start")
    assert started["params"] == {
        "approvalPolicy": "on-request",
        "sandbox": "workspace-write",
        "approvalsReviewer": "user",
    }
    assert not any("cwd" in (sent.get("params") or {}) for sent in conversation.server.sent)


def test_sandbox_and_approvals_are_passed_on_resume(
    new_conversation: Callable[..., Conversation],
) -> None:
    resumed = new_conversation("--thread", THREAD)
    resumed.session.open("hello")
    resumed.respond("initialize")
    sent = resumed.server.sent[-1]
    assert (sent["method"], sent["params"]["sandbox"]) == ("thread/resume", "workspace-write")
    assert sent["params"]["approvalPolicy"] == "on-request"
    assert "cwd" not in sent["params"]


def test_rights_have_no_default() -> None:
    with pytest.raises(BridgeUsageError, match="--sandbox is missing"):
        parse(["--codex", "x", "--inbox", "y", "--prompt-id", "p", "--approvals", "untrusted"])
    with pytest.raises(BridgeUsageError, match="unexpected"):
        parse(["--yolo", "x"])


def test_early_messages_and_interrupts_wait_for_the_turn(
    new_conversation: Callable[..., Conversation],
) -> None:
    early = new_conversation()
    early.session.open("hello")
    early.session.do(json.loads(inbox.steer("m1", "hurry")))
    early.session.do(json.loads(inbox.interrupt("i1")))
    early.respond("initialize")
    early.respond("thread/start", thread={"id": THREAD})
    early.session.advance()
    early.respond("turn/start", turn={"id": "t1"})
    methods = [sent.get("method") for sent in early.server.sent]
    assert methods[-3:] == ["turn/start", "turn/steer", "turn/interrupt"]


def test_turn_that_ends_before_it_is_answered_is_not_taken_for_running(
    new_conversation: Callable[..., Conversation],
) -> None:
    short = new_conversation()
    short.session.open("hello")
    short.respond("initialize")
    short.respond("thread/start", thread={"id": THREAD})
    short.session.advance()
    short.notify("turn/started", turn={"id": "t1"})
    short.notify("turn/completed", turn={"id": "t1", "status": "completed"})
    short.respond("turn/start", turn={"id": "t1"})
    with pytest.raises(AttemptEnded) as ended:
        short.session.advance()
    assert ended.value.code == 0


def test_refused_steer_gets_a_turn_of_its_own(conversation: Conversation) -> None:
    conversation.session.do(json.loads(inbox.steer("m1", "hurry")))
    number = conversation.server.sent[-1]["id"]
    conversation.notify("turn/completed", turn={"id": "t1", "status": "completed"})
    conversation.receive(id=number, error={"message": "no active turn to steer"})
    conversation.session.advance()
    assert conversation.server.sent[-1]["method"] == "turn/start"
    assert conversation.server.sent[-1]["params"]["clientUserMessageId"] == "m1"


def test_failed_turn_leaves_messages_undelivered(conversation: Conversation) -> None:
    conversation.session.do(json.loads(inbox.queue("m1", "later")))
    conversation.notify("turn/completed", turn={"id": "t1", "status": "failed"})
    with pytest.raises(AttemptEnded) as ended:
        conversation.session.advance()
    assert ended.value.code == 1
    assert "m1" in conversation.session.undelivered


def test_interrupted_turn_does_not_begin_again(conversation: Conversation) -> None:
    conversation.notify("turn/completed", turn={"id": "t1", "status": "interrupted"})
    with pytest.raises(AttemptEnded) as ended:
        conversation.session.advance()
    assert ended.value.code == 130
    assert conversation.session.undelivered == ["prompt:1"]


def _starts(conversation: Conversation) -> list[tuple[str, str]]:
    """Return what was sent to the agent: how, and the id of the message."""
    found = (one for one in conversation.server.sent if one.get("method") in STARTS)
    return [(one["method"], one["params"]["clientUserMessageId"]) for one in found]


STARTS = ("turn/start", "turn/steer")


def _do(conversation: Conversation, *records: bytes) -> None:
    for record in records:
        conversation.session.do(json.loads(record))


def _end_turn(conversation: Conversation, status: str, turn: str = "t1") -> None:
    conversation.notify("turn/completed", turn={"id": turn, "status": status})
    conversation.session.advance()


def _begin_turn(conversation: Conversation, turn: str) -> None:
    conversation.respond("turn/start", turn={"id": turn})


def test_prompt_that_an_interrupt_overtook_is_read_with_its_message(
    conversation: Conversation,
) -> None:
    _do(conversation, inbox.queue("later", "x"), inbox.queue("m1", "x", is_first=True))
    _end_turn(conversation, "interrupted")
    _begin_turn(conversation, "t2")
    sent = [("turn/start", "prompt:1"), ("turn/start", "prompt:1"), ("turn/steer", "m1")]
    assert _starts(conversation) == sent
    for name in ("prompt:1", "m1"):
        item = {"type": "userMessage", "clientId": name}
        conversation.notify("item/started", item=item)
    _end_turn(conversation, "completed", "t2")
    assert _starts(conversation)[3:] == [("turn/start", "later")]


def test_overtaken_messages_are_read_in_their_order_before_all_others(
    conversation: Conversation,
) -> None:
    conversation.notify("item/started", item={"type": "userMessage", "clientId": "prompt:1"})
    _do(conversation, inbox.queue("later", "x"), inbox.steer("m1", "x"), inbox.steer("m2", "x"))
    _do(conversation, inbox.queue("m3", "x", is_first=True))
    _end_turn(conversation, "interrupted")
    _begin_turn(conversation, "t2")
    assert [name for _, name in _starts(conversation)[3:]] == ["m1", "m2", "m3"]


def test_refused_messages_keep_their_order(conversation: Conversation) -> None:
    _do(conversation, inbox.steer("m1", "x"), inbox.steer("m2", "x"))
    for number in [sent["id"] for sent in conversation.server.sent[-2:]]:
        conversation.receive(id=number, error={"message": "no active turn to steer"})
    conversation.notify("item/started", item={"type": "userMessage", "clientId": "prompt:1"})
    _end_turn(conversation, "completed")
    _begin_turn(conversation, "t2")
    assert [name for _, name in _starts(conversation)[-2:]] == ["m1", "m2"]


def test_late_refusal_does_not_send_a_message_twice(conversation: Conversation) -> None:
    conversation.notify("item/started", item={"type": "userMessage", "clientId": "prompt:1"})
    _do(conversation, inbox.steer("m1", "x"))
    number = conversation.server.sent[-1]["id"]
    _end_turn(conversation, "completed")
    conversation.receive(id=number, error={"message": "no active turn to steer"})
    _begin_turn(conversation, "t2")
    conversation.notify("item/started", item={"type": "userMessage", "clientId": "m1"})
    conversation.notify("turn/completed", turn={"id": "t2", "status": "completed"})
    with pytest.raises(AttemptEnded):
        conversation.session.advance()
    assert [name for _, name in _starts(conversation)].count("m1") == 2  # the refused one, and this


def test_message_for_now_comes_before_those_for_later_where_no_turn_is(
    conversation: Conversation,
) -> None:
    conversation.notify("item/started", item={"type": "userMessage", "clientId": "prompt:1"})
    _do(conversation, inbox.queue("later", "x"))
    conversation.notify("turn/completed", turn={"id": "t1", "status": "interrupted"})
    _do(conversation, inbox.steer("now", "x"))
    conversation.session.advance()
    assert _starts(conversation)[-1] == ("turn/start", "now")


def test_withdrawn_message_is_dropped_also_before_it_comes(conversation: Conversation) -> None:
    _do(conversation, inbox.queue("m1", "x"), inbox.unqueue("m1"))
    _do(conversation, inbox.unqueue("m2"), inbox.steer("m2", "x"), inbox.queue("m2", "x"))
    assert [line["message"] for line in conversation.notes("applied")] == ["m1", "m2"]
    assert [name for _, name in _starts(conversation)] == ["prompt:1"]
    assert conversation.session.undelivered == ["prompt:1"]


def test_message_that_was_sent_or_read_is_not_withdrawn(conversation: Conversation) -> None:
    _do(conversation, inbox.steer("m1", "x"), inbox.unqueue("m1"))
    conversation.notify("item/started", item={"type": "userMessage", "clientId": "m1"})
    _do(conversation, inbox.queue("other", "x"), inbox.unqueue("prompt:1"))
    conversation.session.do({"id": "again", "do": "unqueue", "message": "m1"})
    refused = [(line["message"], line["read"]) for line in conversation.notes("refused")]
    assert refused == [("m1", False), ("prompt:1", False), ("m1", True)]


def test_other_threads_do_not_move_the_turn(conversation: Conversation) -> None:
    of_agent = {"threadId": "another", "turn": {"id": "t9", "status": "completed"}}
    conversation.receive(method="turn/completed", params=of_agent)
    conversation.session.advance()  # still in its turn: nothing is raised
    conversation.session.do(json.loads(inbox.steer("m1", "x")))
    assert conversation.server.sent[-1]["params"]["expectedTurnId"] == "t1"


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b"null", b"12", b"{", b'{"id":null}', b'{"method":3,"params":[]}', b"\xff\xfe"],
)
def test_odd_lines_of_the_server_are_kept(conversation: Conversation, line: bytes) -> None:
    conversation.session.receive(line)
    conversation.session.do(json.loads(inbox.steer("m1", "x")))
    assert conversation.server.sent[-1]["method"] == "turn/steer"


@pytest.mark.parametrize("action", ["explode", "", "answer "])
def test_unknown_action_is_refused(conversation: Conversation, action: str) -> None:
    conversation.session.do({"id": "a", "do": action})
    assert conversation.notes("refused")[0]["reason"] == "unknown action"


# The inbox


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[InboxReader]:
    """Open an inbox."""
    opened = InboxReader(str(tmp_path / "inbox.jsonl"))
    yield opened
    opened.close()


def test_each_record_is_read_once(tmp_path: Path, reader: InboxReader) -> None:
    path = tmp_path / "inbox.jsonl"
    append_records(path, [inbox.steer("m1", "a"), inbox.steer("m1", "a"), inbox.interrupt("i")])
    append_records(path, [inbox.steer("m1", "a")])
    records = [cast("Json", record)["id"] for record in reader.read()]
    assert records == ["m1", "i"]
    assert reader.read() == []


def test_torn_record_spoils_no_other(tmp_path: Path, reader: InboxReader) -> None:
    path = tmp_path / "inbox.jsonl"
    path.write_bytes(b'\n{"id":"m1","do":"ste')
    assert reader.read() == []
    append_records(path, [inbox.steer("m1", "whole")])
    torn, whole = reader.read()
    assert isinstance(torn, str)
    assert cast("Json", whole)["text"] == "whole"


def test_too_long_record_is_refused_in_bounded_memory(
    tmp_path: Path, reader: InboxReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_reader, "RECORD_BYTES", 1000)
    monkeypatch.setattr(inbox_reader, "READ_BYTES", 100)
    path = tmp_path / "inbox.jsonl"
    append_records(path, [inbox.steer("m1", "x" * 5000), inbox.steer("m2", "y")])
    first, second = reader.read()
    assert first == "a record is too long"
    assert cast("Json", second)["id"] == "m2"


@pytest.mark.parametrize(
    "line",
    [b"[]", b'"x"', b"{}", b'{"id":1,"do":"x"}', b'{"id":"x"}', b"[" * 100_000, b"\xff", b"\x00"],
)
def test_odd_records_are_refused(tmp_path: Path, reader: InboxReader, line: bytes) -> None:
    append_records(tmp_path / "inbox.jsonl", [line])
    (refused,) = reader.read()
    assert isinstance(refused, str)


def test_several_writers_lose_no_record(tmp_path: Path, reader: InboxReader) -> None:
    path = tmp_path / "inbox.jsonl"

    def write(writer: int) -> None:
        for number in range(20):
            append_records(path, [inbox.steer(f"{writer}-{number}", "x" * 500)])

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [cast("Json", record)["id"] for record in reader.read()]
    assert sorted(names) == sorted(f"{w}-{n}" for w in range(8) for n in range(20))


def test_bell_rings_and_no_bell_is_no_error(tmp_path: Path, reader: InboxReader) -> None:
    path = tmp_path / "inbox.jsonl"
    append_records(path, [inbox.interrupt("i")])
    assert os.read(reader.bell, 100) == b"!"
    os.unlink(bell_of(path))
    bell_of(path).write_text("")  # a file in its place is not written to
    append_records(path, [inbox.interrupt("i2")])
    assert bell_of(path).read_text() == ""
    assert len(reader.read()) == 2


def test_short_write_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_three(handle: int, data: bytes) -> int:
        del handle, data
        return 3

    monkeypatch.setattr(inbox_file.os, "write", write_three)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        append_records(tmp_path / "inbox.jsonl", [inbox.interrupt("i")])


def test_inbox_and_bell_are_private(tmp_path: Path, reader: InboxReader) -> None:
    path = tmp_path / "inbox.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600
    assert bell_of(path).stat().st_mode & 0o077 == 0
    assert reader.read() == []


def test_linked_inbox_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inbox.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        InboxReader(str(tmp_path / "inbox.jsonl"))
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        append_records(tmp_path / "inbox.jsonl", [b"{}"])


# Output


def test_output_is_joined_in_order_and_bounded(
    new_conversation: Callable[..., Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "LIVE_CHARACTERS", 100)
    monkeypatch.setattr(spool, "JOINED_S", 3600.0)
    noisy = new_conversation()
    noisy.begin()
    before = len(noisy.lines)
    for number in range(1000):
        delta = f"out-{number}\n"
        noisy.notify("item/commandExecution/outputDelta", itemId="c", delta=delta)
    noisy.notify("item/completed", item={"id": "c", "type": "commandExecution"})
    output, end, completed = noisy.lines[before:]
    assert output["bridge"] == end["bridge"] == "output"
    assert output["text"].startswith("out-0\nout-1\n")
    assert 100 <= len(output["text"]) < 120
    assert end["text"].endswith("out-998\nout-999\n")
    assert len(end["text"]) == spool.LATE_CHARACTERS
    whole = sum(len(f"out-{number}\n") for number in range(1000))
    assert end["skipped"] == whole - len(output["text"]) - len(end["text"])
    assert completed["method"] == "item/completed"


def test_halves_of_a_character_are_joined(conversation: Conversation) -> None:
    for delta in ("a\ud83d", "\ude00b", "\ud83d"):
        conversation.notify("item/commandExecution/outputDelta", itemId="c", delta=delta)
    conversation.notify("item/completed", item={"id": "c", "type": "commandExecution"})
    assert conversation.notes("output")[0]["text"] == "a\U0001f600b\ufffd"


@pytest.mark.parametrize(
    ("method", "key"),
    [
        ("account/rateLimits/updated", "rateLimits"),
        ("thread/tokenUsage/updated", "tokenUsage"),
        ("turn/diff/updated", "diff"),
    ],
)
def test_repeated_reports_are_left_out(conversation: Conversation, method: str, key: str) -> None:
    for number in (1, 1, 2, 2):
        params = {"threadId": THREAD, key: {"number": number}}
        conversation.receive(method=method, params=params, emittedAtMs=number)
        conversation.notify("thread/status/changed")
    said = [line for line in conversation.lines if line.get("method") == method]
    assert [line["params"][key]["number"] for line in said] == [1, 2]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_full_disk_ends_the_attempt_and_the_server(tmp_path: Path) -> None:
    server = tmp_path / "codex"
    pid = tmp_path / "pid"
    server.write_text(f'#!/bin/sh\necho $$ > "{pid}"\nexec cat > /dev/null\n')
    server.chmod(0o755)
    argv = [sys.executable, "-I", "-S", str(BRIDGE), "--codex", str(server)]
    argv += ["--inbox", str(tmp_path / "inbox"), "--prompt-id", "p"]
    argv += ["--sandbox", "read-only", "--approvals", "on-request"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            argv, input=b"hi", stdout=full, stderr=subprocess.PIPE, timeout=30, check=False
        )
    assert done.returncode == 74
    assert "No space left on device" in done.stderr.decode()

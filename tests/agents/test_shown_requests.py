"""Requests as they are shown: whole, or they can only be denied."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.agents.codex.interactive.translation import (
    InteractiveState,
    InteractiveTranslator,
    state_from,
    state_json,
)
from engine.domain.interaction import InputRequest, RequestPhase

THREAD, OTHER = "01a22527-a4df-7c20-a428-c4e1e745ccd7", "01a22527-a4df-7c20-a428-000000000000"
COMMAND, PATCH = "item/commandExecution/requestApproval", "item/fileChange/requestApproval"


class Reader:
    """A translator in the middle of a turn, and its state stored after each line."""

    def __init__(self, root: Path) -> None:
        self.translator = InteractiveTranslator(InteractiveState(thread_id=THREAD), str(root))

    def read(self, line: object) -> list[InputRequest]:
        """Return the requests of one line."""
        raw = line if isinstance(line, bytes) else json.dumps(line).encode()
        found = self.translator.translate(raw)
        return [body for body in found if isinstance(body, InputRequest)]

    def begin_patch(self, path: str, thread: str = THREAD, **kind: object) -> None:
        """Begin a patch of one file."""
        change = {"path": path, "kind": {"type": "update", **kind}, "diff": "@@\n-a\n+b\n"}
        self.begin_changes(change, thread=thread)

    def begin_changes(self, *changes: object, thread: str = THREAD) -> None:
        """Begin a patch of several files."""
        item = {"id": "c0", "type": "fileChange", "changes": changes}
        self.read({"method": "item/started", "params": {"threadId": thread, "item": item}})

    def request_patch(self, thread: str = THREAD, number: int = 0) -> InputRequest:
        """Return the request for the patch that has begun."""
        params = {"threadId": thread, "turnId": "t", "itemId": "c0", "reason": None}
        (request,) = self.read({"id": number, "method": PATCH, "params": params})
        return request


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Make a reader whose workspace is the test's folder."""
    return Reader(tmp_path)


def test_patch_that_was_never_seen_can_only_be_denied(reader: Reader) -> None:
    request = reader.request_patch()
    assert request.is_cut
    assert not request.changes


def test_both_paths_of_a_rename_are_shown_and_part_of_the_digest(reader: Reader) -> None:
    reader.begin_patch("a", move_path="/etc/passwd")
    request = reader.request_patch()
    assert [(one.path, one.outside) for one in request.changes] == [
        ("a", False),
        ("/etc/passwd", True),
    ]
    reader.begin_patch("a", move_path="b")
    assert reader.request_patch(number=1).digest != request.digest


@pytest.mark.parametrize("char", ["\x1b", "\u202e", "\u200b", "\r", "\U000e0041"])
def test_patches_that_look_alike_have_different_digests(reader: Reader, char: str) -> None:
    text = char.encode("unicode_escape").decode()
    update = {"type": "update"}

    def digests(path: str, kind: object, diff: str) -> set[str]:
        found: set[str] = set()
        for each in (char, text):
            move = {"move_path": f"{kind}{each}"} if kind else {}
            change = {"path": path % each, "kind": {**update, **move}, "diff": diff % each}
            reader.begin_changes(change)
            reader.translator.state = state_from(state_json(reader.translator.state))
            found.add(reader.request_patch().digest)
        return found

    for path, kind, diff in (("a%s", "", "+x%.0s"), ("a%.0s", "", "+x%s"), ("a%.0s", "b", "+%.0s")):
        assert len(digests(path, kind, diff)) == 2


def test_parts_of_a_patch_that_are_not_shown_are_part_of_the_digest(reader: Reader) -> None:
    long = "+" + "x" * 300_000
    for changes in (
        [{"path": "a", "kind": {"type": "update"}, "diff": f"{long}{end}"} for end in "yz"],
        [{"path": "a", "kind": {"type": kind}, "diff": "+x"} for kind in ("update", "new-kind")],
    ):
        digests: set[str] = set()
        for change in changes:
            reader.begin_changes(change)
            digests.add(reader.request_patch().digest)
        assert len(digests) == 2


def test_the_same_patch_in_two_workspaces_has_the_same_digest(tmp_path: Path) -> None:
    digests: set[str] = set()
    for name in ("one", "two"):
        (root := tmp_path / name).mkdir()
        reader = Reader(root)
        reader.begin_patch(f"{root}/a", move_path=f"{root}/b")
        digests.add(reader.request_patch().digest)
    assert len(digests) == 1


@pytest.mark.parametrize("char", ["\x1b", "\u202e"])
def test_commands_that_look_alike_have_different_digests(reader: Reader, char: str) -> None:
    text = char.encode("unicode_escape").decode()
    for key in ("command", "cwd", "reason"):
        digests: set[str] = set()
        for each in (char, text):
            params = {"threadId": THREAD, "command": "x", "cwd": "/", key: f"/a{each}"}
            (request,) = reader.read({"id": 1, "method": COMMAND, "params": params})
            digests.add(request.digest)
        assert len(digests) == 2


def test_folder_with_two_slashes_is_not_taken_for_another(reader: Reader, tmp_path: Path) -> None:
    folders = [f"{tmp_path}//etc", "/etc"]
    digests: set[str] = set()
    for cwd in folders:
        params = {"threadId": THREAD, "command": "x", "cwd": cwd}
        (request,) = reader.read({"id": 1, "method": COMMAND, "params": params})
        assert request.cwd == cwd
        digests.add(request.digest)
    assert len(digests) == 2


def test_patch_of_a_sub_agent_is_shown_and_not_taken_for_one_of_the_same_id(
    reader: Reader,
) -> None:
    reader.begin_patch("mine")
    reader.begin_patch("theirs", OTHER)
    assert [one.path for one in reader.request_patch(OTHER).changes] == ["theirs"]
    assert [one.path for one in reader.request_patch(number=1).changes] == ["mine"]


def test_request_of_a_sub_agent_outlives_the_turn_of_the_thread(reader: Reader) -> None:
    params = {"threadId": OTHER, "command": "x"}
    reader.read({"id": 1, "method": COMMAND, "params": params})
    turn = {"status": "completed"}
    ended = {"method": "turn/completed", "params": {"threadId": THREAD, "turn": turn}}
    assert not reader.read(ended)
    resolved = {"threadId": OTHER, "requestId": 1}
    (request,) = reader.read({"method": "serverRequest/resolved", "params": resolved})
    assert (request.request, request.phase) == ("1", RequestPhase.WITHDRAWN)


def test_requests_of_sub_agents_end_with_the_attempt(reader: Reader) -> None:
    reader.read({"id": 1, "method": COMMAND, "params": {"threadId": OTHER, "command": "x"}})
    reader.read({"id": 2, "method": COMMAND, "params": {"threadId": THREAD, "command": "x"}})
    closed = [one for one in reader.translator.close() if isinstance(one, InputRequest)]
    assert sorted((one.request, one.phase) for one in closed) == [
        ("1", RequestPhase.WITHDRAWN),
        ("2", RequestPhase.WITHDRAWN),
    ]


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":7,"method":"%s","params":{"threadId":["x"],"command":"x"}}' % COMMAND.encode(),
        b'{"id":7,"method":"%s","params":{"threadId":"t","command":"x","n":1%s}}'
        % (COMMAND.encode(), b"0" * 5000),
        b'{"id":7,"method":"%s","params":3}' % COMMAND.encode(),
    ],
)
def test_request_in_no_known_form_can_only_be_denied(reader: Reader, line: bytes) -> None:
    raised = reader.read(line)
    assert all(one.is_cut for one in raised)
    assert [one.request for one in raised] in (["7"], [])

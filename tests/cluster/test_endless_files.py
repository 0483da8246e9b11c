"""Files that a node sends without an end, or in part: this disk is not filled."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any, NoReturn

import pytest

from engine.domain.errors import UserError
from engine.execution.cluster import arrivals
from engine.execution.cluster.messages import FileContent, HelloAnswer, ReadAttemptFile
from engine.execution.cluster.node_files import NodeFiles
from engine.execution.cluster.workspace_messages import FilePiece, ReadPiece
from engine.execution.executor import AttemptFile, AttemptRef

MIB = 1024**2


class Sender:
    """Calls to the node `n1`, which announces a size and sends pieces of its own choice."""

    node = "n1"

    def __init__(self, announced: int, *pieces: bytes) -> None:
        self.announced = announced
        self.pieces = list(pieces)
        self.asked = 0

    async def read(self, message: ReadPiece, try_s: float) -> FilePiece:
        del message, try_s
        self.asked += 1
        data = self.pieces.pop(0) if len(self.pieces) > 1 else self.pieces[0]
        return FilePiece(stat.S_IFREG | 0o644, self.announced, data)


async def _no_mirror() -> NoReturn:
    pytest.fail("the node answers")


def files(sender: Any) -> NodeFiles:
    return NodeFiles(sender, "/there", _no_mirror)


async def content(sender: Sender) -> bytes:
    file = await files(sender).open("a.txt")
    try:
        return file.read(0, 100)
    finally:
        file.close()


async def test_no_more_is_copied_than_a_node_announced() -> None:
    assert await content(Sender(7, b"12345")) == b"1234512"
    assert await content(Sender(3, b"12345")) == b"123"
    assert await content(Sender(-3, b"12345")) == b""


async def test_file_that_this_disk_has_no_room_for_is_refused_at_once() -> None:
    sender = Sender(2**60, b"x" * 1000)
    with pytest.raises(UserError, match=r"a\.txt of the node n1 take .* are free here") as caught:
        await content(sender)
    assert (caught.value.code, sender.asked) == ("NODE_FAILED", 1)


async def test_file_that_ends_too_early_is_not_taken_for_whole() -> None:
    with pytest.raises(UserError, match=r"n1 did not send all of a\.txt"):
        await content(Sender(100, b"12345", b""))


def test_reserve_of_the_database_stays_free(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def free(folder: Path) -> int:
        del folder
        return 100 * MIB

    monkeypatch.setattr(arrivals, "free_bytes", free)
    arrivals.check_room(tmp_path, "n1", "They", 92 * MIB)
    with pytest.raises(UserError, match="only 92"):
        arrivals.check_room(tmp_path, "n1", "They", 92 * MIB + 1)


async def test_last_message_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.execution.cluster import executor
    from engine.execution.cluster.calls import NodeCalls

    async def endless(self: NodeCalls, message: Any, **_limits: Any) -> object:
        if isinstance(message, ReadAttemptFile):
            return FileContent(b"x" * 1000, 2**60)
        return HelloAnswer("/home/there", 1, 1, "mark")

    monkeypatch.setattr(NodeCalls, "call", endless)
    monkeypatch.setattr(executor, "WHOLE_BYTES", 10_000)
    unused: Any = None
    reader = executor.NodeExecutor(NodeCalls(unused, "n1", unused, unused), unused)
    with pytest.raises(UserError, match="n1 failed: its last-message has no end"):
        await reader.read_file(AttemptRef("a1", 1), AttemptFile.LAST_MESSAGE)

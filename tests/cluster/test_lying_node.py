"""A node whose answers are wrong: its runs fail, and nothing else of the engine does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import repos
from fake_channel import FakeChannel
from support import LIMIT_S, quick, spec, texts, until

from engine.config.paths import Paths
from engine.domain.model import Run, RunSpec, Status, WorkspaceKind, WorkspaceSpec
from engine.engine import Engine
from engine.execution.cluster import long_work
from engine.execution.cluster.channel import LARGEST_BYTES
from engine.execution.cluster.cluster import Cluster
from engine.execution.cluster.messages import Envelope, Reply
from engine.execution.cluster.node.service import NodeService
from engine.execution.stages import checkpoint
from engine.system.decoding import msgpack_decoder

Change = Callable[[Any], Any]
HUGE = 2**63


class LyingChannel(FakeChannel):
    """A channel that changes the answers to messages of some names."""

    changes: dict[str, Change]

    async def call(
        self, node: str, message: bytes, limit_s: float, limit_bytes: int = LARGEST_BYTES
    ) -> bytes:
        """Return a node's answer to a message, changed."""
        data = await super().call(node, message, limit_s, limit_bytes)
        change = self.changes.get(msgpack_decoder(Envelope)(message).name)
        if change is None:
            return data
        reply = msgpack_decoder(Reply)(data)
        if reply.failure or reply.os_error:
            return data
        body = change(msgspec.msgpack.decode(bytes(reply.body)))
        return msgspec.msgpack.encode(Reply(msgspec.Raw(msgspec.msgpack.encode(body))))


@pytest.fixture
def lying(service: NodeService) -> LyingChannel:
    made = LyingChannel({"one": service})
    made.changes = {}
    return made


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "FIRST_DELAY_S", 0.05)
    monkeypatch.setattr(checkpoint, "LONGEST_DELAY_S", 0.1)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with a commit."""
    return repos.repository(tmp_path / "s", {"a.txt": "one\n"})


@asynccontextmanager
async def supervised(paths: Paths, channel: FakeChannel) -> AsyncGenerator[Engine]:
    cluster = Cluster(paths, channel, patience_s=0.5)
    async with Engine.open(paths, quick(), supervise=True, cluster=cluster) as engine:
        yield engine
    await cluster.close()
    channel.close_nodes()  # while there is a loop to end its work in


def there(*lines: str, **more: Any) -> RunSpec:
    return spec(*lines, workspace=WorkspaceSpec(host="one"), **more)


async def over(engine: Engine, run: str) -> Run:
    async with asyncio.timeout(LIMIT_S):
        await until(engine, lambda: engine.view.runs[run].finished_at)
    return engine.view.runs[run]


def each(place: int, value: object, when: Callable[[list[Any]], object] = bool) -> Change:
    """Put a value at a place of each chunk of output."""

    def change(chunks: list[list[Any]]) -> list[list[Any]]:
        for chunk in chunks:
            if when(chunk):
                chunk[place] = value
        return chunks

    return change


def ended_with(code: int) -> Change:
    def change(chunks: list[list[Any]]) -> list[list[Any]]:
        for chunk in chunks:
            if chunk[4]:
                chunk[4][0] = code
        return chunks

    return change


LIES: dict[str, tuple[str, Change]] = {
    "an offset that no file has": ("ReadOutput", each(0, HUGE + 5)),
    "an offset before the beginning": ("ReadOutput", each(0, -5)),
    "an exit code that no process has": ("ReadOutput", ended_with(HUGE)),
    "a cut of more bytes than there are": ("ReadOutput", each(3, HUGE)),
    "answers about no attempt": ("ReadOutput", lambda _: []),
    "workspace with a relative path": ("MakeWorkspace", lambda it: _made(it, "../../x")),
    "home without a path": ("Hello", lambda it: {**it, "home": ""}),
    "home with null bytes": ("Hello", lambda it: {**it, "home": "/a\0b", "mark": "a\0=b"}),
    "slots beyond all numbers": ("Hello", lambda it: {**it, "slots": HUGE, "free_slots": HUGE}),
    "processor time that is not a number": ("UsedCpu", lambda _: float("nan")),
    "a size beyond all numbers": ("ReadAttemptFile", lambda it: {**it, "size_bytes": HUGE}),
    "a negative size": ("ReadAttemptFile", lambda it: {**it, "size_bytes": -HUGE}),
    "checkpoints at an endless time": ("TakeCheckpoint", lambda it: _points(it, at=float("inf"))),
    "checkpoints beyond all numbers": ("TakeCheckpoint", lambda it: _points(it, n=HUGE)),
    "checkpoints with a tree that is elsewhere": (
        "TakeCheckpoint",
        lambda it: _points(it, tree="0" * 40),
    ),
    "checkpoints with a tree that is an option": (
        "TakeCheckpoint",
        lambda it: _points(it, tree="--output=/tmp/x"),
    ),
    "another format of objects": ("MakeStore", lambda it: {**it, "object_format": "../x"}),
}


def _made(answer: dict[str, Any], path: str) -> dict[str, Any]:
    if answer.get("made"):
        answer["made"]["path"] = path
    return answer


def _points(answer: dict[str, Any], **change: object) -> dict[str, Any]:
    for point in (*answer.get("points", ()), answer.get("taken")):
        if point:
            point.update(change)
    return answer


@pytest.mark.parametrize("lie", LIES)
async def test_no_lie_of_a_node_ends_more_than_its_runs(
    paths: Paths, lying: LyingChannel, lie: str
) -> None:
    name, change = LIES[lie]
    lying.changes[name] = change
    async with supervised(paths, lying) as engine:
        run = await engine.start(there("write a.txt x", "say done", verify="echo checked"))
        here = await engine.start(spec("say here"))
        assert (await over(engine, here.id)).status is Status.SUCCEEDED
        ended = await over(engine, run.id)
        assert ended.status in (Status.SUCCEEDED, Status.FAILED)
        assert (ended.error is None) is (ended.status is Status.SUCCEEDED)
        # The engine goes on, also with a run of that node.
        lying.changes.clear()
        again = await engine.start(there("say again"))
        after = await over(engine, again.id)
        assert after.status is Status.SUCCEEDED, after.error
        assert texts(await engine.events(again.id)) == ["again"]


@pytest.mark.parametrize(
    ("name", "never"),
    [
        ("FillSource", {"is_done": False}),
        ("MakeWorkspace", {"made": None}),
        ("MakeStore", {"is_done": False}),
        ("TakeCheckpoint", {"is_done": False}),
        ("FetchObjects", {"is_done": False}),
    ],
)
async def test_work_that_a_node_never_ends_fails(
    paths: Paths,
    lying: LyingChannel,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    never: dict[str, Any],
) -> None:
    monkeypatch.setattr(long_work, "LONGEST_S", 0.3)
    monkeypatch.setattr(long_work, "PAUSE_S", 0.1)
    asked = 0

    def lie(answer: dict[str, Any]) -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {**answer, **never}

    lying.changes[name] = lie
    async with supervised(paths, lying) as engine:
        workspace = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source), host="one")
        run = await engine.start(spec("write a.txt x", "say done", workspace=workspace))
        ended = await over(engine, run.id)
        assert ended.error, ended.status
        assert "did not end what it was asked for" in ended.error.message
        assert 1 <= asked < 100, "it is not asked again and again without a pause"


async def test_an_endless_pack_of_checkpoints_is_refused(
    paths: Paths, lying: LyingChannel, source: Path
) -> None:
    lying.changes["FetchObjects"] = lambda it: {**it, "size_bytes": 2**60}
    lying.changes["ReadDownload"] = lambda _: pytest.fail("it was asked for")
    async with supervised(paths, lying) as engine:
        workspace = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source), host="one")
        run = await engine.start(spec("write a.txt x", "say done", workspace=workspace))
        ended = await over(engine, run.id)
        assert ended.error
        assert "only" in ended.error.message and "free here" in ended.error.message
    assert not list(paths.home.glob("checkpoints/**/incoming-*"))


async def test_a_file_without_an_end_is_read_up_to_its_limit(
    paths: Paths, lying: LyingChannel
) -> None:
    endless = {"content": b"x" * 1000, "size_bytes": 2**60}
    lying.changes["ReadAttemptFile"] = lambda it: {**it, **endless}
    async with supervised(paths, lying) as engine:
        run = await engine.start(there("say done", verify="echo checked"))
        assert (await over(engine, run.id)).status is Status.SUCCEEDED

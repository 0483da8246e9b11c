"""A node that is sent hostile messages: it answers all, and stays within its folder."""

from __future__ import annotations

import errno
import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fake_channel import FakeChannel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from node_calls import HOME, REF, ask, start

from engine.domain.errors import UserError
from engine.domain.hosts import disk_full
from engine.domain.model import LOCAL
from engine.execution.cluster.calls import NodeCalls
from engine.execution.cluster.cluster import KnownNode
from engine.execution.cluster.messages import (
    PROTOCOL,
    EndLiving,
    Envelope,
    FindAttempt,
    ForgetRun,
    Hello,
    ListLiving,
    ListRecorded,
    Living,
    Message,
    ReadAttemptFile,
    Ref,
    Reply,
    StartAgent,
    WriteInput,
)
from engine.execution.cluster.node.service import NodeService
from engine.execution.local.executor import LocalExecutor
from engine.system.decoding import msgpack_decoder

NAMES = (
    "",
    ".",
    "..",
    "../x",
    "/etc",
    "a/b",
    "a\0b",
    "a\nb",
    "x" * 300,
    "é",
    " ",
    "-",
    "~root",
    "a/../../../x",
)


async def reply(service: NodeService, data: bytes) -> Reply:
    return msgpack_decoder(Reply)(await service.handle(data))


def packed(home: str, name: str, body: object, protocol: int = PROTOCOL) -> bytes:
    raw = msgspec.Raw(msgspec.msgpack.encode(body))
    return msgspec.msgpack.encode(Envelope(protocol, home, name, raw))


def files(folder: Path) -> set[Path]:
    """Return all there is, but for the node's own lease."""
    return {path for path in folder.rglob("*") if path.name != "lease"}


async def test_another_version_of_the_protocol_is_named(service: NodeService) -> None:
    for data in (
        packed(HOME, "Hello", {}, PROTOCOL + 1),
        packed(HOME, "Unheard", {}),
        packed(HOME, "Hello", 5),
        b"",
        b"\xff" * 100,
        b"\x91" * 100_000,
    ):
        failure = (await reply(service, data)).failure
        assert failure is not None
        assert failure.code == "NODE_INCOMPATIBLE"


@given(data=st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
async def test_any_bytes_are_answered(service: NodeService, data: bytes) -> None:
    assert (await reply(service, data)).failure is not None


@pytest.mark.parametrize("name", NAMES)
async def test_no_name_leads_out_of_the_root(
    service: NodeService, tmp_path: Path, name: str
) -> None:
    (tmp_path / "x").mkdir()
    await ask(service, Hello())
    before = files(tmp_path)
    messages: list[Message[Any]] = [
        FindAttempt(ref=Ref(name, 1, "agent")),
        WriteInput(ref=Ref(name, 1, "agent"), input="prompt", content=b"x"),
        ReadAttemptFile(ref=Ref(name, 1, "agent"), file="stderr"),
        ListRecorded(run=name),
        ForgetRun(runs=(name,)),
        EndLiving(living=Living(name, "attempt-1", (1,)), grace_s=0),
    ]
    for message in messages:
        with pytest.raises(UserError) as caught:
            await ask(service, message)
        assert caught.value.code == "INPUT_INVALID"
    with pytest.raises(UserError) as caught:
        await ask(service, Hello(), name)
    assert caught.value.code == "INPUT_INVALID"
    assert files(tmp_path) == before


@pytest.mark.parametrize("attempt", ["..", "attempt-1/..", "attempt-1\0", "attempt-x", ""])
async def test_no_attempt_leads_out_of_its_run(service: NodeService, attempt: str) -> None:
    with pytest.raises(UserError):
        await ask(service, EndLiving(living=Living("a1", attempt, ()), grace_s=0))


@pytest.mark.parametrize("ref", [Ref("a1", 0, "agent"), Ref("a1", -1, "agent"), Ref("a1", 1, "x")])
async def test_unknown_parts_are_refused(service: NodeService, ref: Ref) -> None:
    with pytest.raises(UserError, match="no such attempt"):
        await ask(service, FindAttempt(ref=ref))
    with pytest.raises(UserError):
        await ask(service, WriteInput(ref=REF, input="../x", content=b""))
    with pytest.raises(UserError):
        await ask(service, ReadAttemptFile(ref=REF, file="../x"))


async def test_no_folder_is_made_outside_of_the_home(
    channel: FakeChannel, service: NodeService, tmp_path: Path
) -> None:
    home = (await ask(channel, Hello())).home
    (Path(home) / "link").symlink_to(tmp_path)
    for folder in (str(tmp_path / "made"), f"{home}/../made", f"{home}/link/made", "made", "/\0"):
        message = StartAgent(
            ref=REF,
            argv=("/bin/true",),
            env={},
            base={},
            folder=str(tmp_path),
            python="",
            program="",
            folders=(folder,),
        )
        await ask(channel, WriteInput(ref=REF, input="prompt", content=b""))
        with pytest.raises(UserError, match="not in this home"):
            await ask(channel, message)
    assert not list(tmp_path.rglob("made"))


async def test_failure_of_the_system_is_the_senders_too(
    channel: FakeChannel, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        await start(channel, tmp_path / "missing", "exit 0")


async def test_full_disk_is_reported_as_one(
    channel: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(LocalExecutor, "write_prompt", full)
    with pytest.raises(OSError, match="refused") as caught:
        await ask(channel, WriteInput(ref=REF, input="prompt", content=b""))
    assert caught.value.errno == errno.ENOSPC


async def test_lease_is_renewed_on_a_full_disk(
    service: NodeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.execution.cluster.node.lease import now_s

    def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    service.lease.renew(now_s() - 20)
    monkeypatch.setattr(service.lease, "_replace", full)
    service.lease.renew(now_s())
    assert service.lease.left_s > 25


async def test_defect_is_answered_and_logged(
    channel: FakeChannel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*given: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(LocalExecutor, "write_prompt", broken)
    with caplog.at_level(logging.ERROR), pytest.raises(UserError) as caught:
        await ask(channel, WriteInput(ref=REF, input="prompt", content=b""))
    assert caught.value.code == "NODE_FAILED"
    assert "a defect" in caplog.text
    assert await ask(channel, ListLiving()) == ()


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "On the node one: The disk is full."),
        (errno.EROFS, "On the node one: The file system can only be read."),
        (errno.EACCES, "On the node one: "),
    ],
)
async def test_fault_of_a_nodes_disk_names_the_node(number: int, said: str) -> None:
    class Refusing:
        async def call(self, node: str, message: bytes, limit_s: float, limit_bytes: int) -> bytes:
            del node, message, limit_s, limit_bytes
            return msgspec.msgpack.encode(Reply(os_error=number))

    async def home() -> str:
        return "h0me"

    async def look() -> None:
        pass

    channel: Any = Refusing()
    with pytest.raises(UserError) as caught:
        await NodeCalls(channel, "one", home, KnownNode("one", look)).call(Hello())
    assert caught.value.message.startswith(said)
    assert caught.value.is_reported, "nothing here waits for it"
    if number == errno.ENOSPC:
        assert "on that node" in caught.value.recovery


def test_program_that_finds_no_room_on_a_node_names_the_node() -> None:
    assert disk_full("one").message == "The disk of the node one is full."
    assert disk_full(LOCAL).message == "The disk is full."

"""Diagnosis of the cluster: each check names its problem and the fix, within seconds."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.config.paths import Paths
from engine.config.settings import ClusterSettings, Config
from engine.domain.errors import user_error
from engine.domain.finding import CheckHealth, Finding
from engine.domain.node import ClusterSummary, NodeCondition, NodeMachine, NodeSummary
from engine.engine import Engine
from engine.execution.cluster.dask.certificates import CLIENT, Certificates, make_certificates
from engine.execution.cluster.diagnosis import examine_cluster


def machine(**more: object) -> NodeMachine:
    said: dict[str, object] = {
        "seen_at": 0.0,
        "slots": 8,
        "free_slots": 5,
        "load": 1.0,
        "processors": 4,
        "memory_bytes": 1,
        "disk_bytes": 1,
        "version": "0.1.0",
        "agent_version": "0.171.0",
        "login": "ok",
    }
    return NodeMachine(**{**said, **more})  # pyright: ignore[reportArgumentType]  by name


def node(name: str, **more: object) -> NodeSummary:
    return NodeSummary(name, NodeCondition.READY, machine=machine(**more))


@asynccontextmanager
async def listening() -> AsyncGenerator[str]:
    """The address of something on this machine that accepts connections."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def found(settings: ClusterSettings, *nodes: NodeSummary) -> list[Finding]:
    async def refresh() -> ClusterSummary:
        return ClusterSummary(settings.scheduler or "", nodes, 0.0)

    return await examine_cluster(settings, refresh, "0.1.0")


def with_files(folder: Path, address: str, days: int = 800) -> ClusterSettings:
    """Settings with certificates that expire in some days."""
    make_certificates(folder, days=days)
    files = Certificates(folder).of(CLIENT)
    return ClusterSettings(
        f"tls://{address}", str(files.ca), str(files.certificate), str(files.key)
    )


async def test_nothing_is_checked_without_a_cluster() -> None:
    assert await found(ClusterSettings()) == []


async def test_a_cluster_that_works_is_one_finding(tmp_path: Path) -> None:
    async with listening() as address:
        (one,) = await found(with_files(tmp_path, address), node("n1"), node("n2"))
    assert (one.name, one.health) == ("cluster", CheckHealth.OK)
    assert one.message == "2 of 2 nodes ready, 10 slots free"


@pytest.mark.parametrize(("days", "health"), [(13, "warning"), (15, "ok"), (0, "fail")])
async def test_certificates_are_reported_before_they_expire(
    tmp_path: Path, days: int, health: str
) -> None:
    async with listening() as address:
        first = (await found(with_files(tmp_path, address, days), node("n1")))[0]
    assert first.health.value == health
    assert (f"{tmp_path}/client.pem" in first.message) is (health != "ok")
    assert ("cluster certificates" in first.recovery) is (health != "ok")


async def test_a_key_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    async with listening() as address:
        settings = with_files(tmp_path, address)
        (tmp_path / "client.key").chmod(0o644)
        warning, state = await found(settings, node("n1"))
    assert warning.health is CheckHealth.WARNING and "chmod 600" in warning.recovery
    assert state.health is CheckHealth.OK


async def test_a_missing_certificate_is_named(tmp_path: Path) -> None:
    settings = with_files(tmp_path, "127.0.0.1:1")
    (tmp_path / "client.pem").unlink()
    (one,) = await found(settings)
    assert one.health is CheckHealth.FAIL and "client.pem" in one.message


async def test_an_address_without_tls_on_another_machine_is_refused() -> None:
    (one,) = await found(ClusterSettings("tcp://192.0.2.7:8786"))
    assert one.health is CheckHealth.FAIL and "is not on this machine" in one.message


async def test_a_scheduler_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # it does not listen
        (one,) = await found(with_files(tmp_path, f"127.0.0.1:{free.getsockname()[1]}"))
    assert one.health is CheckHealth.FAIL and "cannot be reached" in one.message


async def test_an_address_that_swallows_everything_takes_seconds_only(tmp_path: Path) -> None:
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(address)
            (problem,) = await found(with_files(tmp_path, f"127.0.0.1:{address[1]}"))
        finally:
            for one in waiting:
                one.close()
    assert problem.health is CheckHealth.FAIL
    assert "no answer within 2 seconds" in problem.message
    assert time.monotonic() - began < 30  # a connection by itself gives up after two minutes


async def test_a_scheduler_that_does_not_answer_is_reported(tmp_path: Path) -> None:
    async def refresh() -> ClusterSummary:
        return ClusterSummary("", problem=user_error("CLUSTER_UNREACHABLE").info)

    async with listening() as address:
        (one,) = await examine_cluster(with_files(tmp_path, address), refresh, "0.1.0")
    assert one.health is CheckHealth.FAIL and "cannot be reached" in one.message


async def test_each_problem_of_a_node_is_a_finding_of_its_own(tmp_path: Path) -> None:
    nodes = (
        node("n1", version="0.2.0"),
        node("n2", agent_version=""),
        node("n3", login="Codex is not\x1b[31m logged in."),
        NodeSummary("n4", NodeCondition.UNREACHABLE),
        NodeSummary("n5", NodeCondition.LOST),
    )
    async with listening() as address:
        state, *problems = await found(with_files(tmp_path, address), *nodes)
    assert state.message == "3 of 5 nodes ready, 15 slots free"
    assert [one.name for one in problems] == [f"node n{number}" for number in range(1, 6)]
    assert "0.2.0" in problems[0].message and "no Codex" in problems[1].message
    assert "\x1b" not in problems[2].message and "codex login" in problems[2].recovery


async def test_the_doctor_of_a_home_checks_its_cluster(paths: Paths) -> None:
    config = Config(cluster=ClusterSettings("tcp://192.0.2.7:8786"))
    async with Engine.open(paths, config) as engine:
        names = {one.name: one for one in await engine.doctor.examine()}
    assert "is not on this machine" in names["cluster"].message

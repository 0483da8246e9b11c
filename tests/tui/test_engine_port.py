"""The same calls against the engine and against the one of the dashboard's tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest
from fake_engine import FakeEngine
from support import LIMIT_S, quick, spec

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.model import Pause, Status
from engine.engine import Engine
from engine.ports.engine import EnginePort


@asynccontextmanager
async def real(paths: Paths) -> AsyncGenerator[EnginePort]:
    async with Engine.open(paths, quick()) as engine:
        yield engine


@asynccontextmanager
async def fake(_paths: Paths) -> AsyncGenerator[EnginePort]:
    yield FakeEngine()


@pytest.fixture(params=[real, fake], ids=["engine", "fake"])
async def port(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[EnginePort]:
    """An engine that nobody supervises: what is queued stays queued."""
    folder = tmp_path_factory.mktemp("port")
    async with request.param(Paths(folder / "home", folder / "config.yaml")) as engine:
        yield engine


async def code_of(call: Callable[[], object]) -> str:
    """Return the code of the error that a call raises."""
    with pytest.raises(UserError) as caught:
        await call()  # pyright: ignore[reportGeneralTypeIssues]  # every call here is a coroutine
    return caught.value.code


async def test_a_started_run_is_queued_and_followed(port: EnginePort) -> None:
    stream = port.batches(0)
    wanted = await port.check(spec("say one", title="One"))
    first, second = await port.start(wanted), await port.start(spec("say two", title="Two"))
    async with asyncio.timeout(LIMIT_S):
        while not port.view.runs.keys() >= {first.id, second.id}:
            await anext(stream)
    assert [port.view.runs[run.id].spec.title for run in (first, second)] == ["One", "Two"]
    assert first.status is Status.QUEUED
    assert [port.position(run.id) for run in (first, second)] == [1, 2]
    assert port.position("unknown") is None


async def test_the_events_of_a_run_are_selected_alike(port: EnginePort) -> None:
    run = await port.start(spec("say x"))
    await port.cancel(run.id)
    found = await port.events(run.id)
    assert [event.seq for event in found] == list(range(1, len(found) + 1))
    assert [event.body.type for event in found] == ["status", "status"]
    assert await port.events(run.id, after=1) == found[1:]
    assert await port.events(run.id, limit=1) == found[:1]
    assert await port.events(run.id, before=3, limit=1) == found[-1:]
    assert await port.events(run.id, kinds=["status"]) == found
    assert await port.events(run.id, kinds=["message"]) == []


async def test_requests_that_do_not_fit_a_run_are_refused_alike(port: EnginePort) -> None:
    run = await port.start(spec("say x"))
    assert await code_of(lambda: port.retry(run.id)) == "RUN_NOT_RETRYABLE"
    assert await code_of(lambda: port.resume(run.id, "go on")) == "RUN_NOT_RETRYABLE"
    assert (await port.cancel(run.id)).status is Status.CANCELLED
    assert await code_of(lambda: port.cancel(run.id)) == "RUN_NOT_CANCELLABLE"
    assert (await port.retry(run.id)).status is Status.QUEUED
    assert (await port.cancel(run.id, kill=True)).status is Status.CANCELLED
    assert (await port.retry(run.id, prompt="sim: say y", fresh=True)).status is Status.QUEUED


async def test_slots_and_the_pause_are_set_alike(port: EnginePort) -> None:
    await port.set_slots(3)
    assert port.slots == 3
    for slots in (0, 1001):
        assert await code_of(lambda slots=slots: port.set_slots(slots)) == "INPUT_INVALID"
    assert port.slots == 3
    assert port.pause is None
    await port.set_pause(Pause("by hand"))
    assert port.pause == Pause("by hand")
    await port.set_pause(None)
    assert port.pause is None


async def test_nothing_is_left_to_wait_for_where_all_has_ended(port: EnginePort) -> None:
    run = await port.start(spec("say x"))
    await port.cancel(run.id)
    stream = port.batches(0)
    async with asyncio.timeout(LIMIT_S):
        while port.view.runs[run.id].status is not Status.CANCELLED:
            await anext(stream)
        await port.settle()

"""Expensive runs are flagged while they run: by their batch, their template, once for all."""

from __future__ import annotations

import pytest
from doorstep import ENV, SECRET, doorstep
from support import of_type, quick, settled, spec, supervising, until

from engine.config.paths import Paths
from engine.config.settings import Config, EventName, UsageSettings
from engine.domain.events import Notice
from engine.domain.model import Run
from engine.domain.reasons import Subject
from engine.domain.spend import SpendBasis
from engine.engine import Engine
from engine.execution import spend_watch

USUAL = ("usage input=9000 output=1000",)
MUCH = ("usage input=190000 output=10000", "hang")


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spend_watch, "INTERVAL_S", 0.02)


async def siblings(engine: Engine, count: int = 4, **more: str) -> None:
    for _ in range(count):
        await engine.start(spec(*USUAL, **more))
    await settled(engine)


async def flagged(engine: Engine, run: Run) -> Run:
    await until(engine, lambda: run.id in engine.view.runs and engine.view.runs[run.id].spend_flag)
    return engine.view.runs[run.id]


async def flags(engine: Engine, run: Run) -> list[Notice]:
    notices: list[Notice] = of_type(await engine.events(run.id), "notice")
    return [one for one in notices if one.subject is Subject.EXPENSIVE]


async def test_a_run_is_flagged_while_it_runs_once_for_all_processes_and_restarts(
    paths: Paths,
) -> None:
    async with supervising(paths) as engine:
        await siblings(engine, batch="b")
        async with Engine.open(paths, quick(), supervise=True) as waiting:
            run = await engine.start(spec(*MUCH, batch="b"))
            seen = await flagged(waiting, run)
            assert seen.spend_flag
            assert (seen.spend_flag.factor, seen.spend_flag.basis) == (20.0, SpendBasis.BATCH)
    async with supervising(paths) as engine:
        later = await engine.start(spec(*MUCH, batch="b"))
        await flagged(engine, later)  # and the first was looked at before it
        (notice,) = await flags(engine, run)
        assert notice.text == (
            "expensive: 20× the median of its batch, 200,000 tokens instead of 10,000"
        )
        assert len(await flags(engine, later)) == 1
        await engine.cancel_all([run.id, later.id], kill=True)
        await settled(engine)
        assert engine.view.runs[run.id].spend_flag


async def test_a_run_is_flagged_again_once_it_has_doubled(paths: Paths) -> None:
    async with supervising(paths) as engine:
        await siblings(engine, batch="b")
        more = ("until message", "usage input=190000", "until message", "usage input=10000")
        prompt = (MUCH[0], *more, "until message")
        run = await engine.start(spec(*prompt, batch="b", interactive=True))
        await flagged(engine, run)
        await engine.send(run.id, "go on")
        first = 20.0
        await until(engine, lambda: engine.view.runs[run.id].usage.input >= 380_000)
        await engine.send(run.id, "go on")

        def factor() -> float:
            flag = engine.view.runs[run.id].spend_flag
            return flag.factor if flag else 0.0

        await until(engine, lambda: factor() > first)
        assert factor() >= 2 * first
        assert len(await flags(engine, run)) == 2
        await engine.cancel(run.id, kill=True)
        await settled(engine)


async def test_the_usual_amount_of_a_template_counts_without_a_batch(paths: Paths) -> None:
    async with supervising(paths) as engine:
        await siblings(engine, 8, template="t")
        run = await engine.start(spec(*MUCH, template="t"))
        other = await engine.start(spec(*MUCH, template="unknown"))
        flag = (await flagged(engine, run)).spend_flag
        assert flag and flag.basis is SpendBasis.TEMPLATE
        assert engine.view.runs[other.id].spend_flag is None
        await engine.cancel_all([run.id, other.id], kill=True)
        await settled(engine)


async def test_steps_of_a_flow_are_compared_with_the_same_step(paths: Paths) -> None:
    async with supervising(paths) as engine:
        for _ in range(4):
            await engine.start(spec(*USUAL, batch="b", given={"step": "plan"}))
        await settled(engine)
        other = await engine.start(spec(*MUCH, batch="b", given={"step": "build"}))
        run = await engine.start(spec(*MUCH, batch="b", given={"step": "plan"}))
        await until(engine, lambda: engine.view.runs[other.id].usage.input)
        await flagged(engine, run)
        assert engine.view.runs[other.id].spend_flag is None
        await engine.cancel_all([run.id, other.id], kill=True)
        await settled(engine)


@pytest.mark.parametrize("flag_at", [None, 1000.0])
async def test_the_setting_decides(paths: Paths, flag_at: float | None) -> None:
    async with supervising(paths, usage=UsageSettings(flag_at=flag_at)) as engine:
        await siblings(engine, batch="b")
        run = await engine.start(spec(MUCH[0], batch="b"))
        await settled(engine)
        assert engine.view.runs[run.id].usage.input == 190_000
        assert await flags(engine, run) == []


async def test_receivers_are_notified_while_it_runs(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENV, SECRET)
    async with doorstep() as place:
        hook = place.hook(events=(EventName("run.expensive"),))
        async with supervising(paths, webhooks=(hook,)) as engine:
            await siblings(engine, batch="b")
            run = await engine.start(spec(*MUCH, batch="b"))
            await place.until(lambda: place.got)
            await engine.cancel(run.id, kill=True)
            await settled(engine)
    (got,) = place.got
    assert (got.type, got.data["id"]) == ("run.expensive", run.id)
    assert got.data["expensive"]["factor"] == 20.0
    assert got.data["status"] == "running"


def test_the_event_is_sent_to_people_by_default() -> None:
    assert "run.expensive" in Config().notify.events

"""Runs that runs start: their parents, the limits of a family, and ends of a whole family."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from support import LIMIT_S, played, quick, settled, spec, supervising, until

from engine.config.paths import Paths
from engine.config.settings import ChildrenSettings
from engine.domain.errors import UserError
from engine.domain.model import Run, Status
from engine.domain.run_json import run_json
from engine.engine import BatchRequest, Engine
from engine.execution.recovery import recover


@pytest.fixture
async def engine(paths: Paths) -> AsyncGenerator[Engine]:
    """An engine that supervises nothing: what is started stays queued."""
    async with Engine.open(paths, quick(children=ChildrenSettings(runs=4))) as opened:
        yield opened


async def child(engine: Engine, parent: Run | str | None, *lines: str) -> Run:
    """Start a run as another run would."""
    name = parent.id if isinstance(parent, Run) else parent
    return await engine.start(spec(*lines, parent=name))


async def refused(engine: Engine, parent: Run | str) -> UserError:
    with pytest.raises(UserError) as caught:
        await child(engine, parent)
    return caught.value


async def test_a_child_knows_its_parent_and_all_runs_above(engine: Engine) -> None:
    top = await child(engine, None)
    middle = await child(engine, top.id[-6:])  # a unique end of the id, as everywhere
    low = await child(engine, middle)
    assert (top.spec.parent, top.spec.ancestors) == (None, ())
    assert (middle.spec.parent, middle.spec.ancestors) == (top.id, (top.id,))
    assert (low.spec.parent, low.spec.ancestors) == (middle.id, (top.id, middle.id))
    assert run_json(low, 0.0)["parent"] == middle.id
    assert [run.id for run in await engine.runs(below=top.id)] == [low.id, middle.id]
    assert [run.id for run in await engine.runs(below=middle.id)] == [low.id]
    assert await engine.runs(below=low.id) == []
    assert [run.id for run in await engine.runs(below=top.id, limit=1)] == [low.id]


async def test_a_family_has_few_levels(engine: Engine) -> None:
    low = await child(engine, await child(engine, await child(engine, None)))
    error = await refused(engine, low)
    assert error.code == "CHILDREN_LIMIT"
    assert f"on level 3 below {low.spec.ancestors[0]}, of at most 2." in error.message
    assert "children.depth" in error.recovery


async def test_a_family_has_few_runs_on_all_levels_together(engine: Engine) -> None:
    top, other = await child(engine, None), await child(engine, None)
    first = await child(engine, top)
    for parent in (first, first, top):
        await child(engine, parent)
    for parent in (top, first):
        error = await refused(engine, parent)
        assert error.code == "CHILDREN_LIMIT"
        assert f"The run {top.id} has 4 runs below it, of at most 4." in error.message
    assert (await child(engine, other)).spec.parent == other.id  # another family has its own limit


async def test_starts_at_the_same_time_in_two_processes_meet_the_limit_once(
    paths: Paths, engine: Engine
) -> None:
    top = await child(engine, None)
    async with Engine.open(paths, quick(children=ChildrenSettings(runs=4))) as other:
        starts = [child(each, top) for each in (engine, other) for _ in range(6)]
        done = await asyncio.gather(*starts, return_exceptions=True)
    codes = [one.code for one in done if isinstance(one, UserError)]
    assert codes == ["CHILDREN_LIMIT"] * 8
    below = await engine.runs(below=top.id)
    assert len(below) == 4
    assert {path.name for path in (paths.home / "runs").iterdir()} == {
        top.id,
        *(run.id for run in below),
    }


async def test_a_batch_of_children_is_queued_whole_or_not_at_all(engine: Engine) -> None:
    top = await child(engine, None)
    await child(engine, top)
    request = spec(parent=top.id[-6:])
    with pytest.raises(UserError) as caught:
        await engine.swarms.start(await engine.swarms.plan(BatchRequest(request, count=4)))
    assert caught.value.code == "CHILDREN_LIMIT"
    assert len(await engine.runs()) == 2
    plan = await engine.swarms.plan(BatchRequest(request, count=3))
    _, runs = await engine.swarms.start(plan)
    assert [run.spec.ancestors for run in runs] == [(top.id,)] * 3


@pytest.mark.parametrize("name", ["nobody", "", "@", "a" * 500, "\udcff", "\0", "' OR 1=1"])
async def test_a_parent_has_to_be_a_run(engine: Engine, name: str) -> None:
    await child(engine, None)
    assert (await refused(engine, name)).code in ("RUN_NOT_FOUND", "RUN_AMBIGUOUS")
    assert len(await engine.runs()) == 1


async def test_a_run_that_has_ended_starts_no_runs_until_it_goes_on(engine: Engine) -> None:
    top = await child(engine, None)
    await engine.cancel(top.id)
    error = await refused(engine, top)
    assert error.code == "PARENT_ENDED"
    assert "was cancelled" in error.message
    await engine.retry(top.id)
    assert (await child(engine, top)).spec.parent == top.id


async def test_ancestors_that_a_request_brings_do_not_count(engine: Engine) -> None:
    top = await child(engine, None)
    alone = await engine.start(spec(ancestors=(top.id,)))
    below = await engine.start(spec(parent=top.id, ancestors=("x", "y")))
    assert (alone.spec.ancestors, below.spec.ancestors) == ((), (top.id,))


async def test_children_outlive_a_forgotten_parent_and_keep_its_id(engine: Engine) -> None:
    top = await child(engine, None)
    middle = await child(engine, top)
    low = await child(engine, middle)
    for run in (top, middle):
        await engine.cancel(run.id)
    await engine.forgetting.forget([top.id, middle.id])
    (left,) = await engine.runs()
    assert (left.spec.parent, left.spec.ancestors) == (middle.id, (top.id, middle.id))
    assert [run.id for run in await engine.runs(below=top.id)] == [low.id]
    assert [run.id for run in await engine.runs(below=middle.id)] == []
    assert (await refused(engine, low)).code == "CHILDREN_LIMIT"  # levels count that are forgotten
    error = await refused(engine, middle)
    assert (error.code, "was forgotten" in error.message) == ("RUN_NOT_FOUND", True)
    await engine.cancel(low.id)
    assert (await engine.retry(low.id)).spec.parent == middle.id


async def test_a_family_is_cancelled_together(engine: Engine) -> None:
    top = await child(engine, None)
    middle, alone = await child(engine, top), await child(engine, None)
    low = await child(engine, middle)
    await engine.cancel(middle.id)  # what has ended does not keep the runs below it
    done = await engine.cancel_all([top.id], children=True)
    assert [run.id for run in done] == [top.id, low.id]
    assert [run.id for run in await engine.runs(statuses=[Status.QUEUED])] == [alone.id]


async def test_children_go_on_when_their_parent_is_cancelled(engine: Engine) -> None:
    top = await child(engine, None)
    low = await child(engine, top)
    assert [run.id for run in await engine.cancel_all([top.id])] == [top.id]
    assert (await engine.find(low.id)).status is Status.QUEUED
    # The parent has ended; what it started can still be cancelled through it.
    assert [run.id for run in await engine.cancel_all([top.id], children=True)] == [low.id]


async def test_a_parent_that_is_being_cancelled_starts_no_runs(paths: Paths) -> None:
    async with supervising(paths, grace_s=30.0) as engine:
        top = await child(engine, None, "ignore-term", "hang")
        await until(engine, lambda: engine.view.runs[top.id].status is Status.RUNNING)
        low = await child(engine, top, "hang")
        await engine.cancel_all([top.id], children=True)
        assert (await engine.find(top.id)).status is Status.CANCELLING
        assert (await refused(engine, top)).code == "PARENT_ENDED"
        await engine.cancel_all([top.id], children=True, kill=True)
        async with asyncio.timeout(LIMIT_S):
            await engine.settle()
        assert {(await engine.find(run.id)).status for run in (top, low)} == {Status.CANCELLED}


async def test_a_fork_has_no_parent_and_a_rebuilt_database_has_the_families(paths: Paths) -> None:
    async with supervising(paths) as engine:
        top = await child(engine, None, "hang")
        low = await played(engine, "say hello", parent=top.id)
        fork = await engine.forks.fork(low.id, "sim: say hello")
        assert (fork.spec.parent, fork.spec.ancestors) == (None, ())
        await engine.cancel(top.id, kill=True)
        await settled(engine)
    paths.database.write_bytes(b"damaged" * 1000)
    await recover(paths)
    async with Engine.open(paths, quick()) as engine:
        assert [run.id for run in await engine.runs(below=top.id)] == [low.id]


async def test_children_start_where_their_parents_would_fill_all_slots(paths: Paths) -> None:
    async with supervising(paths, slots=1) as engine:
        top = await child(engine, None, "hang")
        await until(engine, lambda: engine.view.runs[top.id].status is Status.RUNNING)
        middle = await child(engine, top, "hang")
        await until(engine, lambda: engine.view.runs[middle.id].status is Status.RUNNING)
        low = await played(engine, "say hello", parent=middle.id)
        assert low.status is Status.SUCCEEDED
        other = await engine.start(spec("say hello"))
        assert engine.view.runs[other.id].status is Status.QUEUED
        await engine.cancel_all([top.id], children=True, kill=True)
        await settled(engine)
        assert engine.view.runs[other.id].status is Status.SUCCEEDED

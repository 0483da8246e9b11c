"""Batches with the simulated agent: all or nothing, sums, ranks, budgets, flows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import quick, settled, spec, supervising, until

from engine.config.paths import Paths
from engine.domain.batch import standing
from engine.domain.budget import Budget
from engine.domain.errors import UserError
from engine.domain.model import Agent, RunSpec, Status, WorkspaceKind, WorkspaceSpec
from engine.domain.ranking import tasks
from engine.engine import BatchRequest, Engine


def order(prompt: str, **more: Any) -> BatchRequest:
    asked = RunSpec(prompt=prompt, title="", project="garden", agent=Agent.SIMULATED)
    said = {name: more.pop(name) for name in ("verify", "retries") if name in more}
    return BatchRequest(replace(asked, **said), frozenset(said), **more)


async def started(engine: Engine, what: BatchRequest) -> str:
    swarm, _ = await engine.swarms.start(await engine.swarms.plan(what))
    return swarm.id


async def test_sixty_runs_some_failing(paths: Paths, tmp_path: Path) -> None:
    file = tmp_path / "sixty.csv"
    lines = [f"{n},{'sim: fail quota' if n % 6 == 0 else 'sim: say fine'}" for n in range(60)]
    file.write_text("\n".join(["n,prompt", *lines]) + "\n")
    async with supervising(paths, slots=12) as engine:
        swarm, runs = await engine.swarms.start(await engine.swarms.plan(order("", file=file)))
        assert (swarm.id, len(runs)) == ("sixty", 60)
        assert [run.id for run in runs] == [run.id for run in engine.view.batch("sixty")]
        await settled(engine)
        so_far = standing(engine.view.batch("sixty"), 0, 4)
        assert (so_far.of(Status.SUCCEEDED), so_far.of(Status.FAILED), so_far.live) == (50, 10, 0)
        assert (so_far.percent, so_far.pass_rate, so_far.left_s) == (100, 50 / 60, None)
        assert so_far.finished_at is not None
        assert await engine.swarms.standing("sixty", 4) == so_far
        failed = await engine.swarms.to_retry("sixty")
        assert [run.spec.given["n"] for run in failed] == [str(n) for n in range(0, 60, 6)]


async def test_a_mistake_in_one_row_starts_nothing(paths: Paths, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("path\n" + "src\n" * 15 + "/etc\nlib\n")
    async with Engine.open(paths, quick(), follow=False) as engine:
        with pytest.raises(UserError, match=r"rows\.csv:17: "):
            await started(engine, order("", template="test", file=file))
        repositories = order("x", matrix={"repository": (str(tmp_path), "/nowhere")})
        with pytest.raises(UserError):
            await started(engine, repositories)
        here = order("x", count=2)
        wish = WorkspaceSpec(WorkspaceKind.IN_PLACE, str(tmp_path))
        with pytest.raises(UserError, match="2 runs would work in"):
            await started(engine, replace(here, spec=replace(here.spec, workspace=wish)))
        assert not await engine.runs()
        assert not await engine.swarms.all()
    assert not any(paths.workspaces.rglob("*"))


async def test_names_are_made_unique_and_found(paths: Paths) -> None:
    async with Engine.open(paths, quick(), follow=False) as engine:
        what = order("say", count=2, name="Night ly/../")
        assert [await started(engine, what) for _ in range(3)] == [
            "night-ly",
            "night-ly-2",
            "night-ly-3",
        ]
        assert (await engine.swarms.find("night-ly")).id == "night-ly"
        assert (await engine.swarms.find("@last")).id == "night-ly-3"
        for name in ("night", "nobody", ""):
            with pytest.raises(UserError) as caught:
                await engine.swarms.find(name)
            assert caught.value.code == "BATCH_NOT_FOUND"


async def test_the_best_of_three_passes_with_the_smallest_change(
    paths: Paths, tmp_path: Path
) -> None:
    file = tmp_path / "best.jsonl"
    scripts = ("long.txt 1\\\\n2\\\\n3\\\\n", "short.txt 1\\\\n", "wrong.txt 1\\\\n")
    rows = [f'{{"prompt": "sim: write {script}"}}' for script in scripts]
    file.write_text("\n".join(rows))
    async with supervising(paths) as engine:
        batch = await started(engine, order("", file=file, verify="test ! -f wrong.txt"))
        await settled(engine)
        runs = engine.view.batch(batch)
        # As if all had been asked for the same.
        alike = [replace(run.spec, given={}, prompt="the same") for run in runs]
        same = [replace(run, spec=spec) for run, spec in zip(runs, alike, strict=True)]
        (task,) = tasks(same)
        assert [run.spec.title.split()[2] for run in task.runs] == [
            "short.txt",
            "long.txt",
            "wrong.txt",
        ]
        assert task.winner is task.runs[0]
        losers = await engine.swarms.losers(batch, [task.winner])
        assert losers == {run.id for run in task.runs[1:]}
        assert not await engine.swarms.losers(batch, [])


async def test_a_budget_for_all_stops_what_is_left(paths: Paths) -> None:
    script = "sim: usage input=600 output=0\nsim: wait 0.1"
    async with supervising(paths, slots=1) as engine:
        batch = await started(engine, order(script, count=5, budget=Budget(1000), name="dear"))
        await settled(engine)
        runs = engine.view.batch(batch)
        codes = [run.error.code if run.error else "" for run in runs]
        assert codes[:2] == ["", ""]
        assert set(codes[2:]) <= {"", "BUDGET_EXCEEDED"}
        assert codes[-1] == "BUDGET_EXCEEDED"
        assert "--total-budget" in (runs[-1].error.recovery if runs[-1].error else "")
        await engine.swarms.set_budget(batch, Budget(10_000))
        for run in await engine.swarms.to_retry(batch):
            await engine.retry(run.id)
        await settled(engine)
        assert {run.status for run in engine.view.batch(batch)} == {Status.SUCCEEDED}


FLOW = """steps:
  - name: research
    prompt: "sim: write notes.md {{ topic }}"
  - name: write
    prompt: "sim: write text.md from-notes"
    from: research
    verify: grep -q trees notes.md
  - name: review
    prompt: "sim: write review.md good"
    from: write
    verify: test -f notes.md -a -f text.md
rows:
  - {topic: trees}
  - {topic: seas}
"""


async def test_a_flow_hands_the_workspace_on_and_a_failure_stops_it(
    paths: Paths, tmp_path: Path
) -> None:
    file = tmp_path / "story.yaml"
    file.write_text(FLOW)
    async with supervising(paths) as engine:
        batch = await started(engine, order("", file=file))
        await settled(engine)
        runs = engine.view.batch(batch)
        assert [run.status for run in runs] == [
            Status.SUCCEEDED,
            Status.SUCCEEDED,
            Status.SUCCEEDED,
            Status.SUCCEEDED,
            Status.FAILED,
            Status.CANCELLED,
        ]
        assert runs[2].workspace and Path(runs[2].workspace.path, "notes.md").exists()
        assert runs[2].changes.files == 1  # its own step's alone
        again = await engine.swarms.to_retry(batch)
        assert [run.id for run in again] == [runs[4].id, runs[5].id]
        assert runs[4].workspace
        Path(runs[4].workspace.path, "notes.md").write_text("trees after all")
        for run in again:
            await engine.retry(run.id)
        await settled(engine)
        assert engine.view.batch(batch)[5].status is Status.SUCCEEDED


async def test_a_run_can_start_from_one_that_is_still_at_work(paths: Paths) -> None:
    async with supervising(paths) as engine:
        await engine.set_slots(1)
        first = await engine.start(spec("write a.txt one", "wait 0.2"))
        later = spec("say done", verify="test -f a.txt")
        wish = replace(later.workspace, kind=WorkspaceKind.FROM_RUN, source=first.id)
        second = await engine.start(replace(later, workspace=wish))
        assert second.spec.after == (first.id,) and second.spec.workspace.source == first.id
        await until(engine, lambda: engine.view.runs[second.id].finished_at)
        assert engine.view.runs[second.id].status is Status.SUCCEEDED

"""Runs on the nodes where there is a place for them, asked for in every way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from folder_cluster import FolderCluster
from folder_executor import FolderAttempt
from support import becomes, quick, spec, until

from engine import login_check
from engine.agents.base import AttemptOutcome
from engine.config.paths import Paths
from engine.config.settings import ClusterSettings, ProjectSettings, WatchdogSettings
from engine.config.values import HostName
from engine.domain.errors import UserError, user_error
from engine.domain.events import Notice, StatusChanged
from engine.domain.hosts import HostChosen, host_of
from engine.domain.interaction import ModeChange
from engine.domain.model import (
    ANY_NODE,
    LOCAL,
    Agent,
    AttemptRequest,
    Run,
    RunSpec,
    Status,
    WorkspaceKind,
    WorkspaceSpec,
)
from engine.domain.node import NodeCondition
from engine.domain.placement import NOT_TAKEN
from engine.domain.reasons import Cause, WaitingFor
from engine.engine import BatchRequest, Engine
from engine.execution import supervisor
from engine.execution.outcome import decide
from tui.cli.support.waiting import of_view

ANY = HostName(ANY_NODE)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[FolderCluster]:
    """Two nodes with one slot each; nothing runs there when the test ends."""
    made = FolderCluster(tmp_path / "nodes", n1=1, n2=1)
    yield made
    made.end_all()


@asynccontextmanager
async def supervised(paths: Paths, cluster: FolderCluster, **more: Any) -> AsyncGenerator[Engine]:
    async with Engine.open(paths, quick(**more), supervise=True, cluster=cluster) as engine:
        yield engine


def now(engine: Engine, run: Run) -> Run:
    return engine.view.runs[run.id]


def reason(engine: Engine, run: Run) -> str:
    """The reason why a queued run waits, as it is shown."""
    wait = of_view(engine.view, engine, 0.0).get(run.id)
    return wait.pause.reason if wait and wait.pause else ""


async def working(engine: Engine, *runs: Run) -> None:
    await until(engine, lambda: all(now(engine, run).thread_id for run in runs))


async def done(engine: Engine, run: Run, attempt: int = 1) -> Run:
    def is_done() -> bool:
        known = now(engine, run)
        return known.attempt == attempt and known.finished_at is not None

    await until(engine, is_done)
    return now(engine, run)


async def test_runs_for_any_node_spread_over_all_and_then_wait(
    paths: Paths, cluster: FolderCluster
) -> None:
    async with supervised(paths, cluster, slots=1) as engine:
        first = [await engine.start(spec("say x", "hang", on=ANY_NODE)) for _ in range(2)]
        await working(engine, *first)
        assert {host_of(now(engine, run)) for run in first} == {"n1", "n2"}
        third = await engine.start(spec("say x", on=ANY_NODE))
        near = await engine.start(spec("say near"))
        assert (await done(engine, near)).status is Status.SUCCEEDED
        assert now(engine, third).status is Status.QUEUED
        await becomes(lambda: reason(engine, third) == "no free slot on any node")
        freed = host_of(now(engine, first[0]))
        await engine.cancel(first[0].id)
        ended = await done(engine, third)
        assert (ended.status, host_of(ended)) == (Status.SUCCEEDED, freed)
        assert ended.workspace and ended.workspace.host == freed
        bodies = [event.body for event in await engine.events(third.id)]
        assert [body.host for body in bodies if isinstance(body, HostChosen)] == [freed]


async def test_a_run_for_one_node_waits_for_that_one(paths: Paths, cluster: FolderCluster) -> None:
    cluster.conditions["n1"] = NodeCondition.UNREACHABLE
    async with supervised(paths, cluster) as engine:
        named = await engine.start(spec("say x", on="n1"))
        await becomes(lambda: reason(engine, named) == "node n1 does not answer")
        other = await engine.start(spec("say x", on=ANY_NODE))
        assert host_of(await done(engine, other)) == "n2"
        assert now(engine, named).status is Status.QUEUED
        cluster.conditions["n1"] = NodeCondition.READY
        assert host_of(await done(engine, named)) == "n1"


async def test_another_process_shows_what_a_run_waits_for(
    paths: Paths, cluster: FolderCluster
) -> None:
    cluster.slots["n2"] = 0
    async with supervised(paths, cluster):
        cluster.slots["n1"] = 0
        async with Engine.open(paths, quick(), cluster=cluster) as engine:
            run = await engine.start(spec("say x", on="n1"))
            await becomes(lambda: reason(engine, run) == "no free slot on n1")
            wait = of_view(engine.view, engine, 0.0)[run.id]
            assert wait.pause and wait.pause.waiting_for is WaitingFor.NODE


async def test_a_retry_goes_back_to_the_node_and_starts_over_where_that_is_lost(
    paths: Paths, cluster: FolderCluster
) -> None:
    cluster.slots["n2"] = 0
    async with supervised(paths, cluster) as engine:
        run = await engine.start(spec("say x", "fail", on=ANY_NODE))
        assert host_of(await done(engine, run)) == "n1"
        cluster.slots.update(n1=1, n2=5)
        await engine.retry(run.id)
        assert host_of(await done(engine, run, 2)) == "n1"
        cluster.conditions["n1"] = NodeCondition.UNREACHABLE
        await engine.retry(run.id)
        await becomes(lambda: reason(engine, run) == "node n1 does not answer")
        cluster.conditions["n1"] = NodeCondition.LOST
        moved = await done(engine, run, 3)
        assert host_of(moved) == "n2"
        assert moved.workspace and moved.workspace.host == "n2"
        texts = [e.body.text for e in await engine.events(run.id) if isinstance(e.body, Notice)]
        assert "the node n1 is lost: it starts over" in texts


async def test_a_retry_starts_over_on_the_machine_that_is_named(
    paths: Paths, cluster: FolderCluster
) -> None:
    async with supervised(paths, cluster) as engine:
        run = await engine.start(spec("say x", on="n1"))
        await done(engine, run)
        await engine.retry(run.id, change=ModeChange(on="n2"))
        there = await done(engine, run, 2)
        assert there.workspace and (host_of(there), there.workspace.host) == ("n2", "n2")
        await engine.retry(run.id, change=ModeChange(on=LOCAL))
        here = await done(engine, run, 3)
        assert here.workspace and (host_of(here), here.workspace.host) == (LOCAL, LOCAL)
        with pytest.raises(UserError) as refused:
            await engine.retry(run.id, change=ModeChange(on="n9"))
        assert refused.value.code == "NODE_UNKNOWN"


async def test_a_retry_needs_the_login_of_the_machine_that_is_named(
    paths: Paths, cluster: FolderCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(*_: object) -> UserError:
        return user_error("CODEX_AUTH_REQUIRED")

    async with supervised(paths, cluster) as engine:
        here, there = await engine.start(spec("say x")), await engine.start(spec("say x", on="n1"))
        await done(engine, here)
        await done(engine, there)
        monkeypatch.setattr(login_check, "login_error", none)
        monkeypatch.setattr(login_check, "VALID_S", -1.0)
        for run, on in ((here, ""), (there, LOCAL)):
            with pytest.raises(UserError) as refused:
                await engine.retry(run.id, change=ModeChange(on=on))
            assert refused.value.code == "CODEX_AUTH_REQUIRED"
        for run, on in ((here, "n2"), (there, "")):
            await engine.retry(run.id, change=ModeChange(on=on))
            assert (await done(engine, run, 2)).status is Status.SUCCEEDED


async def test_settings_choose_the_machine_where_a_run_names_none(
    paths: Paths, cluster: FolderCluster
) -> None:
    settings = {
        "cluster": ClusterSettings(on=ANY),
        "projects": {"here": ProjectSettings(on=HostName(LOCAL)), "n2": ProjectSettings()},
    }
    async with Engine.open(paths, quick(**settings), cluster=cluster) as engine:

        async def host(**more: Any) -> str:
            return host_of(await engine.start(spec("say x", **more)))

        assert await host() == ANY_NODE
        assert await host(project="here") == LOCAL
        assert await host(project="n2") == ANY_NODE
        assert await host(project="here", on="n1") == "n1"
        assert await host(on=LOCAL) == LOCAL
        in_place = WorkspaceSpec(WorkspaceKind.IN_PLACE, str(folder_of(paths)))
        assert await host(workspace=in_place) == LOCAL


def folder_of(paths: Paths) -> Path:
    folder = paths.home.parent / "work"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize("on", ["n1", ANY_NODE])
@pytest.mark.parametrize(
    ("feature", "words"),
    [
        ("in place", "work in place"),
        ("folders", "--add-dir"),
        ("program", "--codex-bin"),
    ],
)
async def test_what_a_node_cannot_do_is_refused_at_once(
    paths: Paths, cluster: FolderCluster, on: str, feature: str, words: str
) -> None:
    folder = str(folder_of(paths))
    wishes: dict[str, dict[str, Any]] = {
        "in place": {"workspace": WorkspaceSpec(WorkspaceKind.IN_PLACE, folder)},
        "folders": {"add_dirs": (folder,)},
        "program": {"codex_bin": "/bin/true"},
    }
    async with Engine.open(paths, quick(), cluster=cluster) as engine:
        with pytest.raises(UserError) as refused:
            await engine.start(spec("say x", on=on, **wishes[feature]))
        assert refused.value.code == "NODE_CANNOT"
        assert words in f"{refused.value.message} {refused.value.recovery}"
        assert not engine.view.runs


async def test_a_missing_node_is_refused_only_if_the_scheduler_says_so(
    paths: Paths, cluster: FolderCluster
) -> None:
    async with Engine.open(paths, quick(), cluster=cluster) as engine:
        with pytest.raises(UserError, match="Did you mean `n1`") as refused:
            await engine.start(spec("say x", on="n1 "[:2] + "x"))
        assert refused.value.code == "NODE_UNKNOWN"
        cluster.is_reachable = False
        run = await engine.start(spec("say x", on="n9"))
        assert reason(engine, run) == NOT_TAKEN


@pytest.mark.parametrize("on", ["n1", ANY_NODE])
async def test_without_a_cluster_a_run_for_a_node_is_refused_at_once(paths: Paths, on: str) -> None:
    async with Engine.open(paths, quick()) as engine:
        with pytest.raises(UserError) as refused:
            await engine.start(spec("say x", on=on))
        assert refused.value.code == "CLUSTER_NOT_SET"


@pytest.mark.parametrize("on", ["", " ", "a\0b", "n" * 101, "\x1b[31m", "a\nb"])
async def test_a_name_that_no_node_can_have_is_refused(
    paths: Paths, cluster: FolderCluster, on: str
) -> None:
    async with Engine.open(paths, quick(), cluster=cluster) as engine:
        asked: RunSpec = spec("say x", on=on)
        with pytest.raises(UserError) as refused:
            await engine.start(asked)
        assert refused.value.code == "INPUT_INVALID"


async def test_a_run_from_an_earlier_one_goes_where_that_is(
    paths: Paths, cluster: FolderCluster
) -> None:
    async with supervised(paths, cluster) as engine:
        first = await engine.start(spec("say x", "write a.txt one", on=ANY_NODE))
        wish = WorkspaceSpec(WorkspaceKind.FROM_RUN, first.id)
        after = await engine.start(spec("say y", workspace=wish))
        host = host_of(await done(engine, first))
        assert host_of(await done(engine, after)) == host
        other = "n2" if host == "n1" else "n1"
        with pytest.raises(UserError, match="has its workspace on"):
            await engine.start(spec("say z", workspace=wish, on=other))


async def test_a_start_that_the_node_refuses_goes_back_to_the_queue(
    paths: Paths, cluster: FolderCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, refused = cluster.nodes_of["n1"], list[str]()
    start = node.start

    async def full_once(*args: Any) -> FolderAttempt:
        if not refused:
            refused.append("once")
            raise user_error("NODE_FULL")
        return await start(*args)

    monkeypatch.setattr(node, "start", full_once)
    monkeypatch.setattr(supervisor, "SLOT_S", 0.2)
    async with supervised(paths, cluster) as engine:
        run = await engine.start(spec("say x", on="n1"))
        ended = await done(engine, run, 2)
        assert (ended.status, ended.retries_used) == (Status.SUCCEEDED, 0)
        changes = [e.body for e in await engine.events(run.id, kinds=["status"])]
        causes = [body.cause for body in changes if isinstance(body, StatusChanged)]
        assert causes.count(Cause.NO_SLOT) == 1


async def test_an_automatic_retry_starts_over_where_the_node_was_lost() -> None:
    known = Run("a", spec("say x", retries=1), 0.0, Status.RUNNING, host="n1", thread_id="t")
    known.requested_host, known.attempt_prompt = ANY_NODE, "and this"
    lost = AttemptOutcome.of(user_error("NODE_LOST"))
    go_on = AttemptRequest("go on", resume=True)
    step = decide(known, lost, None, WatchdogSettings(), 1.0, go_on)
    assert HostChosen(ANY_NODE) in step.bodies
    assert step.ask == AttemptRequest(f"{known.spec.prompt}\n\nand this", fresh=True)


async def test_runs_on_nodes_take_no_slot_here_and_none_is_lost(
    paths: Paths, cluster: FolderCluster
) -> None:
    cluster.slots.update(n1=2, n2=1)
    async with supervised(paths, cluster, slots=1) as engine:
        runs = [await engine.start(spec("say x", on=ANY_NODE)) for _ in range(6)]
        runs += [await engine.start(spec("say x")) for _ in range(2)]
        ended = await asyncio.gather(*(done(engine, run) for run in runs))
        assert {run.status for run in ended} == {Status.SUCCEEDED}


async def test_a_step_works_where_the_step_that_it_starts_from_did(
    paths: Paths, cluster: FolderCluster, tmp_path: Path
) -> None:
    flow = tmp_path / "flow.yaml"
    steps = "steps:\n- {name: one, prompt: 'sim: write a.txt 1', on: n1}\n- {name: two, from: one, "
    flow.write_text(steps + "prompt: 'sim: append a.txt 2'}\n")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(steps + "prompt: 'sim: say x', on: n2}\n")
    cluster.slots.update(n1=1, n2=3)
    asked = RunSpec("", "", "garden", agent=Agent.SIMULATED)
    async with supervised(paths, cluster) as engine:
        plan = await engine.swarms.plan(BatchRequest(asked, file=flow))
        _, runs = await engine.swarms.start(plan)
        ended = [await done(engine, run) for run in runs]
        assert [(run.status, host_of(run)) for run in ended] == [(Status.SUCCEEDED, "n1")] * 2
        with pytest.raises(UserError, match="`on` does not go with `from`"):
            await engine.swarms.plan(BatchRequest(asked, file=wrong))


async def test_templates_and_rows_name_the_machine(
    paths: Paths, cluster: FolderCluster, tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text("prompt,on\nsim: say a,n1\nsim: say b,n2\nsim: say c,\n")
    (tmp_path / "wrong.csv").write_text("prompt,on\nsim: say a,n1\nsim: say b,n9\n")
    own = paths.config.parent / "templates"
    own.mkdir()
    (own / "far.yaml").write_text("description: d\nprompt: 'sim: say far'\non: n2\n")
    cluster.slots.update(n1=3, n2=3)
    asked = RunSpec("", "", "garden", agent=Agent.SIMULATED)
    async with supervised(paths, cluster) as engine:

        async def hosts(**more: Any) -> list[str]:
            plan = await engine.swarms.plan(BatchRequest(asked, **more))
            _, runs = await engine.swarms.start(plan)
            ended = [await done(engine, run) for run in runs]
            assert {run.status for run in ended} == {Status.SUCCEEDED}, [run.error for run in ended]
            return [run.workspace.host for run in ended if run.workspace]

        assert await hosts(file=tmp_path / "rows.csv") == ["n1", "n2", LOCAL]
        assert await hosts(template="far") == ["n2"]
        with pytest.raises(UserError, match=r"no node named n9"):
            await hosts(file=tmp_path / "wrong.csv")

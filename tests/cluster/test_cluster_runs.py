"""Complete runs of an engine with three nodes, all real processes that speak TLS."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cluster_processes import ROOT, Cluster, a_cluster
from loopback_cluster import certificates
from repos import repository
from support import Mode, becomes, mode_of_specs, script, settled, spec, texts, until

from engine.config.paths import Paths
from engine.config.settings import load
from engine.domain.hosts import host_of
from engine.domain.interaction import Decision, ModeChange, RequestAnswer
from engine.domain.model import ANY_NODE, Run, RunSpec, Status, WorkspaceKind, WorkspaceSpec
from engine.engine import Engine
from engine.workspaces.apply.apply import ApplyMode

pytestmark = pytest.mark.slow
NODES = ("n1", "n2", "n3")
LEASE = "60s"
COUNT = 150
SUPERVISE = """
import asyncio, sys
from pathlib import Path
from engine.config.paths import Paths
from engine.config.settings import load
from engine.engine import Engine

async def main():
    paths = Paths(Path(sys.argv[1]), Path(sys.argv[2]))
    async with Engine.open(paths, load(paths.config), supervise=True):
        print("ready", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


@asynccontextmanager
async def three_nodes(paths: Paths) -> AsyncGenerator[Cluster]:
    """Three nodes, and settings of the home that name their scheduler."""
    folder = paths.home.parent
    made = await certificates(folder / "c", *NODES)
    async with a_cluster(folder, made) as cluster:
        await cluster.scheduler()
        for started in [await cluster.node(name, LEASE) for name in NODES]:
            await started.report("joined")
        files = made.of("client")
        known = {name: str(getattr(files, name)) for name in ("ca", "certificate", "key")}
        settings = {
            "slots": 1,
            "queue": {"stagger_s": 0},
            "workspace": {"setup": ["echo set up; echo made > made.txt"]},
            "cluster": {"scheduler": cluster.address, **known},
        }
        paths.config.write_text(json.dumps(settings))
        yield cluster


def there(*lines: str, **more: object) -> RunSpec:
    """A run on a node."""
    return spec(*lines, **{"on": ANY_NODE, **more})


def now(engine: Engine, run: Run) -> Run:
    return engine.view.runs[run.id]


async def over(engine: Engine, run: Run, attempt: int = 1) -> Run:
    def is_over() -> bool:
        return now(engine, run).attempt == attempt and bool(now(engine, run).finished_at)

    await until(engine, is_over)
    return now(engine, run)


async def succeeded(engine: Engine, run: Run, attempt: int = 1) -> Run:
    ended = await over(engine, run, attempt)
    assert ended.status is Status.SUCCEEDED, ended.error
    return ended


async def said(engine: Engine, run: Run, count: int) -> None:
    batches = engine.batches(0)
    async with asyncio.timeout(60):
        while len(texts(await engine.events(run.id))) < count:
            await anext(batches)


async def printed(cluster: Cluster, *words: str) -> str:
    """Return what a command of the program prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", str(ROOT / "swarm_tui.py"), *words),
        env=cluster.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()


async def test_runs_on_three_nodes_are_as_runs_here(paths: Paths, tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    async with (
        three_nodes(paths) as cluster,
        Engine.open(paths, load(paths.config), supervise=True) as engine,
    ):
        await _spread(engine)
        run = await _changed(engine, repo)
        await _shown(cluster, run)
        await _applied(engine, run, repo)
        await _went_on(engine, run)
        await _failed_and_retried(engine)
        await _asked(engine)
        assert await engine.doctor.orphans() == []


async def _spread(engine: Engine) -> None:
    """Runs take the node with the most free slots, and can be stopped there."""
    await becomes(lambda: set(engine.cluster.places.free) == set(NODES))
    runs = [await engine.start(there("say here", "hang")) for _ in NODES]
    for run in runs:
        await said(engine, run, 1)
    assert {host_of(now(engine, run)) for run in runs} == set(NODES)
    for run in runs:
        await engine.cancel(run.id)
    for run in runs:
        assert (await over(engine, run)).status is Status.CANCELLED


async def _changed(engine: Engine, repo: Path) -> Run:
    """Set-up and check of a run in a worktree work where that is."""
    wish = WorkspaceSpec(WorkspaceKind.WORKTREE, str(repo))
    lines = ("say first", "write a.txt two", "say last")
    asked = there(*lines, workspace=wish, verify="cat a.txt made.txt")
    run = await succeeded(engine, await engine.start(asked))
    assert texts(await engine.events(run.id)) == ["first", "last"]
    assert run.workspace and run.workspace.host in NODES
    assert not Path(run.workspace.path).is_relative_to(engine.paths.home)
    return run


async def _shown(cluster: Cluster, run: Run) -> None:
    """The commands of another process find everything."""
    assert (await printed(cluster, "logs", run.id, "--setup")).endswith("\nset up\n")
    assert (await printed(cluster, "logs", run.id, "--verify")).endswith("two\nmade\n")
    assert '"first"' in await printed(cluster, "logs", run.id, "--raw")
    assert "-one" in await printed(cluster, "diff", run.id)
    assert run.workspace
    there = {node: await printed(cluster, "ls", "--on", node) for node in NODES}
    assert [node for node in NODES if run.id in there[node]] == [run.workspace.host]
    listed = json.loads(await printed(cluster, "nodes", "--json"))
    assert sorted(one["name"] for one in listed["nodes"]) == list(NODES)


async def _applied(engine: Engine, run: Run, repo: Path) -> None:
    changes = await engine.workspaces.changes(run.id)
    assert "a.txt" in [file.path for file in changes.files]
    await engine.workspaces.apply(run.id, ApplyMode.EDITS)
    assert (repo / "a.txt").read_text() == "two\n"


async def _went_on(engine: Engine, run: Run) -> None:
    """A message resumes its thread there, and another run works from its workspace."""
    await engine.send(run.id, script("write b.txt more", "say resumed"))
    resumed = await succeeded(engine, run, 2)
    assert texts(await engine.events(run.id)) == ["first", "last", "resumed"]
    assert (resumed.thread_id, resumed.workspace) == (run.thread_id, run.workspace)
    wish = WorkspaceSpec(WorkspaceKind.FROM_RUN, run.id)
    after = await engine.start(spec("say on", workspace=wish, verify="cat b.txt"))
    assert host_of(await succeeded(engine, after)) == host_of(run)


async def _failed_and_retried(engine: Engine) -> None:
    run = await engine.start(there("say once", "fail"))
    failed = await over(engine, run)
    assert failed.status is Status.FAILED
    await engine.retry(run.id)
    assert host_of(await over(engine, run, 2)) == host_of(failed)
    other = next(node for node in NODES if node != host_of(failed))
    await engine.retry(run.id, change=ModeChange(on=other))
    assert host_of(await over(engine, run, 3)) == other


async def _asked(engine: Engine) -> None:
    """An answer reaches an interactive agent there."""
    with mode_of_specs(Mode.INTERACTIVE):
        run = await engine.start(there('ask "npm ci" writes=ran.txt', "say end"))
    await until(engine, lambda: now(engine, run).unanswered)
    (request,) = now(engine, run).unanswered
    await engine.answer(run.id, RequestAnswer(1, request.request, request.digest, Decision.APPROVE))
    ended = await succeeded(engine, run)
    assert texts(await engine.events(run.id))[-1] == "end"
    assert "ran.txt" in [one.path for one in (await engine.workspaces.changes(run.id)).files]
    assert ended.waited_s > 0


@pytest.mark.parametrize("mode", Mode)
async def test_engines_killed_in_the_middle_lose_and_double_nothing(
    paths: Paths, mode: Mode
) -> None:
    children: list[asyncio.subprocess.Process] = []

    async def supervisor() -> asyncio.subprocess.Process:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SUPERVISE, str(paths.home), str(paths.config)),
            stdout=subprocess.PIPE,
        )
        children.append(child)
        assert child.stdout and await child.stdout.readline() == b"ready\n"
        return child

    async with three_nodes(paths):
        try:
            child = await supervisor()
            async with Engine.open(paths, load(paths.config)) as engine:
                with mode_of_specs(mode):
                    asked = there(f"numbered {COUNT} every=0.03", "say end")
                    runs = [await engine.start(asked) for _ in NODES]
                for count in (20, 70):
                    for run in runs:
                        await said(engine, run, count)
                    child.kill()
                    await child.wait()
                    child = await supervisor()
                await settled(engine)
                for run in runs:
                    events = await engine.events(run.id)
                    numbers = [f"n {number}" for number in range(1, COUNT + 1)]
                    assert texts(events) == [*numbers, "end"]
                    assert [event.seq for event in events] == list(range(1, len(events) + 1))
                    ended = now(engine, run)
                    assert (ended.status, ended.attempt) == (Status.SUCCEEDED, 1)
                    assert ended.exit_code == 0
        finally:
            for child in children:
                if child.returncode is None:
                    child.kill()
                    await child.wait()

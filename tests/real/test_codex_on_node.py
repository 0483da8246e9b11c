"""The real Codex on a node: its workspace, sandbox, thread and tokens, and how it goes on there."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from bridge_run import escalated, newest_codex
from fake_channel import FakeChannel
from house import House, NewHouse, ended, happened, task, until, wrapped
from loopback import (
    LoopbackServer,
    Step,
    add_file,
    closed_port,
    codex_binary,
    codex_home,
    command,
    message,
    patch,
    update_file,
    usage,
)

from engine.config.paths import Paths
from engine.config.settings import Config, QueueSettings
from engine.domain.events import Step as Happened
from engine.domain.interaction import Decision, RequestAnswer
from engine.domain.model import ANY_NODE, Run, Status, WorkspaceKind, WorkspaceSpec
from engine.engine import Engine
from engine.execution.cluster.cluster import Cluster
from engine.execution.cluster.node.service import NodeService

NODE = "n1"


@dataclass(frozen=True)
class NodeWithCodex:
    """A node whose Codex has a home of its own; that of this machine reaches no model."""

    paths: Paths
    service: NodeService
    codex_home: Path

    @asynccontextmanager
    async def engine(self) -> AsyncGenerator[Engine]:
        """Open an engine that sends runs to the node."""
        cluster = Cluster(self.paths, FakeChannel({NODE: self.service}))
        config = Config(slots=1, queue=QueueSettings(stagger_s=0))
        async with Engine.open(self.paths, config, supervise=True, cluster=cluster) as engine:
            yield engine
        await cluster.close()

    def folder(self, run: Run) -> Path:
        """Return the run's workspace there."""
        assert run.workspace and run.workspace.host == NODE
        return Path(run.workspace.path)

    def threads(self) -> list[str]:
        """Return the ids of the threads that Codex keeps there."""
        found = sorted(self.codex_home.glob("sessions/**/rollout-*.jsonl"))
        return [path.stem[-36:] for path in found]


@pytest.fixture(params=["bundled", "newest"])
def node(
    request: pytest.FixtureRequest, lab: Path, server: LoopbackServer, new_house: NewHouse
) -> Iterator[NodeWithCodex]:
    codex = newest_codex() if request.param == "newest" else codex_binary()
    if codex is None:
        pytest.skip("no Codex of npm's: set SWARM_TEST_CODEX")
    here: House = new_house(closed_port())
    home = codex_home(lab / "there", server)
    root = lab / NODE
    root.mkdir()
    program = wrapped(lab, f'CODEX_HOME={home} HOME={home} exec {codex} "$@"')
    (lab / "node.yaml").write_text(json.dumps({"codex": {"bin": program}}))
    service = NodeService(root, NODE, 2, config=lab / "node.yaml")
    yield NodeWithCodex(here.paths, service, home)
    service.close()


async def test_run_and_its_resumption_are_codex_on_the_node(
    node: NodeWithCodex, server: LoopbackServer, lab: Path
) -> None:
    source = lab / "source"
    source.mkdir()
    (source / "a.txt").write_text("one\n")
    outside = lab / "outside"
    first: list[Step] = [
        command(f"touch {outside}; pwd; cat a.txt").using(usage(1000, output=10)),
        patch(update_file("a.txt", "one", "two") + add_file("b.txt", "x")),
        message("Done."),
    ]
    prompt = server.script("first", first, [message("Again.").using(usage(70, output=7))])
    wish = WorkspaceSpec(WorkspaceKind.COPY, str(source))
    async with node.engine() as engine:
        run = await engine.start(task(prompt, codex_bin=None, workspace=wish, on=ANY_NODE))
        run = await ended(engine, run)
        assert run.status is Status.SUCCEEDED, run.error
        output = str([step.output for step in await happened(engine, run, Happened)])
        assert str(node.folder(run)) in output and "one" in output
        assert not outside.exists()
        assert (node.folder(run) / "a.txt").read_text() == "two\n"
        changed = [file.path for file in (await engine.workspaces.changes(run.id)).files]
        assert changed == ["a.txt", "b.txt"]
        assert node.threads() == [run.thread_id]
        counted = run.usage.input
        assert counted == 3000
        await engine.send(run.id, "Go on.")
        again = await until(engine, run, lambda now: now.attempt == 2 and bool(now.finished_at))
        assert again.status is Status.SUCCEEDED, again.error
    assert again.thread_id == run.thread_id
    assert node.threads() == [run.thread_id]
    assert again.usage.input == counted + 70
    assert not list(node.paths.home.glob("runs/*/attempt-*/*"))


async def test_interactive_run_is_asked_answered_and_resumed_on_the_node(
    node: NodeWithCodex, server: LoopbackServer, lab: Path
) -> None:
    wish = escalated(f"touch {lab}/written", "May I write there?")
    prompt = server.script("a", [wish, message("done").using(usage(500))], [message("Again.")])
    async with node.engine() as engine:
        run = await engine.start(task(prompt, codex_bin=None, interactive=True, on=ANY_NODE))
        run = await until(engine, run, lambda now: bool(now.unanswered))
        (request,) = run.unanswered
        assert not (lab / "written").exists()
        answer = RequestAnswer(1, request.request, request.digest, Decision.APPROVE)
        await engine.answer(run.id, answer)
        run = await ended(engine, run)
        assert run.status is Status.SUCCEEDED, run.error
        assert (lab / "written").exists()
        assert run.usage.input == 1500
        assert not list(node.service.root.glob("homes/*/runs/*/attempt-*/inbox*"))
        await engine.send(run.id, "Go on.")
        again = await until(engine, run, lambda now: now.attempt == 2 and bool(now.finished_at))
        assert again.status is Status.SUCCEEDED, again.error
    assert (again.thread_id, node.threads()) == (run.thread_id, [run.thread_id])

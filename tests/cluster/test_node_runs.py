"""Complete runs on nodes: events come once, whatever becomes of the calls, nodes and engines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_channel import FakeChannel
from support import LIMIT_S, becomes, quick, script, spec, texts, until

from engine.config.paths import Paths
from engine.domain.activity import activity
from engine.domain.events import Event, Notice
from engine.domain.hosts import HostChosen
from engine.domain.model import Run, RunSpec, Status, WorkspaceKind, WorkspaceSpec
from engine.domain.placement import node_hold
from engine.domain.usage import UsageQuery
from engine.engine import Engine
from engine.execution import node_notices, outcome
from engine.execution.cluster import cluster as clusters
from engine.execution.cluster.channel import LARGEST_BYTES
from engine.execution.cluster.cluster import Cluster
from engine.execution.cluster.messages import Envelope
from engine.execution.cluster.node.service import NodeService
from engine.system.decoding import msgpack_decoder

NUMBERED = [f"n {number}" for number in range(1, 41)]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[FakeChannel]:
    """A channel to the nodes `one` and `two`."""
    nodes: dict[str, NodeService] = {}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        nodes[name] = NodeService(tmp_path / name, name, 2)
    made = FakeChannel(nodes)
    yield made
    made.close_nodes()


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "BACKOFF_S", 0.1)
    monkeypatch.setattr(node_notices, "SILENT_S", 0.2)
    monkeypatch.setattr(clusters, "LOOK_S", 0.1)


@asynccontextmanager
async def supervised(paths: Paths, channel: FakeChannel) -> AsyncGenerator[Engine]:
    cluster = Cluster(paths, channel, patience_s=0.5)
    async with Engine.open(paths, quick(), supervise=True, cluster=cluster) as engine:
        yield engine
    await cluster.close()


def there(*lines: str, host: str = "any", **more: Any) -> RunSpec:
    """A run on a node."""
    return spec(*lines, **{"workspace": WorkspaceSpec(host=host), **more})


async def begun(engine: Engine, wanted: RunSpec, text: str) -> str:
    """Start a run, and wait until its agent has said something; return its id."""
    run = await engine.start(wanted)
    await has(engine, run.id, lambda events: text in texts(events))
    return run.id


async def has(engine: Engine, run: str, is_there: Callable[[list[Event]], bool]) -> None:
    """Wait until the stored events of a run are as wanted."""
    async with asyncio.timeout(LIMIT_S):
        while not is_there(await engine.events(run)):  # noqa: ASYNC110  the store is polled
            await asyncio.sleep(0.05)


async def over(engine: Engine, run: str, attempt: int = 1) -> Run:
    """Wait for the end of a run, at this attempt or a later one, and return it."""
    known = engine.view.runs
    await until(engine, lambda: known[run].attempt >= attempt and known[run].finished_at)
    return known[run]


def notices(events: list[Event]) -> list[str]:
    return [event.body.text for event in events if isinstance(event.body, Notice)]


async def test_a_run_on_a_node_is_as_one_here(
    paths: Paths, two: FakeChannel, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.txt").write_text("one\n")
    wish = WorkspaceSpec(WorkspaceKind.COPY, str(source), host="any")
    async with supervised(paths, two) as engine:
        run = await engine.start(
            there("say first", "write a.txt two", "say last", verify="cat a.txt", workspace=wish)
        )
        ended = await over(engine, run.id)
        assert ended.status is Status.SUCCEEDED, ended.error
        assert texts(await engine.events(run.id)) == ["first", "last"]
        assert ended.workspace and ended.workspace.host in ("one", "two")
        assert [file.path for file in (await engine.workspaces.changes(run.id)).files] == ["a.txt"]
        assert await engine.workspaces.message(run.id) == "a title\n\nlast"
        assert await engine.doctor.orphans() == []
        assert not engine.mirrored
        two.faults[ended.workspace.host].request_is_lost = True
        assert [file.path for file in (await engine.workspaces.changes(run.id)).files] == ["a.txt"]
        assert engine.mirrored == {run.id: ended.checkpoint}
    assert not list(paths.home.glob("runs/*/attempt-*/stdout.jsonl"))


@pytest.mark.parametrize("is_interactive", [False, True])
async def test_tokens_of_a_run_on_a_node_are_counted_over_resumes_and_retries(
    paths: Paths, two: FakeChannel, is_interactive: bool
) -> None:
    async with supervised(paths, two) as engine:
        run = await engine.start(there("say first", interactive=is_interactive))
        once = (await over(engine, run.id)).usage
        assert once.input and once.output and once.requests == 1
        await engine.resume(run.id, "sim: say second")
        twice = (await over(engine, run.id, 2)).usage
        assert once.input < twice.input < 3 * once.input and twice.requests == 2
        await engine.retry(run.id, fresh=True)
        thrice = (await over(engine, run.id, 3)).usage
        assert thrice.input == twice.input + once.input and thrice.requests == 3
        report = await engine.usage.report(UsageQuery(runs=frozenset({run.id})))
        assert report.total.usage.input == thrice.input


@pytest.mark.parametrize("lost", ["requests", "answers"])
async def test_a_cut_connection_loses_no_event_and_repeats_none(
    paths: Paths, two: FakeChannel, lost: str
) -> None:
    async with supervised(paths, two) as engine:
        run = await begun(engine, there("numbered 40 every=0.2", "say done"), "n 3")
        node = engine.view.runs[run].host
        faults = two.faults[node]
        faults.request_is_lost, faults.answer_is_lost = lost == "requests", lost == "answers"
        await has(engine, run, lambda events: any("does not" in it for it in notices(events)))
        two.heal(node)
        assert (await over(engine, run)).status is Status.SUCCEEDED
        found = await engine.events(run)
        assert texts(found) == [*NUMBERED, "done"]
        told = notices(found)
        assert sum("does not answer" in text for text in told) == 1
        assert sum("answers again" in text for text in told) == 1


async def test_run_that_begins_on_a_silent_node_shows_that_it_waits_for_it(
    paths: Paths, two: FakeChannel
) -> None:
    async with supervised(paths, two) as engine:
        await becomes(lambda: "one" in engine.cluster.places.free)
        run = (await engine.start(there("say done", host="one"))).id
        two.faults["one"].request_is_lost = True
        view = engine.view.runs
        await until(engine, lambda: view[run].away_since is not None)
        assert view[run].status is Status.PREPARING
        words = activity(view[run], time.time())
        assert words.startswith("waits for node one, silent for ")
        assert words.endswith(": goes on when it answers, or is lost")
        two.heal("one")
        assert (await over(engine, run)).status is Status.SUCCEEDED
        assert view[run].away_since is None


@pytest.mark.parametrize(("is_lost", "verb"), [(True, "is lost"), (False, "does not answer")])
async def test_message_to_a_run_of_an_absent_node_waits_for_it_and_says_so(
    paths: Paths, two: FakeChannel, *, is_lost: bool, verb: str
) -> None:
    async with supervised(paths, two) as engine:
        run = await begun(engine, there("say first", host="one"), "first")
        await over(engine, run)
        if is_lost:
            two.expire("one")
        else:
            two.faults["one"].request_is_lost = True
        await becomes(lambda: "one" not in engine.cluster.places.free)
        await engine.resume(run, script("say second"))
        told = [text for text in notices(await engine.events(run)) if "the message waits" in text]
        assert len(told) == 1
        assert told[0].startswith(f"the node one {verb}: ")
        view = engine.view
        await until(engine, lambda: engine.cluster.places.silent_since)
        hold = node_hold(view, view.runs[run], lambda: engine.cluster.places)
        assert "; starts when it answers" in activity(view.runs[run], time.time(), pause=hold)
        two.heal("one")
        assert (await over(engine, run, 2)).status is Status.SUCCEEDED
        assert texts(await engine.events(run)) == ["first", "second"]


class LosingChannel(FakeChannel):
    """A channel that loses the answer to the first message of each kind."""

    lost: set[str]

    async def call(
        self, node: str, message: bytes, limit_s: float, limit_bytes: int = LARGEST_BYTES
    ) -> bytes:
        """Return a node's answer to a message, or lose it if it is the first of its kind."""
        name = msgpack_decoder(Envelope)(message).name
        if name not in self.lost:
            self.lost.add(name)
            self.faults[node].lose_answers = 1
        return await super().call(node, message, limit_s, limit_bytes)


async def test_the_first_answer_to_every_message_may_be_lost(
    paths: Paths, service: NodeService
) -> None:
    channel = LosingChannel({"one": service})
    channel.lost = set()
    async with supervised(paths, channel) as engine:
        run = await engine.start(
            there("numbered 40", "write a.txt x", "say done", verify="echo checked")
        )
        ended = await over(engine, run.id)
        assert ended.status is Status.SUCCEEDED, ended.error
        assert ended.attempt == 1
        assert texts(await engine.events(run.id)) == [*NUMBERED, "done"]
    assert {"StartAgent", "ReadOutput", "StartCommands", "WriteInput"} <= channel.lost


async def test_a_restarted_node_and_a_restarted_engine_find_the_attempt(
    paths: Paths, two: FakeChannel
) -> None:
    wanted = there("numbered 40 every=0.05", "say done", host="one")
    async with supervised(paths, two) as engine:
        run = await begun(engine, wanted, "n 2")
        two.restart("one")
        await has(engine, run, lambda events: "n 8" in texts(events))
    two.restart("one")
    async with supervised(paths, two) as engine:
        ended = await over(engine, run)
        assert (ended.status, ended.attempt) == (Status.SUCCEEDED, 1)
        assert texts(await engine.events(run)) == [*NUMBERED, "done"]


async def test_a_run_of_a_lost_node_starts_over_on_another(paths: Paths, two: FakeChannel) -> None:
    async with supervised(paths, two) as engine:
        run = await begun(engine, there("say one", "hang", retries=1), "one")
        first = engine.view.runs[run].host
        two.expire(first)
        await has(engine, run, lambda events: texts(events) == ["one", "one"])
        again = engine.view.runs[run]
        assert (again.status, again.attempt) == (Status.RUNNING, 2)
        assert again.workspace and again.workspace.host == again.host != first
        told = notices(await engine.events(run))
        assert sum("was cut off, and ended its runs. Trying again" in text for text in told) == 1
        bodies = [event.body for event in await engine.events(run)]
        chosen = [body.host for body in bodies if isinstance(body, HostChosen)]
        assert (chosen[0], chosen[-1]) == (first, again.host)
        # It comes back with the attempt that it has not ended itself: that one is not followed.
        two.heal(first)
        await engine.cancel(run)
        await over(engine, run)
        assert texts(await engine.events(run)) == ["one", "one"]


async def test_a_run_of_a_lost_node_without_retries_fails_and_can_be_retried(
    paths: Paths, two: FakeChannel
) -> None:
    async with supervised(paths, two) as engine:
        run = await begun(engine, there("say one", "hang"), "one")
        first = engine.view.runs[run].host
        two.expire(first)
        error = (await over(engine, run)).error
        assert error and error.code == "NODE_LOST"
        await engine.retry(run)
        await has(engine, run, lambda events: texts(events) == ["one", "one"])
        assert engine.view.runs[run].host != first
        await engine.cancel(run)
        await over(engine, run)


async def test_a_cancelled_run_of_a_silent_node_ends_when_it_answers(
    paths: Paths, two: FakeChannel
) -> None:
    async with supervised(paths, two) as engine:
        run = await begun(engine, there("say ready", "hang"), "ready")
        node = engine.view.runs[run].host
        two.faults[node].request_is_lost = True
        await engine.cancel(run)
        await asyncio.sleep(1)
        assert engine.view.runs[run].status is Status.CANCELLING
        two.heal(node)
        assert (await over(engine, run)).status is Status.CANCELLED
        assert two.nodes[node].admission.runs() == []


async def test_a_cancelled_run_ends_with_its_lost_node(paths: Paths, two: FakeChannel) -> None:
    async with supervised(paths, two) as engine:
        run = await begun(engine, there("say ready", "hang"), "ready")
        node = engine.view.runs[run].host
        two.expire(node)
        await engine.cancel(run)
        assert (await over(engine, run)).status is Status.CANCELLED

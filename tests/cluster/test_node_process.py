"""Scheduler, nodes and their parents as real processes over TLS, killed in every order."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from cluster_processes import LIMIT_S, ROOT, Cluster, Command, a_cluster, ask
from loopback_cluster import certificates, until

from engine.cluster_processes import NodeOptions, NodeRunner
from engine.config.paths import Paths
from engine.config.settings import ClusterSettings
from engine.domain.errors import UserError
from engine.execution.cluster.channel import Channel
from engine.execution.cluster.connection import channel_of
from engine.execution.cluster.messages import (
    ReadOutput,
    ReadRequest,
    Ref,
    StartAgent,
    WriteInput,
)

REF = Ref("a1", 1, "agent")
COUNTING = "i=0; while [ $i -lt %d ]; do i=$((i+1)); echo $i; sleep 0.2; done"
pytestmark = pytest.mark.slow


async def start(channel: Channel, folder: Path, script: str) -> None:
    await ask(channel, "n1", WriteInput(ref=REF, input="prompt", content=b""))
    message = StartAgent(
        ref=REF,
        argv=("/bin/sh", "-c", script),
        env={},
        base={"PATH": os.environ["PATH"]},
        folder=str(folder),
        python="",
        program="",
    )
    assert (await ask(channel, "n1", message)).is_started


class Reader:
    """The output of the run, read to its end."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.offset = 0
        self.lines: list[bytes] = []
        self.is_fenced = False
        self.exit_code: int | None = None

    async def read(self) -> bool:
        """Read more; return whether that was the end."""
        request = ReadRequest(REF, self.offset, wants_lines=True, wants_end=True)
        (chunk,) = await ask(
            self.channel, "n1", ReadOutput(requests=(request,), limit_lines=1000, wait_s=0.5)
        )
        self.offset = chunk.offset
        self.lines.extend(chunk.lines)
        if chunk.end is None or chunk.lines:
            return False
        self.is_fenced, self.exit_code = chunk.end.is_fenced, chunk.end.exit_code
        return True

    async def reach(self, count: int) -> None:
        async with asyncio.timeout(LIMIT_S):
            while len(self.lines) < count:
                assert not await self.read(), self.lines

    async def finish(self) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not await self.read():
                pass


def processes_of(folder: Path) -> list[int]:
    """Return the processes that work in a folder."""
    found: list[int] = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


async def test_run_survives_kills_of_node_parent_and_scheduler_without_losing_a_line(
    tmp_path: Path,
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    async with a_cluster(tmp_path, await certificates(tmp_path / "c", "n1")) as cluster:
        scheduler = await cluster.scheduler()
        node = await cluster.node("n1", "60s")
        assert (await node.report("joined"))["slots"] == 4
        channel = cluster.channel()
        await start(channel, work, COUNTING % 1000)
        reader = Reader(channel)
        await reader.reach(3)

        node.child().kill()
        await node.report("restarted")
        await node.report("joined")
        await reader.reach(len(reader.lines) + 3)

        scheduler.process.kill()
        await node.report("unreachable")
        scheduler = await cluster.scheduler(cluster.port)
        await node.report("joined")
        await reader.reach(len(reader.lines) + 3)

        child = node.child()
        node.process.kill()
        await until(lambda: not child.is_running(), LIMIT_S)
        second = await cluster.node("n1", "60s")
        await second.report("joined")
        await reader.reach(len(reader.lines) + 3)
        assert reader.lines == [b"%d" % (n + 1) for n in range(len(reader.lines))]
        await stop(second, reader, work)
        (lease,) = await channel.leases()
        assert lease.has_expired
        await channel.close()


async def stop(node: Command, reader: Reader, work: Path) -> None:
    """Stop a node: the first signal lets the run go on, the second ends it."""
    node.send(signal.SIGTERM)
    assert (await node.report("draining"))["runs"] == 1
    await reader.reach(len(reader.lines) + 3)
    node.send(signal.SIGTERM)
    await node.report("ending")
    await node.report("left")
    assert await node.end() == (0, b"")
    assert processes_of(work) == []


async def test_run_ends_with_the_lease_when_everything_else_was_killed(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    async with a_cluster(tmp_path, await certificates(tmp_path / "c", "n1")) as cluster:
        scheduler = await cluster.scheduler()
        node = await cluster.node("n1", "5s")
        await node.report("joined")
        channel = cluster.channel()
        await start(channel, work, "echo ready; sleep 1000 & sleep 1000")
        await Reader(channel).reach(1)
        assert processes_of(work)
        child = node.child()
        node.process.kill()
        child.kill()
        scheduler.process.kill()
        await until(lambda: not processes_of(work), 60)
        await cluster.scheduler(cluster.port)
        again = await cluster.node("n1", "5s")
        await again.report("joined")
        reader = Reader(channel)
        await reader.finish()
        assert reader.is_fenced
        await channel.close()


async def test_second_node_of_one_name_is_refused(tmp_path: Path) -> None:
    async with a_cluster(tmp_path, await certificates(tmp_path / "c", "n1")) as cluster:
        await cluster.scheduler()
        await (await cluster.node("n1", "10s")).report("joined")
        same_folder = await cluster.node("n1", "2s")
        second = await cluster.node("n1", "2s", root="other")
        assert await second.end() == (3, b"")
        assert b"NODE_NAME_TAKEN" in second.output
        assert await same_folder.end() == (3, b"")
        assert b"NODE_RUNS_ALREADY" in same_folder.output


async def test_trial_prints_settings_that_work_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    async with a_cluster(tmp_path, await certificates(tmp_path / "unused")) as cluster:
        trial = await cluster.command(
            "cluster", "up", "--nodes", "2", "--slots", "1", "--port", "0"
        )
        settings = await trial.report("listening")
        await trial.report("joined")
        await trial.report("joined")
        assert {one["node"] for one in trial.reports if "node" in one} == {"n1", "n2"}
        shown = {key: settings[key] for key in ("scheduler", "ca", "certificate", "key")}
        channel = channel_of(ClusterSettings(**shown))
        assert {one.node for one in await channel.leases() if one.is_member} == {"n1", "n2"}
        await channel.close()
        children = psutil.Process(trial.pid).children(recursive=True)
        trial.send(signal.SIGINT)
        assert await trial.end() == (0, b"")
        # Those below a node are gone when the system has collected them, a moment later.
        _, left = await asyncio.to_thread(psutil.wait_procs, children, timeout=LIMIT_S)
        assert not left


@pytest.mark.parametrize("words", [["ls"], ["queue"], ["node", "--help"], ["cluster", "--help"]])
def test_commands_without_a_cluster_do_not_import_its_library(
    tmp_path: Path, words: list[str]
) -> None:
    program = (
        "import sys; from tui.cli.main import run; run(sys.argv[1:]); "
        "print(sorted({'distributed', 'dask', 'tornado', 'cryptography'} & set(sys.modules)))"
    )
    cluster = Cluster(tmp_path, None)  # pyright: ignore[reportArgumentType]  it has no files
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=ROOT,
        env=cluster.environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.stdout.endswith("[]\n"), done


@pytest.mark.parametrize("lease_s", [0.5, 90_000.0, float("inf")])
def test_lease_that_no_node_can_have_is_refused(tmp_path: Path, lease_s: float) -> None:
    places = Paths(tmp_path / "home", tmp_path / "config.yaml")
    with pytest.raises(UserError, match="cannot have a lease") as error:
        NodeRunner(places, NodeOptions("tcp://127.0.0.1:8786", lease_s=lease_s), print)
    assert error.value.code == "INPUT_INVALID"


def test_node_needs_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    places = Paths(tmp_path / "home", tmp_path / "config.yaml")
    with pytest.raises(UserError) as error:
        NodeRunner(places, NodeOptions("tcp://127.0.0.1:8786"), print)
    assert error.value.code == "NODE_NEEDS_LINUX"

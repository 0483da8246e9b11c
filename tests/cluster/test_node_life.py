"""A node through kills: its attempts, their end without a lease, and runs that are forgotten."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_channel import FakeChannel
from node_calls import REF, ask, drained, ready, start, starting
from support import becomes

from engine.domain.errors import UserError
from engine.execution.cluster.dask.node_runs import NodeRuns
from engine.execution.cluster.messages import (
    End,
    FindAttempt,
    ForgetRun,
    Hello,
    InspectNode,
    ListLiving,
    ListRuns,
    NodeRun,
    WriteInput,
)
from engine.execution.cluster.node import workspaces
from engine.execution.cluster.node.lease import now_s
from engine.execution.cluster.node.service import NodeService
from engine.execution.local import process_marks

ROOT = Path(__file__).parents[2]
NODE = """
import asyncio, sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from node_calls import ready, start
from engine.execution.cluster.node.lease import now_s
from engine.execution.cluster.node.service import NodeService
async def main():
    service = NodeService(Path(sys.argv[1]) / "node", "one", 2, 30)
    service.lease.renew(now_s())
    script = "trap '' TERM; echo ready; (setsid sleep 301 &); while :; do sleep 1; done"
    await start(service, Path(sys.argv[1]), script)
    await ready(service)
    print("ready", flush=True)
    await asyncio.sleep(300)
asyncio.run(main())
"""


@pytest.fixture
def killed(service: NodeService, tmp_path: Path) -> NodeService:
    """A node whose process was killed while an attempt was at work; only its files are left."""
    folders = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "cluster")]
    begun = subprocess.Popen(
        [sys.executable, "-c", NODE, str(tmp_path), *folders], stdout=subprocess.PIPE
    )
    assert begun.stdout
    assert begun.stdout.readline() == b"ready\n"
    begun.kill()
    begun.communicate()
    return service


def _alive(service: NodeService) -> list[int]:
    root = os.path.realpath(service.root)
    return [pid for mark, pids in process_marks.marks().items() if root in mark for pid in pids]


async def test_attempt_outlives_a_killed_node_and_is_found_again(killed: NodeService) -> None:
    assert await ask(killed, FindAttempt(ref=REF))
    assert await ready(killed) == [b"ready"]
    assert killed.admission.runs() == [NodeRun("h0me", REF.run)]


async def test_attempt_of_a_killed_node_ends_with_its_lease(killed: NodeService) -> None:
    killed.lease.end()  # as after its time: no process of the node is there to see it
    began = time.monotonic()
    await becomes(lambda: not _alive(killed))
    assert time.monotonic() - began < 10
    _, last = await drained(killed)
    assert last.end is not None
    assert last.end.is_fenced


async def test_what_guards_left_is_ended_before_the_next_lease(killed: NodeService) -> None:
    guards = [pid for pid in _alive(killed) if process_marks.process_name(pid) == "swarm-guard"]
    for pid in guards:  # stopped, they end nothing
        os.kill(pid, 19)
    killed.lease.end()
    await NodeRuns(killed).end()
    assert not _alive(killed)
    _, last = await drained(killed)
    assert last.end == End(None, is_fenced=True)


async def test_closed_node_ends_its_work_on_workspaces(service: NodeService) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    operations = workspaces.opened(await service.home("h1")).operations
    asking = asyncio.create_task(operations.result("token", work))
    await begun.wait()
    service.close()
    await asyncio.wait_for(ended.wait(), 10)
    assert await asking is None  # the sender asks again


async def test_forgotten_run_leaves_nothing(channel: FakeChannel, tmp_path: Path) -> None:
    await start(channel, tmp_path, "setsid sleep 300 & echo ready; sleep 300")
    await ready(channel)
    home = Path((await ask(channel, Hello())).home)
    assert await ask(channel, ListRuns()) == (REF.run,)
    secret = home / "runs" / REF.run / "attempt-1" / "prompt.md"
    assert secret.stat().st_mode & 0o077 == 0
    for _ in range(2):
        await ask(channel, ForgetRun(runs=(REF.run, "b1")))
    assert await ask(channel, ListLiving()) == ()
    assert await ask(channel, ListRuns()) == ()
    assert not [path for path in home.rglob("*") if path.is_file()]
    assert not channel.nodes["one"].admission.runs()


async def test_facts_of_a_node(
    channel: FakeChannel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "asked"
    codex = tmp_path / "codex"
    codex.write_text(f'#!/bin/sh\necho $1 >>{asked}\necho "codex-cli 0.171.0"\n')
    codex.chmod(0o755)
    monkeypatch.setenv("SWARM_CODEX", str(codex))
    await start(channel, tmp_path, "echo ready; sleep 300")
    facts = [await ask(channel, InspectNode()) for _ in range(3)][-1]
    assert (facts.name, facts.slots, facts.agent_version) == ("one", 2, "0.171.0")
    assert facts.runs == (NodeRun("h0me", REF.run),)
    assert min(facts.processors, facts.memory_bytes, facts.disk_bytes) > 0
    assert facts.login
    assert facts.accounts == ("default",)
    assert asked.read_text().count("--version") == 1


async def test_node_without_an_agent_says_so(
    channel: FakeChannel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SWARM_CODEX", str(tmp_path / "missing"))
    facts = await ask(channel, InspectNode())
    assert facts.agent_version == ""
    assert "not found" in facts.login
    await ask(channel, WriteInput(ref=REF, input="prompt", content=b""))
    with pytest.raises(UserError) as caught:
        await ask(channel, starting(tmp_path, "", program="/far/codex"))
    assert caught.value.code == "CODEX_CLI_MISSING"


async def test_lease_is_never_shortened_by_a_late_answer(service: NodeService) -> None:
    service.lease.renew(now_s())
    left_s = service.lease.left_s
    service.lease.renew(now_s() - 20)
    assert service.lease.left_s > left_s - 1
    service.lease.renew(now_s() - 100)
    assert service.lease.is_valid

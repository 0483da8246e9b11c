"""Attempts on a node: started once, read and ended, whatever happens to messages and to the node.

The processes are real; the network is one that can fail.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest
from fake_channel import FakeChannel
from node_calls import HOME, REF, SETUP, ask, drained, read, ready, start, starting
from support import LIMIT_S

from engine.domain.errors import UserError
from engine.execution.cluster.channel import ChannelError
from engine.execution.cluster.messages import (
    AllowStart,
    AppendRecords,
    End,
    EndLiving,
    FindAttempt,
    HasBegun,
    Hello,
    ListLiving,
    ListRecorded,
    ReadAttemptFile,
    ReadCommands,
    ReadRecorded,
    ReadRequest,
    Ref,
    RemoveInbox,
    StartCommands,
    Started,
    StopAttempt,
    SyncFiles,
    UsedCpu,
    WriteInput,
)
from engine.execution.cluster.node.service import NodeService

YES, NO, FULL = Started(True), Started(False), Started(False, is_full=True)


async def test_output_comes_whole_and_its_end_comes_last(
    service: NodeService, tmp_path: Path, channel: FakeChannel
) -> None:
    assert await start(channel, tmp_path, "cat; printf rest; exit 3", prompt=b"a\nb\n") == YES
    lines, last = await drained(channel)
    assert lines == [b"a", b"b"]
    assert (last.rest, last.end, last.offset) == (b"rest", End(3), len(b"a\nb\nrest"))


async def test_start_whose_answer_is_lost_is_not_carried_out_twice(
    channel: FakeChannel, tmp_path: Path
) -> None:
    await ask(channel, WriteInput(ref=REF, input="prompt", content=b""))
    message = starting(tmp_path, "echo started | tee -a log; sleep 300")
    channel.faults["one"].lose_answers = 1
    with pytest.raises(ChannelError):
        await ask(channel, message)
    channel.restart("one")
    assert [await ask(channel, message) for _ in range(3)] == [YES] * 3
    await ready(channel)
    assert await ask(channel, StopAttempt(ref=REF, grace_s=0)) is not None
    _, last = await drained(channel)
    assert last.end is not None
    assert await ask(channel, message) == YES  # it was started, and has ended
    assert (tmp_path / "log").read_text() == "started\n"


async def test_two_starts_at_a_time_start_one_process(channel: FakeChannel, tmp_path: Path) -> None:
    await ask(channel, WriteInput(ref=REF, input="prompt", content=b""))
    message = starting(tmp_path, "echo started >> log")
    assert await asyncio.gather(*(ask(channel, message) for _ in range(5))) == [YES] * 5
    await drained(channel)
    assert (tmp_path / "log").read_text() == "started\n"


async def test_attempt_goes_on_while_its_node_is_restarted(
    channel: FakeChannel, tmp_path: Path
) -> None:
    text = "echo one; while ! test -e go; do sleep 0.01; done; echo two"
    await start(channel, tmp_path, text)
    assert await ready(channel) == [b"one"]
    channel.restart("one")
    assert await ask(channel, FindAttempt(ref=REF))
    (tmp_path / "go").touch()
    lines, last = await drained(channel, offset=len(b"one\n"))
    assert (lines, last.end) == ([b"two"], End(0))


async def test_next_attempt_of_a_run_ends_what_is_alive_of_the_one_before(
    channel: FakeChannel, tmp_path: Path
) -> None:
    await start(channel, tmp_path, "echo ready; sleep 300")
    await start(channel, tmp_path, "echo ready; sleep 300", home="0ther")
    await ready(channel)
    second = Ref(REF.run, 2, "agent")
    await start(channel, tmp_path, "echo ready; sleep 300", second)
    await ready(channel, second)
    assert [one.attempt for one in await ask(channel, ListLiving())] == ["attempt-2"]
    # A run of another home that has the same id is another run.
    assert [one.attempt for one in await ask(channel, ListLiving(), "0ther")] == ["attempt-1"]


async def test_part_that_was_looked_for_in_vain_starts_only_after_that_is_allowed(
    channel: FakeChannel, tmp_path: Path
) -> None:
    await ask(channel, WriteInput(ref=REF, input="prompt", content=b""))
    assert not await ask(channel, FindAttempt(ref=REF))
    message = starting(tmp_path, "echo started | tee -a log; sleep 300")
    assert await ask(channel, message) == NO
    channel.restart("one")
    assert await ask(channel, message) == NO
    await ask(channel, AllowStart(ref=REF))
    assert await ask(channel, message) == YES
    await ask(channel, AllowStart(ref=REF))  # sent once more, and late
    assert await ask(channel, message) == YES
    assert await ask(channel, FindAttempt(ref=REF))
    await ready(channel)
    await ask(channel, StopAttempt(ref=REF, grace_s=0))
    assert (tmp_path / "log").read_text() == "started\n"


async def test_more_runs_than_slots_are_refused(channel: FakeChannel, tmp_path: Path) -> None:
    refs = [Ref(name, 1, "agent") for name in ("a", "b", "c")]
    homes = ("first", "first", "second")
    answers = [
        await start(channel, tmp_path, "echo ready; sleep 300", ref, home=home)
        for ref, home in zip(refs, homes, strict=True)
    ]
    assert answers == [YES, YES, FULL]
    channel.restart("one")
    assert (await ask(channel, Hello())).free_slots == 0
    assert await start(channel, tmp_path, "exit 0", refs[2], home="second") == FULL
    check = StartCommands(
        ref=Ref("a", 1, "verify"), commands=("exit 0",), folder=str(tmp_path), base={}
    )
    assert await ask(channel, check, "first") == YES
    await _ended(channel, check.ref, "first")
    await ask(channel, StopAttempt(ref=refs[0], grace_s=0), "first")
    assert await start(channel, tmp_path, "exit 0", refs[2], home="second") == YES


async def _ended(channel: FakeChannel, ref: Ref, home: str) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not (await ask(channel, ReadCommands(ref=ref), home)).end:  # noqa: ASYNC110  polled
            await asyncio.sleep(0.01)


async def test_run_whose_setup_is_at_work_has_a_slot(channel: FakeChannel, tmp_path: Path) -> None:
    for name in ("a", "b"):
        message = StartCommands(
            ref=Ref(name, 1, "set-up"), commands=("sleep 300",), folder=str(tmp_path), base={}
        )
        assert await ask(channel, message) == YES
    assert await start(channel, tmp_path, "exit 0", Ref("c", 1, "agent")) == FULL
    assert await start(channel, tmp_path, "exit 0", Ref("a", 1, "agent")) == YES


async def test_commands_stop_at_the_first_that_fails(channel: FakeChannel, tmp_path: Path) -> None:
    message = StartCommands(
        ref=SETUP,
        commands=("echo one", "echo two; exit 4", "echo 3"),
        folder=str(tmp_path),
        base={},
    )
    assert not await ask(channel, HasBegun(ref=SETUP))
    assert [await ask(channel, message) for _ in range(2)] == [YES, YES]
    assert await ask(channel, HasBegun(ref=SETUP))
    await drained(channel, SETUP)
    channel.restart("one")
    state = await ask(channel, ReadCommands(ref=SETUP))
    assert (state.end, state.place) == (End(4), 2)
    found = await ask(channel, ReadAttemptFile(ref=SETUP, file="output"))
    assert found.content is not None
    assert found.content.endswith(b"two\n")
    assert found.size_bytes == len(found.content)


async def test_stopped_attempt_leaves_nothing_alive(channel: FakeChannel, tmp_path: Path) -> None:
    await start(channel, tmp_path, "(trap : TERM; setsid sleep 300) & echo ready; sleep 300")
    await ready(channel)
    (living,) = await ask(channel, ListLiving())
    assert (living.run, living.attempt) == (REF.run, "attempt-1")
    survivors = await ask(channel, StopAttempt(ref=REF, grace_s=0.05))
    assert survivors.alive == {}
    assert (await drained(channel))[1].end is not None
    assert await ask(channel, ListLiving()) == ()


async def test_what_is_alive_is_ended_without_a_start_that_is_known(
    channel: FakeChannel, tmp_path: Path
) -> None:
    await start(channel, tmp_path, "echo ready; sleep 300")
    await ready(channel)
    channel.restart("one")
    (living,) = await ask(channel, ListLiving())
    await ask(channel, EndLiving(living=living, grace_s=0))
    assert await ask(channel, ListLiving()) == ()


async def test_reader_waits_for_output_and_is_woken_by_it(
    channel: FakeChannel, tmp_path: Path
) -> None:
    await start(channel, tmp_path, "while ! test -e go; do sleep 0.01; done; echo now; sleep 300")
    request = ReadRequest(REF, 0, True, False)
    (chunk,) = await read(channel, request)
    assert (chunk.lines, chunk.offset) == ((), 0)
    waiting = asyncio.create_task(read(channel, request, wait_s=30))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    began = time.monotonic()
    (tmp_path / "go").touch()
    (chunk,) = await waiting
    assert chunk.lines == (b"now",)
    assert time.monotonic() - began < 5


async def test_a_killed_shell_is_seen_by_a_waiting_reader(
    channel: FakeChannel, tmp_path: Path
) -> None:
    await start(channel, tmp_path, "echo ready; sleep 300")
    await ready(channel)
    offset = len(b"ready\n")
    waiting = asyncio.create_task(read(channel, ReadRequest(REF, offset, True, False), wait_s=30))
    await asyncio.sleep(0.1)
    (living,) = await ask(channel, ListLiving())
    for pid in living.pids:
        os.kill(pid, 9)
    (chunk,) = await waiting
    assert chunk.end == End(None)


async def test_answer_is_bounded(channel: FakeChannel, tmp_path: Path) -> None:
    refs = [Ref(name, 1, "agent") for name in ("a", "b")]
    text = f'{sys.executable} -c \'print(("x" * 999 + chr(10)) * 6000, end="")\''
    for ref in refs:
        await start(channel, tmp_path, text, ref)
        await drained(channel, ref)
    for _ in range(30):
        chunks = await read(channel, *(ReadRequest(ref, 0, True, False) for ref in refs))
        assert sum(len(line) for chunk in chunks for line in chunk.lines) < 5 * 1024**2
    (lines, _), (others, _) = [await drained(channel, ref) for ref in refs]
    assert (len(lines), len(others)) == (6000, 6000)


async def test_records_reach_the_agent_while_it_runs(channel: FakeChannel, tmp_path: Path) -> None:
    home = (await ask(channel, Hello())).home
    inbox = Path(home) / "runs" / REF.run / "attempt-1" / "inbox.jsonl"
    await ask(channel, WriteInput(ref=REF, input="prompt", content=b""))
    await ask(channel, AppendRecords(ref=REF, records=(b"one",), may_create=True))
    await start(channel, tmp_path, f"while ! grep two {inbox}; do sleep 0.01; done")
    await ask(channel, AppendRecords(ref=REF, records=(b"two",), may_create=False))
    lines, _ = await drained(channel)
    assert lines[-1] == b"two"
    await ask(channel, RemoveInbox(ref=REF))
    with pytest.raises(FileNotFoundError):
        await ask(channel, AppendRecords(ref=REF, records=(b"late",), may_create=False))


async def test_files_and_recorded_attempts(channel: FakeChannel, tmp_path: Path) -> None:
    missing = await ask(channel, ReadAttemptFile(ref=REF, file="stderr"))
    assert (missing.content, missing.size_bytes) == (None, 0)
    await start(channel, tmp_path, "printf '\\377 end' >&2; printf 'a\\nb\\nc'", prompt=b"do it")
    await drained(channel)
    end = await ask(channel, ReadAttemptFile(ref=REF, file="stderr", start=-3))
    assert (end.content, end.size_bytes) == (b"end", 5)
    (recorded,) = await ask(channel, ListRecorded(run=REF.run))
    assert (recorded.prompt, recorded.exit_code, recorded.is_alive) == (b"do it", 0, False)
    chunk = await ask(channel, ReadRecorded(ref=REF, offset=2))
    assert (chunk.lines, chunk.offset) == ((b"b",), 4)
    assert await ask(channel, SyncFiles(ref=REF))
    assert await ask(channel, UsedCpu(ref=REF)) == 0.0


async def test_agent_has_the_programs_and_the_environment_of_the_node(
    channel: FakeChannel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_NODE", "here")
    home = (await ask(channel, Hello())).home
    script = tmp_path / "agent.py"
    script.write_text(
        "import os, sys\nprint(sys.argv[1:])\n"
        "for name in ('OF_NODE', 'OF_RUN', 'PATH', 'HOME', 'TMPDIR'): print(os.environ[name])\n"
    )
    message = starting(
        tmp_path,
        "",
        argv=("/far/python", str(script), "/far/codex", "/far/lib/engine/agents/base.py"),
        python="/far/python",
        program="/far/codex",
        package="/far/lib",
        base={"OF_RUN": "there", "PATH": "/far/bin", "HOME": "/far/home", "XDG_X": "far"},
        folders=(f"{home}/runs/a1/codex",),
    )
    monkeypatch.setenv("SWARM_CODEX", "/bin/true")
    await ask(channel, WriteInput(ref=REF, input="prompt", content=b""))
    assert await ask(channel, message) == YES
    lines, _ = await drained(channel)
    own = Path(__file__).parents[2] / "engine" / "agents" / "base.py"
    assert lines == [
        f"['/bin/true', '{own}']".encode(),
        b"here",
        b"there",
        os.environ["PATH"].encode(),
        os.environ["HOME"].encode(),
        f"{home}/runs/a1/tmp".encode(),
    ]
    assert (Path(home) / "runs" / "a1" / "codex").stat().st_mode & 0o777 == 0o700


async def test_account_is_one_of_the_settings_of_the_node(
    channel: FakeChannel, tmp_path: Path
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "config.yaml").write_text(
        f"accounts:\n- {{name: work, codex_home: {tmp_path}/work}}\n"
    )
    await ask(channel, WriteInput(ref=REF, input="prompt", content=b""))
    message = starting(tmp_path, "echo $CODEX_HOME", account="work")
    assert await ask(channel, message) == YES
    assert (await drained(channel))[0] == [str(tmp_path / "work").encode()]
    other = Ref("b1", 1, "agent")
    await ask(channel, WriteInput(ref=other, input="prompt", content=b""))
    with pytest.raises(UserError, match="other") as caught:
        await ask(channel, starting(tmp_path, "", other, account="other"))
    assert caught.value.code == "ACCOUNT_UNKNOWN"


async def test_nothing_starts_without_a_lease(channel: FakeChannel, tmp_path: Path) -> None:
    channel.faults["one"].gets_leases = False
    channel.nodes["one"].lease.end()
    with pytest.raises(UserError) as caught:
        await start(channel, tmp_path, "exit 0")
    assert caught.value.code == "NODE_UNREACHABLE"
    channel.heal("one")
    assert await start(channel, tmp_path, "exit 0") == YES


async def test_homes_do_not_see_each_other(channel: FakeChannel, tmp_path: Path) -> None:
    await start(channel, tmp_path, "echo ready; sleep 300")
    assert await ask(channel, ListLiving(), "other") == ()
    assert not await ask(channel, FindAttempt(ref=REF), "other")
    assert await ask(channel, FindAttempt(ref=REF), HOME)

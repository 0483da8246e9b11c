"""Guards of attempts: with the lease ends every process, and nothing else is changed by a guard."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from fake_channel import FakeChannel
from node_calls import REF, SETUP, ask, drained, read, ready, start
from support import LIMIT_S, becomes

from engine.execution.cluster.messages import (
    AppendRecords,
    End,
    Hello,
    ListLiving,
    ReadRequest,
    StartCommands,
    StopAttempt,
)
from engine.execution.cluster.node import guard
from engine.execution.cluster.node.lease import Lease, now_s
from engine.execution.local import process_marks

GUARD = Path(guard.__file__)
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for how in ("session", "daemon", "naked"):
    if os.fork() == 0:
        os.setsid()
        if how == "daemon" and os.fork():
            os._exit(0)
        if how == "naked":
            loop = "trap : TERM; while :; do sleep 1; done"
            os.execve("/bin/sh", ["sh", "-c", loop, sys.argv[1]], {})
        break
os.write(1, (how + "\\n").encode())
time.sleep(300)
"""


class Guarded:
    """A command below a guard, without a node."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lease = Lease(folder, 30)
        self.lease.renew(now_s())
        self.mark = str(folder / "attempt")
        (folder / "attempt").mkdir()

    def begin(self, *argv: str, grace_s: float = 0.2, **more: object) -> subprocess.Popen[bytes]:
        words = [str(GUARD), str(self.lease.path), self.mark, str(grace_s), *argv]
        return subprocess.Popen(
            [sys.executable, "-I", "-S", *words],
            env={**os.environ, process_marks.MARK: self.mark},
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *argv: str, given: bytes = b"") -> tuple[int, bytes, bytes]:
        begun = self.begin(*argv)
        out, err = begun.communicate(given, LIMIT_S)
        return begun.returncode, out, err

    def pids(self) -> list[int]:
        return process_marks.marked(self.mark)

    @property
    def is_fenced(self) -> bool:
        return (self.folder / "attempt" / guard.FENCED).exists()


@pytest.fixture
def guarded(tmp_path: Path) -> Guarded:
    return Guarded(tmp_path)


@pytest.fixture(autouse=True)
def _no_naked_process(tmp_path: Path) -> Iterator[None]:
    yield
    for pid in _naked(str(tmp_path)):
        os.kill(pid, signal.SIGKILL)


# Nothing is changed


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -9 $$", -9), ("kill -15 $$", -15)],
)
def test_exit_status_and_signals_are_those_of_the_command(
    guarded: Guarded, script: str, code: int
) -> None:
    assert guarded.run("/bin/sh", "-c", script)[0] == code


def test_input_output_and_variables_are_those_of_the_command(guarded: Guarded) -> None:
    script = "cat; echo err >&2; env | grep -c SWARM_MARK"
    assert guarded.run("/bin/sh", "-c", script, given=b"in\n") == (0, b"in\n1\n", b"err\n")


def test_command_has_the_signals_of_a_new_process(guarded: Guarded) -> None:
    masks = "SigBlk|SigIgn"
    found = guarded.run("/bin/grep", "-E", masks, "/proc/self/status")[1]
    plain = subprocess.run(
        ["/bin/grep", "-E", masks, "/proc/self/status"], capture_output=True
    ).stdout
    assert found == plain


def test_command_that_cannot_be_started_ends_as_in_a_shell(guarded: Guarded) -> None:
    code, _, err = guarded.run("/nowhere/program")
    assert (code, err) == (127, b"/nowhere/program: No such file or directory\n")
    (guarded.folder / "text").write_text("")
    assert guarded.run(str(guarded.folder / "text"))[0] == 126
    script = guarded.folder / "script"
    script.write_text("echo $1\n")
    script.chmod(0o755)
    assert guarded.run(str(script), "word")[:2] == (0, b"word\n")


def test_signal_to_the_group_reaches_the_command_once(guarded: Guarded) -> None:
    script = "trap 'echo term' TERM; echo ready; for i in 1 2 3 4 5 6; do sleep 0.1; done; exit 7"
    begun = guarded.begin("/bin/sh", "-c", script)
    assert begun.stdout
    assert begun.stdout.readline() == b"ready\n"
    os.killpg(begun.pid, signal.SIGTERM)
    out, _ = begun.communicate(timeout=LIMIT_S)
    assert (begun.returncode, out) == (7, b"term\n")


def test_signal_before_the_command_is_there_is_not_lost(guarded: Guarded) -> None:
    for delay_s in (0.0, 0.01, 0.02, 0.03, 0.04, 0.06, 0.1):
        begun = guarded.begin("/bin/sleep", "300")
        time.sleep(delay_s)
        os.killpg(begun.pid, signal.SIGTERM)
        begun.communicate(timeout=10)
        assert begun.returncode == -signal.SIGTERM


# The end of the lease


async def test_lease_that_runs_out_ends_a_stubborn_family(guarded: Guarded) -> None:
    begun = guarded.begin(sys.executable, "-c", STUBBORN, guarded.mark)
    assert begun.stdout
    words = {await asyncio.to_thread(begun.stdout.readline) for _ in range(3)}
    assert words == {b"session\n", b"daemon\n", b"naked\n"}
    await becomes(lambda: _naked(guarded.mark))
    naked = _naked(guarded.mark)
    assert not process_marks.carries(naked[0], guarded.mark)
    guarded.lease.lasts_s = 1
    guarded.lease.end()
    guarded.lease.renew(now_s())
    began = time.monotonic()
    assert await asyncio.to_thread(begun.wait, LIMIT_S) == -signal.SIGKILL
    assert time.monotonic() - began < 8
    await becomes(lambda: not guarded.pids())
    assert not _naked(guarded.mark)
    assert guarded.is_fenced
    begun.communicate()


def _naked(word: str) -> list[int]:
    """Return the shells whose command line has a word."""
    return [
        pid
        for pid in psutil.pids()
        if (line := _command(pid)).startswith("sh -c trap : TERM") and word in line
    ]


def _command(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""


async def test_lease_that_is_renewed_keeps_the_command(guarded: Guarded) -> None:
    begun = guarded.begin("/bin/sleep", "300")
    await becomes(lambda: (guarded.folder / "attempt" / guard.MADE).exists())
    guarded.lease.lasts_s = 2
    for _ in range(40):
        await asyncio.sleep(0.1)
        guarded.lease.renew(now_s())
    assert begun.poll() is None
    assert not guarded.is_fenced
    os.killpg(begun.pid, signal.SIGTERM)
    begun.communicate()


@pytest.mark.parametrize("content", [None, b"", b"nonsense", b"\xff\x00", b"nan x\n"])
async def test_lease_that_cannot_be_read_lasts_as_long_as_before(
    guarded: Guarded, content: bytes | None
) -> None:
    begun = guarded.begin("/bin/sleep", "2.5")
    await becomes(lambda: (guarded.folder / "attempt" / guard.MADE).exists())
    guarded.lease.path.unlink()
    if content is not None:
        guarded.lease.path.write_bytes(content)
    assert await asyncio.to_thread(begun.wait, LIMIT_S) == 0
    assert not guarded.is_fenced
    begun.communicate()


async def test_command_is_not_started_without_a_lease(guarded: Guarded) -> None:
    guarded.lease.end()
    assert guarded.run("/usr/bin/touch", str(guarded.folder / "made"))[0] == guard.REFUSED
    assert guarded.is_fenced
    assert not (guarded.folder / "made").exists()


async def test_lease_is_noted_also_on_a_full_disk(guarded: Guarded) -> None:
    begun = guarded.begin("/bin/sleep", "300")
    await becomes(lambda: (guarded.folder / "attempt" / guard.MADE).exists())
    guarded.lease.end()
    await asyncio.to_thread(begun.wait, LIMIT_S)
    assert not (guarded.folder / "attempt" / guard.MADE).exists()  # renamed: that takes no room
    assert guarded.is_fenced
    begun.communicate()


# The end of the guard


async def test_everything_dies_with_the_guard(guarded: Guarded) -> None:
    begun = guarded.begin("/bin/sh", "-c", "setsid sleep 300 & echo ready; sleep 300; :")
    assert begun.stdout
    assert await asyncio.to_thread(begun.stdout.readline) == b"ready\n"
    begun.kill()
    await becomes(lambda: not guarded.pids())
    assert not guarded.is_fenced
    begun.communicate()


async def test_what_the_command_left_ends_with_the_lease(guarded: Guarded) -> None:
    begun = guarded.begin("/bin/sh", "-c", "setsid sleep 300 & exit 4")
    assert await asyncio.to_thread(begun.wait, LIMIT_S) == 4
    await asyncio.sleep(0.5)
    names = {psutil.Process(pid).name() for pid in guarded.pids()}
    assert names == {"sleep", process_marks.GUARD}
    guarded.lease.end()
    await becomes(lambda: not guarded.pids())
    assert not guarded.is_fenced  # the command itself had ended well
    begun.communicate()


async def test_no_process_watches_where_nothing_is_left(guarded: Guarded) -> None:
    assert guarded.run("/bin/true")[0] == 0
    began = time.monotonic()
    await becomes(lambda: not guarded.pids())
    assert time.monotonic() - began < 10  # the lease lasts longer


def test_guard_takes_little_memory(guarded: Guarded) -> None:
    begun = guarded.begin("/bin/sh", "-c", "echo ready; exec sleep 300")
    assert begun.stdout
    assert begun.stdout.readline() == b"ready\n"
    guards = [pid for pid in guarded.pids() if psutil.Process(pid).name() == process_marks.GUARD]
    assert len(guards) == 2
    own = sum(psutil.Process(pid).memory_full_info().uss for pid in guards)
    os.killpg(begun.pid, signal.SIGTERM)
    begun.communicate()
    assert own < 12 * 1024**2


# On a node


async def test_end_without_a_lease_is_told_from_others(
    channel: FakeChannel, tmp_path: Path
) -> None:
    await start(channel, tmp_path, "trap '' TERM; echo ready; while :; do sleep 1; done")
    await ready(channel)
    channel.restart("one")
    channel.nodes["one"].lease.end()
    channel.faults["one"].gets_leases = False
    _, last = await drained(channel)
    assert last.end is not None
    assert last.end.is_fenced
    await becomes(lambda: not channel.nodes["one"].admission.runs())
    channel.restart("one")
    (chunk,) = await read(channel, ReadRequest(REF, 0, True, True))
    assert chunk.end is not None
    assert chunk.end.is_fenced


async def test_setup_ends_with_the_lease_too(channel: FakeChannel, tmp_path: Path) -> None:
    message = StartCommands(
        ref=SETUP, commands=("echo ready; sleep 300",), folder=str(tmp_path), base={}
    )
    await ask(channel, message)
    await ready(channel, SETUP)
    channel.expire("one")
    channel.faults["one"].request_is_lost = False
    _, last = await drained(channel, SETUP)
    assert last.end is not None
    assert last.end.is_fenced


async def test_stop_and_exit_status_pass_through_a_guard(
    channel: FakeChannel, tmp_path: Path
) -> None:
    await start(channel, tmp_path, "trap 'echo bye; exit 9' TERM; echo ready; while :; do :; done")
    await ready(channel)
    began = time.monotonic()
    survivors = await ask(channel, StopAttempt(ref=REF, grace_s=20))
    assert time.monotonic() - began < 10
    assert survivors.alive == {}
    lines, last = await drained(channel)
    assert (lines, last.end) == ([b"ready", b"bye"], End(9))
    assert await ask(channel, ListLiving()) == ()


async def test_interactive_agent_gets_its_records(channel: FakeChannel, tmp_path: Path) -> None:
    home = (await ask(channel, Hello())).home
    inbox = f"{home}/runs/{REF.run}/attempt-1/inbox.jsonl"
    script = f"cat; mkfifo {inbox}.bell; head -c1 <{inbox}.bell; echo; grep two {inbox}"
    await start(channel, tmp_path, script, prompt=b"the prompt\n")
    await becomes(lambda: Path(f"{inbox}.bell").exists())
    reading = asyncio.create_task(drained(channel))
    while not reading.done():
        await ask(channel, AppendRecords(ref=REF, records=(b"two",), may_create=True))
        await asyncio.wait({reading}, timeout=0.05)
    lines, last = await reading
    assert (lines[0], lines[-1], last.end) == (b"the prompt", b"two", End(0))


def test_guard_is_known_by_its_name_and_mark() -> None:
    assert process_marks.GUARD.encode() == guard.NAME
    assert f"{process_marks.MARK}=".encode() == guard.MARK

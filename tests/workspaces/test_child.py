"""Programs that work for us: fed, read to their end, and killed with all that they started."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from engine.system.child import Child

WAIT_S = 30.0
MANY = b"0123456789abcdef" * 65536
HELD = """\
import os, sys, time
if os.fork() == 0:
    os.setsid()
    print(os.getpid(), flush=True)
time.sleep(600)
"""


@pytest.fixture(params=["handle", "thread"], autouse=True)
def end_is_seen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notice the end as Linux does, and as systems do that have no handles of processes."""
    if request.param == "thread":
        monkeypatch.delattr(os, "pidfd_open")


def started(*words: str, **options: Any) -> Child:
    known = {"cwd": Path("/"), "env": {}, "limit_bytes": 64 * 1024**2, "errors_bytes": 1000}
    return Child(words, **{**known, **options})


async def finished(child: Child) -> Child:
    async with asyncio.timeout(WAIT_S):
        await child.done
    await child.end()
    return child


async def test_more_than_a_pipe_holds_goes_in_and_comes_out() -> None:
    child = await finished(started("/bin/cat", stdin=MANY))
    assert (child.code, child.out.text(), child.errors.text()) == (0, MANY, b"")


async def test_exit_codes_and_signals_are_told_apart() -> None:
    assert (await finished(started("/bin/sh", "-c", "exit 7"))).code == 7
    assert (await finished(started("/bin/sh", "-c", "kill -9 $$"))).code == -signal.SIGKILL


async def test_a_program_that_reads_nothing_is_waited_for() -> None:
    child = await finished(started("/bin/sh", "-c", "exec 0<&-; echo done", stdin=MANY))
    assert (child.code, child.out.text()) == (0, b"done\n")


async def test_files_take_the_place_of_pipes_and_stay_open(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(MANY)
    with (tmp_path / "in").open("rb") as source, (tmp_path / "out").open("wb") as target:
        child = await finished(
            started("/bin/cat", stdin=source.fileno(), stdout=target.fileno(), limit_bytes=1)
        )
        target.write(b"!")
    assert (child.code, child.out.text(), child.out.is_over) == (0, b"", False)
    assert (tmp_path / "out").read_bytes() == MANY + b"!"


async def test_too_much_output_ends_it_and_too_many_complaints_are_dropped() -> None:
    child = await finished(started("/bin/sh", "-c", "yes", limit_bytes=100_000))
    assert child.code == -signal.SIGKILL
    assert child.out.is_over
    child = await finished(started("/bin/sh", "-c", "yes | head -c 9999999 >&2"))
    assert child.code == 0
    assert child.errors.is_over
    assert len(child.errors.text()) < 9999999


@pytest.mark.parametrize("program", ["while True: sys.stdout.write('x' * 65536)", HELD])
async def test_full_and_foreign_pipes_do_not_block_the_end(program: str) -> None:
    child = started(sys.executable, "-c", f"import sys\n{program}", limit_bytes=1 << 40)
    async with asyncio.timeout(WAIT_S):
        while True:
            if child.out.text():
                break
            await asyncio.sleep(0.01)
        await child.end()
    assert child.code == -signal.SIGKILL
    if program == HELD:
        os.kill(int(child.out.text()), signal.SIGKILL)


async def test_a_cancel_is_raised_once_the_program_is_gone() -> None:
    child = started("/bin/sleep", "600")
    ending = asyncio.create_task(child.end())
    await asyncio.sleep(0)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert child.code == -signal.SIGKILL


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
async def test_no_file_stays_open() -> None:
    await finished(started("/bin/cat", stdin=b"1"))
    before = set(os.listdir("/proc/self/fd"))
    for words in (("/bin/cat",), ("/bin/sh", "-c", "exit 1"), ("/bin/sleep", "600")):
        child = started(*words, stdin=MANY)
        if "600" not in words:
            await finished(child)
        await child.end()
    with pytest.raises(OSError, match="No such file"):
        started("/no/such/program", stdin=MANY)
    assert set(os.listdir("/proc/self/fd")) == before


# The next program takes note of its end, since nothing watches it.
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
@pytest.mark.parametrize("lacking", ["watches", "threads"])
async def test_a_program_that_cannot_be_watched_is_killed(
    lacking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_watch(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no watch is left")

    def no_thread(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(asyncio.get_running_loop(), "add_reader", no_watch)
    if lacking == "threads":
        monkeypatch.setattr(threading.Thread, "start", no_thread)
    read, write = os.pipe()
    try:
        with pytest.raises(OSError, match="no watch" if lacking == "watches" else "unavailable"):
            started("/bin/sleep", "600", stdin=MANY, stdout=write)
        os.close(write)
        monkeypatch.undo()
        async with asyncio.timeout(WAIT_S):
            assert await asyncio.to_thread(os.read, read, 1) == b""  # nobody holds the other end
    finally:
        os.close(read)
        gc.collect()  # else its warning may come in another test

"""Runs of the real Codex that are stopped, with all that they started."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import IO

import psutil
import pytest
from house import House, NewHouse, bodies, doing, ended, files, happened, task, until, wrapped
from loopback import (
    LoopbackServer,
    closed_port,
    codex_binary,
    command,
    hang,
    message,
)

from engine.domain.events import Notice, StatusChanged, Step
from engine.domain.model import Run, Sandbox, Status
from engine.domain.reasons import Cause
from engine.execution import follower
from engine.execution.local.process_marks import mark, marked

STOPPED = "cancelled by the user"


def _hold(pipe: Path) -> str:
    """Return a command that holds the pipe for as long as any part of it lives."""
    return f"echo x >made.txt; exec 9>{pipe}; echo up >&9; sleep 300 & sleep 300; echo never"


async def _up(pipe: Path) -> IO[str]:
    """Wait until a command holds the pipe; reading it ends when nobody holds it any more."""
    held = await asyncio.to_thread(pipe.open)
    assert await asyncio.to_thread(held.readline) == "up\n"
    return held


def _runs(run: Run) -> bool:
    return doing(run).startswith("running `")


def _left(house: House, run: Run) -> list[int]:
    """Return what is alive of a run: all of it carries its mark."""
    return marked(mark(house.attempt(run)))


@pytest.mark.parametrize("sandbox", [Sandbox.WORKSPACE_WRITE, Sandbox.DANGER_FULL_ACCESS])
@pytest.mark.parametrize("kill", [False, True], ids=["cancel", "kill"])
async def test_cancel_in_the_middle_of_a_command(
    sandbox: Sandbox, kill: bool, house: House, server: LoopbackServer, pipe: Path
) -> None:
    spec = task(server.script("hold", [command(_hold(pipe)), message("x")]), sandbox=sandbox)
    async with house.engine() as engine:
        run = await engine.start(spec)
        with await _up(pipe) as held:
            await until(engine, run, _runs)
            assert _left(house, run)
            await engine.cancel(run.id, kill=kill)
            run = await ended(engine, run)
            assert _left(house, run) == []
            assert await asyncio.to_thread(held.read) == ""  # nobody holds it: all are dead
        told = await bodies(engine, run)
    reason = "killed by the user" if kill else STOPPED
    code, cause = (137, Cause.KILL) if kill else (143, Cause.CANCEL)
    (closed,) = [body for body in told if isinstance(body, Step) and body.phase == "failed"]
    assert told[-3:] == [
        StatusChanged(Status.CANCELLING, Status.RUNNING, reason, cause=cause),
        closed,
        StatusChanged(Status.CANCELLED, Status.CANCELLING, reason, code, cause=cause),
    ]
    assert (run.status, run.exit_code, run.error) == (Status.CANCELLED, code, None)
    assert run.workspace
    assert files(Path(run.workspace.path)) == {"made.txt": "x\n"}


async def test_codex_that_ignores_sigterm_is_killed(
    house: House, server: LoopbackServer, lab: Path
) -> None:
    stubborn = wrapped(
        lab,
        f'[ "$1" = exec ] || exec {codex_binary()} "$@"',
        "trap '' TERM",
        f'{codex_binary()} "$@"',
        "while :; do sleep 1; done",
    )
    async with house.engine(grace_s=0.3) as engine:
        run = await engine.start(task("hello", codex_bin=stubborn))
        await until(engine, run, lambda now: now.usage.input > 0)
        await engine.cancel(run.id)
        run = await ended(engine, run)
    assert (run.status, run.exit_code) == (Status.CANCELLED, 137)
    assert _left(house, run) == []


async def test_npms_wrapper_that_is_killed_leaves_no_program_behind(
    house: House, server: LoopbackServer, lab: Path, pipe: Path
) -> None:
    pid_file = lab / "wrapper"
    wrapper = wrapped(
        lab,
        f'[ "$1" = exec ] || exec {codex_binary()} "$@"',
        f"echo $$ >{pid_file}",
        f'exec 3<&0; {codex_binary()} "$@" <&3 &',
        "wait",
    )
    spec = task(server.script("hold", [command(_hold(pipe)), message("x")]), codex_bin=wrapper)
    async with house.engine() as engine:
        run = await engine.start(spec)
        with await _up(pipe) as held:
            await until(engine, run, _runs)
            os.kill(int(pid_file.read_text()), signal.SIGKILL)
            run = await ended(engine, run)
            assert await asyncio.to_thread(held.read) == ""
        notices = [notice.text for notice in await happened(engine, run, Notice)]
    assert (run.status, run.exit_code) == (Status.FAILED, 137)
    assert _left(house, run) == []
    assert any("that the agent left behind: " in text and "codex (" in text for text in notices)


async def test_what_an_unsandboxed_turn_leaves_behind_is_ended(
    house: House, server: LoopbackServer, pipe: Path
) -> None:
    line = f"(exec 9>{pipe}; echo up >&9; exec setsid sleep 300 </dev/null >/dev/null 2>&1) &"
    spec = task(
        server.script("leave", [command(line), message("x")]), sandbox=Sandbox.DANGER_FULL_ACCESS
    )
    async with house.engine() as engine:
        run = await engine.start(spec)
        with await _up(pipe) as held:
            run = await ended(engine, run)
            assert await asyncio.to_thread(held.read) == ""
        notices = [notice.text for notice in await happened(engine, run, Notice)]
    assert run.status is Status.SUCCEEDED
    (notice,) = notices
    assert notice.startswith("ended 1 process that the agent left behind: ")


BACKGROUND = {
    "setsid": "setsid sleep {s} </dev/null >/dev/null 2>&1 &",
    "double fork": "(setsid sh -c 'sleep {s} & exit' </dev/null >/dev/null 2>&1 &)",
    # Seen before it has left parent and session: what nobody could see is nobody's.
    "env -i": "env -i setsid sleep {s} </dev/null >/dev/null 2>&1 & sleep 1.5",
}


@pytest.mark.parametrize("cancel", [False, True], ids=["ends", "cancelled"])
async def test_spared_daemons_outlive_a_run_and_others_are_listed(
    cancel: bool, house: House, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "CENSUS_S", 0.2)
    lines = [line.format(s=s) for s in (311, 312) for line in BACKGROUND.values()]
    steps = [command("\n".join(lines)), command("sleep 300") if cancel else message("x")]
    prompt = server.script("daemons", steps)
    spec = task(prompt, sandbox=Sandbox.DANGER_FULL_ACCESS)
    async with house.engine(spare=("sleep 312",), grace_s=0.5) as engine:
        run = await engine.start(spec)
        if cancel:
            await until(engine, run, lambda now: "sleep 300" in doing(now))
            await engine.cancel(run.id)
        run = await ended(engine, run)
        notices = [notice.text for notice in await happened(engine, run, Notice)]
        assert await engine.doctor.orphans() == []
    left = [psutil.Process(pid) for pid in psutil.pids() if _is_ours(pid, run, house)]
    try:
        assert [process.cmdline() for process in left] == [["sleep", "312"]] * len(left)
        assert len(left) >= 2
    finally:
        for process in left:
            process.kill()
    if not cancel:
        (notice,) = notices
        assert notice.startswith("ended 3 processes that the agent left behind: sleep (")


def _is_ours(pid: int, run: Run, house: House) -> bool:
    return pid in _left(house, run)


async def test_waiting_for_the_network_until_cancelled(new_house: NewHouse) -> None:
    house = new_house(at=closed_port())
    async with house.engine() as engine:
        run = await engine.start(task("hello"))
        now = await until(engine, run, lambda now: doing(now) == "waiting for network")
        assert (now.status, now.percent) == (Status.RUNNING, 30)
        await engine.cancel(run.id)
        run = await ended(engine, run)
    assert (run.status, run.exit_code, run.error) == (Status.CANCELLED, 143, None)
    assert _left(house, run) == []


async def test_cancel_while_the_model_says_nothing(house: House, server: LoopbackServer) -> None:
    async with house.engine() as engine:
        run = await engine.start(task(server.script("silent", [hang()])))
        await asyncio.to_thread(server.wait_for_requests, 1)
        await until(engine, run, lambda now: doing(now) == "thinking")
        await engine.cancel(run.id)
        run = await ended(engine, run)
    assert (run.status, run.exit_code) == (Status.CANCELLED, 143)


async def test_cancel_frees_the_slot(house: House, server: LoopbackServer) -> None:
    async with house.engine(slots=1) as engine:
        first = await engine.start(task(server.script("silent", [hang()])))
        second, third = [await engine.start(task("hello")) for _ in range(2)]
        await asyncio.to_thread(server.wait_for_requests, 1)
        assert [engine.position(run.id) for run in (first, second, third)] == [None, 1, 2]
        await engine.cancel(second.id)
        await engine.cancel(first.id)
        runs = [await ended(engine, run) for run in (first, second, third)]
    assert [run.status.value for run in runs] == ["cancelled", "cancelled", "succeeded"]
    assert (runs[1].workspace, runs[1].started_at) == (None, None)

"""Short commands: their output, and their end at the time limit."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from support import becomes, fake_codex

from engine.system import short_command

LONG = "exec sleep 30"


@pytest.fixture
def children(tmp_path: Path) -> Path:
    """Return the file to which the commands of this test write the ids of their children."""
    return tmp_path / "children"


def _pids(children: Path) -> list[int]:
    """Return the children that were started: on a slow machine none before the time limit."""
    return [int(pid) for pid in children.read_text("utf-8").split()] if children.exists() else []


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _wrapper(folder: Path, children: Path, start: str = "") -> str:
    """Return a program that waits for another, which holds its stdout, as npm's Codex does."""
    return fake_codex(folder, f"{start} sh -c 'echo $$ >{children}; {LONG}' & wait")


async def test_output_and_exit_code_are_returned(tmp_path: Path) -> None:
    long = "x" * 200_000
    program = fake_codex(tmp_path, f"printf %s {long}; exit 3")
    assert await short_command.output([program]) == (3, long)
    with pytest.raises(FileNotFoundError):
        await short_command.output([str(tmp_path / "missing")])


async def test_time_limit_ends_the_children_of_a_command(
    tmp_path: Path, children: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short_command, "TIMEOUT_S", 0.5)
    program = _wrapper(tmp_path, children)
    assert await short_command.output([program]) == (124, "")
    for pid in _pids(children):
        await becomes(lambda pid=pid: not _is_running(pid))


async def test_time_limit_does_not_wait_for_a_child_that_left_the_group(
    tmp_path: Path, children: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short_command, "TIMEOUT_S", 0.5)
    program = _wrapper(tmp_path, children, "setsid")
    assert await short_command.output([program]) == (124, "")
    for pid in _pids(children):
        assert _is_running(pid)
        os.kill(pid, signal.SIGKILL)


async def test_cancelled_command_ends_with_its_children(tmp_path: Path, children: Path) -> None:
    task = asyncio.create_task(short_command.output([_wrapper(tmp_path, children)]))
    await becomes(lambda: _pids(children))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for pid in _pids(children):
        await becomes(lambda pid=pid: not _is_running(pid))

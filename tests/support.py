"""What several folders of tests share: specs, scripts for the simulated agent, ways to wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from engine.config.paths import Paths
from engine.config.settings import Config, QueueSettings
from engine.domain.events import Event
from engine.domain.model import Agent, Run, RunSpec, Status, WorkspaceKind, WorkspaceSpec
from engine.engine import Engine

LIMIT_S = 60
"""How long anything may take that is awaited; far more than it needs."""

SERVER_ENDED = 70
"""The exit code of a bridge whose app-server has ended by itself."""

HOSTILE = (
    "[/red]",
    "[bold]x[/]",
    "\x1b[31mred\x1b[0m",
    "\x1b]52;c;aGVsbG8=\x07",
    "\x1b]0;title\x1b\\",
    "\x9b2J",
    "\x9d0;title\x9c",
    "\x90q\x9c",
    "\x1b",
    "\x1b[",
    "\x00\x07\x08\x7f",
    "\x80\x85\x9f",
    "line\r\nline\rline",
    "\u202egnp.exe\u2066\u2069",
    "\u200b\ufeff\u2028\u2029\U000e0041",
    "\udc80\ud800",
    "x" * 1_000_000,
)


def script(*lines: str) -> str:
    """A prompt that the simulated agent plays."""
    return "\n".join(f"sim: {line}" for line in lines)


class Mode(StrEnum):
    """The modes of an agent, in both of which a run has the same outcomes."""

    EXEC = "exec"
    INTERACTIVE = "interactive"

    @property
    def processes(self) -> int:
        """How many processes an attempt has: the shell, the bridge of one mode, the agent."""
        return 3 if self is Mode.INTERACTIVE else 2

    def exit_code(self, of_agent: int) -> int:
        """Return the exit code of an attempt whose agent ended with a code, and no turn."""
        return SERVER_ENDED if self is Mode.INTERACTIVE else of_agent


_modes = [Mode.EXEC]


@contextmanager
def mode_of_specs(mode: Mode) -> Iterator[None]:
    """Let `spec` make runs of this mode."""
    _modes.append(mode)
    yield
    _modes.pop()


def spec(*lines: str, **more: Any) -> RunSpec:
    """A run of the simulated agent that plays these directives."""
    said = {"title": "a title", "project": "a project", "agent": Agent.SIMULATED, **more}
    if said["agent"] is Agent.SIMULATED:
        said.setdefault("interactive", _modes[-1] is Mode.INTERACTIVE)
    return RunSpec(prompt=script(*(lines or ("say hello",))), **said)


def quick(**more: Any) -> Config:
    """Settings under which nothing waits for the sake of politeness."""
    return Config(**{"slots": 8, "queue": QueueSettings(stagger_s=0), **more})


@asynccontextmanager
async def supervising(paths: Paths, **more: Any) -> AsyncGenerator[Engine]:
    """An engine that runs what is queued."""
    async with Engine.open(paths, quick(**more), supervise=True) as engine:
        yield engine


async def until(engine: Engine, holds: Callable[[], object]) -> None:
    """Wait for what happens in the engine to make `holds` true."""
    batches = engine.batches(0)
    async with asyncio.timeout(LIMIT_S):
        while not holds():
            await anext(batches)


async def becomes(holds: Callable[[], object]) -> None:
    """Wait for what other processes and threads do; nobody tells us, so look again and again."""
    async with asyncio.timeout(LIMIT_S):
        while not holds():  # noqa: ASYNC110  nothing announces it
            await asyncio.sleep(0.01)


def fake_codex(folder: Path, text: str) -> str:
    """A shell script in the place of Codex."""
    path = folder / "codex"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def many_files(source: Path, count: int) -> WorkspaceSpec:
    """A source whose copy takes a while."""
    for number in range(count):
        (source / str(number)).mkdir(parents=True)
        (source / str(number) / "file").touch()
    return WorkspaceSpec(WorkspaceKind.COPY, str(source))


async def settled(engine: Engine) -> None:
    """Wait until nothing is queued or active."""
    async with asyncio.timeout(LIMIT_S):
        await engine.settle()


async def played(engine: Engine, *lines: str, **more: Any) -> Run:
    """Start a run, wait for its end and return it."""
    run = await engine.start(spec(*lines, **more))
    await until(engine, lambda: engine.view.runs[run.id].finished_at)
    return engine.view.runs[run.id]


def texts(events: Iterable[Event]) -> list[str]:
    """What the agent said, in order."""
    return [event.body.text for event in events if getattr(event.body, "role", "") == "assistant"]


def statuses(events: Iterable[Event]) -> list[Status]:
    """The statuses a run went through, in order."""
    return [event.body.status for event in events if event.body.type == "status"]


def of_type(events: Iterable[Event], kind: str) -> list[Any]:
    """The bodies of one type, in order."""
    return [event.body for event in events if event.body.type == kind]

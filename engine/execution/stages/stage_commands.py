"""The commands of one stage: one process that outlives its engine, as an attempt's does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from engine.domain.events import ArtifactSaved, Body, Notice
from engine.domain.text import one_line, printable
from engine.execution.executor import (
    AttemptFile,
    AttemptHandle,
    AttemptRef,
    CommandsState,
    Executor,
)
from engine.execution.output_tail import read_tail

POLL_S = 0.2
SHOWN_CHARACTERS = 60
SHOWN_LINES = 5
SAID_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class CommandsResult:
    """The end of the commands: `place` is the last one's, from 1; no exit code if it vanished."""

    exit_code: int | None
    place: int
    bodies: list[Body]
    """Events to report: the log, and processes that were still alive."""
    disk_full: bool = False
    is_late: bool = False
    """True if they were ended because they took too long."""
    output: str = ""
    """The end of what they wrote."""

    def said(self, lines: int = SHOWN_LINES, characters: int = SAID_CHARACTERS) -> str:
        """Return the last non-empty lines of the log, safe to show."""
        said = [line.strip() for line in printable(self.output).splitlines()]
        return "\n".join([line for line in said if line][-lines:])[-characters:]


class StageCommands:
    """Runs one stage's commands, found or started; `base` returns the environment of the run."""

    def __init__(
        self,
        name: str,
        executor: Executor,
        ref: AttemptRef,
        grace_s: float,
        base: Callable[[], Awaitable[Mapping[str, str]]],
    ) -> None:
        self._name = name
        self._base = base
        self._executor = executor
        self._ref = ref
        self._grace_s = grace_s
        self._process: AttemptHandle | None = None

    async def has_begun(self) -> bool:
        """Return whether this attempt has begun with it, under this engine or another."""
        return await self._executor.has_begun(self._ref)

    async def run(
        self,
        commands: Sequence[str],
        workspace: str,
        limit_s: float,
        stop: Callable[[], bool],
        at: Callable[[int], Awaitable[None]],
    ) -> CommandsResult | None:
        """Run the commands to their end; None where `stop` came first.

        Then their processes are still alive: `end` ends them. `at` gets each place, from 1.
        """
        running = self._process = self._process or await self._find_or_start(commands, workspace)
        state, told = await self._executor.commands_state(running), 0
        began = time.monotonic() - state.running_s
        while state.end is None and not stop():
            if state.place not in (0, told):
                told = state.place
                await at(state.place)
            if time.monotonic() - began > limit_s:
                await running.stop(self._grace_s)
                return await self._result(state, is_late=True)
            await asyncio.sleep(POLL_S)
            state = await self._executor.commands_state(running)
        return await self._ended(running, state) if state.end else None

    async def _ended(self, ended: AttemptHandle, state: CommandsState) -> CommandsResult:
        left = await ended.kill_remaining()
        await ended.sync_files()  # before their end is reported
        return await self._result(state, left=len(left))

    async def _result(
        self, state: CommandsState, left: int = 0, *, is_late: bool = False
    ) -> CommandsResult:
        return CommandsResult(
            state.end.exit_code if state.end else None,
            state.place,
            await self._bodies(left),
            disk_full=bool(state.end and state.end.disk_full),
            is_late=is_late,
            output=await read_tail(self._executor, self._ref, AttemptFile.OUTPUT),
        )

    async def end(self, grace_s: float, hurry: Callable[[], bool]) -> None:
        """End its processes, if there are any: at once when there is `hurry`."""
        found = self._process
        if found is None and await self.has_begun():
            found = await self._executor.find(self._ref)
        if found is None:
            return
        stopping = asyncio.create_task(found.stop(grace_s))
        try:
            while not (stopping.done() or hurry()):
                await asyncio.wait({stopping}, timeout=POLL_S)
        finally:
            stopping.cancel()
        await found.stop(0)

    def release(self) -> None:
        """Release its process, alive: the next engine finds it."""
        if self._process:
            self._process.release()

    async def _find_or_start(self, commands: Sequence[str], workspace: str) -> AttemptHandle:
        executor, ref = self._executor, self._ref
        if await self.has_begun():
            found = await executor.find(ref)
            end = (await executor.commands_state(found)).end if found else None
            if found and (end is None or end.exit_code is not None):
                return found
            if found:  # it vanished with its engine, in a power cut for instance
                await found.kill_remaining()
            await executor.allow_start(ref)
        base = await self._base()
        return await executor.start_commands(ref, commands, workspace, base)

    async def _bodies(self, left: int) -> list[Body]:
        bodies: list[Body] = []
        if left:
            plural = "" if left == 1 else "es"
            said = f"ended {left} process{plural} the {self._name} left behind"
            bodies.append(Notice("warning", said))
        if log := await self._executor.file_size(self._ref, AttemptFile.OUTPUT):
            bodies.append(ArtifactSaved(log.name, log.size_bytes))
        return bodies


def shown(commands: Sequence[str], place: int) -> str:
    """Return the command at this place, from 1, as one line to show; empty where there is none."""
    known = 1 <= place <= len(commands)
    return one_line(commands[place - 1], SHOWN_CHARACTERS) if known else ""

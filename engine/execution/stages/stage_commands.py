"""The commands of one stage: one process that outlives its engine, as an attempt's does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.config.paths import StageFolder, private_folder
from engine.domain.events import ArtifactSaved, Body, Notice
from engine.domain.text import one_line, printable
from engine.execution.local import process
from engine.execution.local.process import AttemptProcess, ProcessEnd
from engine.execution.outcome import tail
from engine.execution.stages.agent import unclaim
from engine.system.clock import boot_id
from engine.system.files import read_regular

POLL_S = 0.2
SHOWN_CHARACTERS = 60
SHOWN_LINES = 5
SAID_CHARACTERS = 1000

# $1 is the file for the number of the running command, the others are the commands.
_SCRIPT = """
step=$1 n=0; shift
for command in "$@"; do
    n=$((n + 1)); echo $n >"$step"
    printf '$ %s\\n' "$command"
    /bin/sh -c "$command" || exit $?
done
"""


@dataclass(frozen=True, slots=True)
class CommandsResult:
    """The end of the commands: `place` is the last one's, from 1; no exit code if it vanished."""

    exit_code: int | None
    place: int
    bodies: list[Body]
    """Events to report: the log, and processes that were still alive."""
    disk_full: bool = False
    is_late: bool = False
    """Whether they were ended because they took too long."""


class StageCommands:
    """Runs one stage's commands, found or started; `base` returns the environment of the run."""

    def __init__(
        self, name: str, folder: StageFolder, grace_s: float, base: Callable[[], Mapping[str, str]]
    ) -> None:
        self._name = name
        self._base = base
        self._folder = folder
        self._grace_s = grace_s
        self._process: AttemptProcess | None = None

    @property
    def begun(self) -> bool:
        """Return whether this attempt has begun with it, under this engine or another."""
        return self._folder.path.is_dir()

    async def run(
        self,
        commands: Sequence[str],
        workspace: Path,
        limit_s: float,
        stop: Callable[[], bool],
        at: Callable[[int], Awaitable[None]],
    ) -> CommandsResult | None:
        """Run the commands to their end; None where `stop` came first.

        Then their processes are still alive: `end` ends them. `at` gets each place, from 1.
        """
        self._process = self._process or await self._find_or_start(commands, workspace)
        running, told = self._process, 0
        began_s = await asyncio.to_thread(self._began_s)
        while (ending := await asyncio.to_thread(running.ending)) is None and not stop():
            if (place := self._place()) not in (0, told):
                told = place
                await at(place)
            if time.monotonic() - began_s > limit_s:
                await running.stop(self._grace_s)
                return CommandsResult(None, self._place(), self._bodies(0), is_late=True)
            await asyncio.sleep(POLL_S)
        return await self._done(running, ending) if ending else None

    async def _done(self, ended: AttemptProcess, ending: ProcessEnd) -> CommandsResult:
        left = await ended.sweep()
        await asyncio.to_thread(self._folder.sync)  # before their end is reported
        bodies = self._bodies(len(left))
        return CommandsResult(ending.exit_code, self._place(), bodies, disk_full=ending.disk_full)

    async def end(self, grace_s: float, hurry: Callable[[], bool]) -> None:
        """End its processes, if there are any: at once when there is `hurry`."""
        found = self._process or (await process.find(self._folder) if self.begun else None)
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

    def said(self, lines: int = SHOWN_LINES, characters: int = SAID_CHARACTERS) -> str:
        """Return the last non-empty lines of the log, safe to show."""
        said = [line.strip() for line in printable(tail(self._folder.stdout)).splitlines()]
        return "\n".join([line for line in said if line][-lines:])[-characters:]

    async def _find_or_start(self, commands: Sequence[str], workspace: Path) -> AttemptProcess:
        if self.begun:
            found = await process.find(self._folder)
            ending = found.ending() if found else None
            if found and (ending is None or ending.exit_code is not None):
                return found
            if found:  # it vanished with its engine, in a power cut for instance
                await found.sweep()
            await unclaim(self._folder)
        self._folder.step.unlink(missing_ok=True)
        script = ["/bin/sh", "-c", _SCRIPT, self._name, str(self._folder.step), *commands]
        await asyncio.to_thread(self._note_begin)
        base = await asyncio.to_thread(self._base)
        return await process.start(self._folder, script, {}, workspace, base)

    def _note_begin(self) -> None:
        private_folder(self._folder.path)
        self._folder.began.unlink(missing_ok=True)
        self._folder.began.write_text(f"{boot_id()}\n{time.monotonic()}\n")

    def _began_s(self) -> float:
        """Return when they were started, in seconds awake; where that is unknown: now."""
        now = time.monotonic()
        try:
            boot, awake = read_regular(self._folder.began).decode("utf-8", "replace").splitlines()
            # A process of an earlier start of the machine is no longer there to be limited.
            return min(float(awake), now) if boot == boot_id() else now
        except (OSError, ValueError):
            return now

    def _bodies(self, left: int) -> list[Body]:
        bodies: list[Body] = []
        if left:
            plural = "" if left == 1 else "es"
            said = f"ended {left} process{plural} the {self._name} left behind"
            bodies.append(Notice("warning", said))
        log = self._folder.stdout
        if log.is_file() and (size_bytes := log.stat().st_size):
            run_folder = self._folder.path.parent.parent
            bodies.append(ArtifactSaved(str(log.relative_to(run_folder)), size_bytes))
        return bodies

    def _place(self) -> int:
        try:
            text = read_regular(self._folder.step).decode("ascii", "replace").strip()
        except FileNotFoundError:
            return 0
        return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def shown(commands: Sequence[str], place: int) -> str:
    """Return the command at this place, from 1, as one line to show; empty where there is none."""
    known = 1 <= place <= len(commands)
    return one_line(commands[place - 1], SHOWN_CHARACTERS) if known else ""

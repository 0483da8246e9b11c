"""A workspace's set-up commands: one process that outlives its engine, as an attempt does."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from engine.domain.activity import clock
from engine.domain.errors import user_error
from engine.domain.events import ArtifactSaved, Body, Notice, Progressed
from engine.domain.model import Preparation, Run, Stage, Workspace
from engine.domain.text import one_line, printable, printable_name
from engine.paths import AttemptFolder, SetupFolder
from engine.runs import process
from engine.runs.ending import tail
from engine.runs.launch import unclaim
from engine.runs.process import Ending, Process
from engine.workspace.below import Below

POLL_S = 0.2
SHOWN_CHARACTERS = 60
SHOWN_LINES = 5
SAID_CHARACTERS = 1000

# $1 is where to say which command runs, the others are the commands.
_SCRIPT = """
step=$1 n=0; shift
for command in "$@"; do
    n=$((n + 1)); echo $n >"$step"
    printf '$ %s\\n' "$command"
    /bin/sh -c "$command" || exit $?
done
"""

Say = Callable[[Sequence[Body]], Awaitable[None]]


class SettingUp:
    """Runs the set-up commands of one attempt: those that are at it already, or anew."""

    def __init__(self, folder: AttemptFolder, grace_s: float, say: Say) -> None:
        self._attempt = folder.path
        self._folder: SetupFolder = folder.setup
        self._grace_s = grace_s
        self._say = say
        self._process: Process | None = None

    @property
    def begun(self) -> bool:
        """Whether this attempt has begun with it, under this engine or another."""
        return self._folder.path.is_dir()

    async def run(self, run: Run, workspace: Workspace, stop: Callable[[], bool]) -> bool:
        """Run the commands to their end; False where `stop` said so first.

        Then their processes are still alive: `end` ends them. Raises `UserError`.
        """
        wanted, details = run.spec.preparation, {**asdict(workspace), "is_set_up": False}
        await asyncio.to_thread(check_trusted, Path(workspace.path), wanted.trusted)
        if run.is_set_up or run.workspace != workspace:
            doing = _doing(wanted, 1)
            await self._say([Progressed(Stage.WORKSPACE_PREP, doing, 0, details)])
        else:
            doing = run.doing
        self._process = self._process or await self._find_or_start(wanted, Path(workspace.path))
        ending = await self._ended(self._process, wanted, doing, stop)
        if ending is None:
            return False
        left = await self._process.sweep()
        await self._say(self._bodies(left))
        self._judge(ending, wanted)
        return True

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
        """Let go of its process, alive: the next engine finds it."""
        if self._process:
            self._process.release()

    async def _find_or_start(self, wanted: Preparation, workspace: Path) -> Process:
        if self.begun:
            found = await process.find(self._folder)
            ending = found.ending() if found else None
            if found and (ending is None or ending.exit_code is not None):
                return found
            if found:  # it vanished with its engine, in a power cut for instance
                await found.sweep()
            await unclaim(self._folder)
        self._folder.step.unlink(missing_ok=True)
        script = ["/bin/sh", "-c", _SCRIPT, "set-up", str(self._folder.step), *wanted.setup]
        return await process.start(self._folder, script, {}, workspace)

    async def _ended(
        self, running: Process, wanted: Preparation, said: str, stop: Callable[[], bool]
    ) -> Ending | None:
        limit_s = wanted.setup_limit_s
        while (ending := await asyncio.to_thread(running.ending)) is None and not stop():
            doing = _doing(wanted, self._step())
            if doing not in ("", said):
                said = doing
                await self._say([Progressed(Stage.WORKSPACE_PREP, doing, 0)])
            if time.time() - self._started_at() > limit_s:
                await running.stop(self._grace_s)
                await self._say(self._bodies(0))
                raise user_error(
                    "SETUP_FAILED",
                    f"The set-up took longer than its limit of {clock(limit_s)}{self._said()}",
                    "Raise workspace.setup_limit in the settings and start a new run, or mend what "
                    "hangs, see `swarm-tui logs --setup`, and retry.",
                )
            await asyncio.sleep(POLL_S)
        return ending

    def _judge(self, ending: Ending, wanted: Preparation) -> None:
        """Raise `UserError` unless the commands ended well."""
        if ending.exit_code == 0:
            return
        if ending.disk_full:
            raise user_error("DISK_FULL")
        how = "vanished" if ending.exit_code is None else f"failed with exit {ending.exit_code}"
        command = _command(wanted, self._step())
        what = f"`{command}`" if command else "The set-up"
        raise user_error("SETUP_FAILED", f"{what} {how}{self._said()}")

    def _bodies(self, left: int) -> list[Body]:
        """Tell what there is when it has ended: its log, and what was still alive."""
        bodies: list[Body] = []
        if left:
            plural = "" if left == 1 else "es"
            bodies.append(Notice("warning", f"ended {left} process{plural} the set-up left behind"))
        log = self._folder.stdout
        if log.is_file() and (size_bytes := log.stat().st_size):
            bodies.append(ArtifactSaved(str(log.relative_to(self._attempt.parent)), size_bytes))
        return bodies

    def _step(self) -> int:
        try:
            text = self._folder.step.read_text("ascii", "replace").strip()
        except FileNotFoundError:
            return 0
        return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0

    def _said(self) -> str:
        lines = [line.strip() for line in printable(tail(self._folder.stdout)).splitlines()]
        said = "\n".join([line for line in lines if line][-SHOWN_LINES:])
        return f":\n{said[-SAID_CHARACTERS:]}" if said else "."

    def _started_at(self) -> float:
        try:
            return self._folder.pid.stat().st_mtime
        except FileNotFoundError:
            return time.time()


def _doing(wanted: Preparation, place: int) -> str:
    command, count = _command(wanted, place), len(wanted.setup)
    which = f" ({place} of {count})" if count > 1 else ""
    return command and f"set-up{which}: {command}"


def _command(wanted: Preparation, place: int) -> str:
    """Give the command that is at this place, from 1, as one line to show."""
    known = 1 <= place <= len(wanted.setup)
    return one_line(wanted.setup[place - 1], SHOWN_CHARACTERS) if known else ""


def check_trusted(workspace: Path, trusted: dict[str, str]) -> None:
    """Check that the scripts its commands name are what the user has trusted; `UserError` if not.

    What is in the workspace counts: it need not be what was in the source.
    """
    with Below(workspace) as below:
        for name, digest in trusted.items():
            if digest_of(below, os.fsencode(name)) != digest:
                shown = printable_name(name)
                raise user_error(
                    "SETUP_NOT_TRUSTED",
                    f"{shown} is in the workspace not what you have trusted in the source.",
                    "If it is not committed yet, commit it; then start a new run.",
                )


def digest_of(below: Below, path: bytes) -> str | None:
    """Give the SHA-256 of a regular file, or None where there is none that can be read."""
    try:
        with os.fdopen(below.open(path), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None

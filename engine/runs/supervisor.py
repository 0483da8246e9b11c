"""One run carried from where it stands to its end: prepare, run, done.

Each step begins with what the database and the disk say, so that it does not matter which engine
did the steps before it: a run that another engine left is carried on the same way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.codex.command import command
from engine.codex.translate import Cursor, cursor_text
from engine.config import Config
from engine.domain.activity import elapsed_s
from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.events import ArtifactSaved, Body, ErrorRaised, Notice, Progressed, StatusChanged
from engine.domain.lifecycle import ACTIVE
from engine.domain.model import Run, Stage, Status
from engine.domain.stamp import NotAllowed
from engine.paths import AttemptFolder, Paths, private_folder
from engine.runs import outcome, process
from engine.runs.follower import Follower, Following
from engine.runs.process import Ending, Process
from engine.runs.watcher import Watcher
from engine.store.store import Committed, Entry, Store
from engine.workspace.create import create

KILL = "killed by the user"
LATE_START_S = 0.5


@dataclass(frozen=True, slots=True)
class Tools:
    """What every supervisor works with; `commit` stores entries and tells everybody."""

    paths: Paths
    config: Config
    store: Store
    commit: Callable[[Sequence[Entry]], Awaitable[Committed]]
    follower: Follower
    watcher: Watcher


class Supervisor:
    """Carries one run; `poke` it when the run changed from outside."""

    def __init__(self, run: Run, tools: Tools) -> None:
        self._run = run
        self._tools = tools
        self._poked = asyncio.Event()
        self._prepared = False
        self._closing = False
        self._process: Process | None = None
        self._following: Following | None = None

    def poke(self, run: Run) -> None:
        """Tell that the run is now as given."""
        if run.seq < self._run.seq:
            return
        changed = (run.status, run.reason) != (self._run.status, self._run.reason)
        self._run = run
        if changed:
            self._poked.set()

    async def carry(self) -> None:
        """Carry the run until it has ended; raises only what is a fault in this program."""
        steps = {
            Status.PREPARING: self._prepare,
            Status.RUNNING: self._work,
            Status.VERIFYING: self._work,
            Status.CANCELLING: self._stop,
        }
        try:
            while self._run.status in ACTIVE:
                self._poked.clear()
                try:
                    await steps[self._run.status]()
                except UserError as error:
                    if error.code == "DATABASE_LOCKED":
                        raise  # says nothing about the run: it is carried on in a moment
                    await self._fail(error)
                except OSError as error:
                    await self._fail(os_failure(error))
        finally:
            self._closing = True
            self._tools.follower.forget(self._run.id)
            self._tools.watcher.forget(self._run.id)
            if self._process:
                self._process.release()

    # The steps

    async def _prepare(self) -> None:
        run = self._run
        await self._say(Progressed(Stage.WORKSPACE_PREP, "preparing the workspace", 0))
        workspace = run.workspace
        if workspace is None or not Path(workspace.path).is_dir():
            target = self._tools.paths.workspace(run.spec.project, run.id)
            stop = self._stop_asked
            try:
                workspace = await asyncio.to_thread(
                    create, run.spec.workspace, target, self._tools.paths.home, stop
                )
            except InterruptedError:
                return
        await asyncio.to_thread(self._write_prompt)
        # Settled before anything starts: who takes over finds the attempt's place from the start.
        ready = Progressed(Stage.WORKSPACE_CLONED, "workspace ready", 20, asdict(workspace))
        cursor = cursor_text(Cursor(usage_before=run.usage))
        self._prepared = True
        await self._append([ready, StatusChanged(Status.RUNNING)], cursor)

    async def _work(self) -> None:
        ending = await self._ended_or_poked(await self._follow())
        if ending is not None:
            await self._finish(ending)

    async def _stop(self) -> None:
        following = await self._follow(start=False)
        if following is None:
            await self._say(StatusChanged(Status.CANCELLED, reason=self._run.reason))
            return
        grace_s = 0.0 if self._run.reason == KILL else self._tools.config.grace_s
        stopping = asyncio.create_task(following.process.stop(grace_s))
        try:
            # A second, harder request cuts the grace time short.
            ending = await self._ended_or_poked(following)
            if ending is None:
                return
            await stopping
        finally:
            stopping.cancel()
        await self._say(
            StatusChanged(Status.CANCELLED, reason=self._run.reason, exit_code=ending.exit_code)
        )

    async def _finish(self, ending: Ending) -> None:
        following = self._following
        assert following is not None
        left = await following.process.sweep()
        folder = following.process.folder
        error = outcome.failure(ending, following.cursor, folder.stderr)
        bodies: list[Body] = []
        if left:
            plural = "" if left == 1 else "es"
            bodies.append(Notice("warning", f"ended {left} process{plural} that Codex left behind"))
        path = folder.last_message
        if path.is_file() and (size_bytes := path.stat().st_size):
            name = str(path.relative_to(self._tools.paths.run(self._run.id)))
            bodies.append(ArtifactSaved(name, size_bytes))
        bodies += outcome.bodies(error, ending.exit_code, elapsed_s(self._run, time.time()))
        await self._say(*bodies)

    async def _fail(self, error: UserError) -> None:
        if self._run.status is Status.CANCELLING:
            await self._say(StatusChanged(Status.CANCELLED, reason=self._run.reason))
            return
        await self._say(ErrorRaised(error.info), StatusChanged(Status.FAILED, reason=error.code))

    # What they are made of

    async def _follow(self, *, start: bool = True) -> Following | None:
        """Follow the attempt's process: the one we have, the one we find, or a new one."""
        if self._following:
            return self._following
        run, folder = self._run, self._folder
        found = None if self._prepared else await process.find(folder)
        if found is None:
            if not start:
                return None
            found = await self._start(folder)
        self._process = found
        stored = await self._tools.store.cursor(run.id, run.attempt)
        root = run.workspace.path if run.workspace else ""
        if root:
            self._tools.watcher.watch(run.id, root)
        self._following = self._tools.follower.follow(run.id, found, stored, root)
        return self._following

    async def _start(self, folder: AttemptFolder) -> Process:
        run = self._run
        if run.workspace is None or not Path(run.workspace.path).is_dir():
            raise user_error("WORKSPACE_MISSING")
        what = command(run.spec, self._tools.config, self._tools.paths, run.id, folder, None)
        for name in ("CODEX_SQLITE_HOME", "CODEX_HOME"):
            if name in what.env:
                private_folder(Path(what.env[name]))
        if not self._prepared:
            # `find` claimed the attempt: a start that another engine had begun has given up by now.
            await asyncio.sleep(LATE_START_S)
            folder.pid.unlink(missing_ok=True)
        try:
            return await process.start(folder, what.argv, what.env, Path(run.workspace.path))
        except OSError as error:
            raise user_error("CODEX_CLI_MISSING", f"Codex could not be started: {error}") from error

    async def _ended_or_poked(self, following: Following | None) -> Ending | None:
        assert following is not None
        poked = asyncio.create_task(self._poked.wait())
        try:
            await asyncio.wait({following.done, poked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            poked.cancel()
        self._poked.clear()
        return following.done.result() if following.done.done() else None

    @property
    def _folder(self) -> AttemptFolder:
        return self._tools.paths.attempt(self._run.id, self._run.attempt)

    def _write_prompt(self) -> None:
        folder = self._folder
        private_folder(folder.path)
        folder.prompt.touch(mode=0o600)
        folder.prompt.write_text(self._run.spec.prompt, "utf-8", "surrogateescape")

    def _stop_asked(self) -> bool:
        return self._closing or self._run.status is Status.CANCELLING

    async def _say(self, *bodies: Body) -> None:
        await self._append(bodies)

    async def _append(self, bodies: Sequence[Body], cursor: str | None = None) -> None:
        try:
            done = await self._tools.commit([Entry(self._run.id, bodies, cursor=cursor)])
        except NotAllowed:
            # Somebody was quicker, with a cancel for instance: go on from what is stored.
            (run,) = await self._tools.store.runs(ids=[self._run.id])
        else:
            run = done.runs[self._run.id]
        # While we waited, a poke may have told of a later change.
        if run.seq >= self._run.seq:
            self._run = run

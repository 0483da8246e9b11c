"""Files that are kept with a run before it is queued: its environment.

They are never part of the database, of events or of `run.json`. A file that many runs of a batch
have alike is written once and linked.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from engine.config import run_environment
from engine.config.paths import Paths, private_folder
from engine.domain.errors import UserError, os_failure
from engine.domain.model import LOCAL, RunSpec
from engine.execution.attachments import IMAGE_BYTES
from engine.store.appending import Committed
from engine.store.reading import StoreReader
from engine.store.store import Keep
from engine.system.durable import sync_path, write_synced
from engine.system.files import read_regular
from engine.system.stopping import Stop, stoppable

_NO_LINKS = frozenset({errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


class RequestedFiles:
    """Files that the runs of one request need, each kept in its own folder."""

    def __init__(self, paths: Paths, environment: Mapping[str, str]) -> None:
        self._paths = paths
        self._environment = environment
        self._written: dict[bytes, Path] = {}
        self._kept: dict[str, Path] = {}

    def keep(self, run: str, spec: RunSpec) -> RunSpec:
        """Write the files of a run, and return its spec as it is stored. Raises `UserError`."""
        path = self._paths.environment(run)
        self._kept[run] = path
        try:
            private_folder(self._paths.home / "runs")
            path.parent.mkdir(mode=0o700, exist_ok=True)
            self._write(path, run_environment.encoded({**self._environment, **spec.env}))
            if spec.workspace.host != LOCAL:
                self._write(self._paths.variables(run), run_environment.encoded(spec.env))
            images = tuple(self._copied(run, *each) for each in enumerate(spec.images, start=1))
        except OSError as error:
            raise os_failure(error) from error
        return replace(spec, env={}, images=images)

    def _copied(self, run: str, place: int, image: str) -> str:
        copy = self._paths.image(run, place, Path(image).suffix)
        self._write(copy, read_regular(Path(image), IMAGE_BYTES))
        return str(copy)

    async def queue(
        self, create: Callable[[Keep], Awaitable[Committed]], store: StoreReader
    ) -> Committed:
        """Queue runs with `create`; nothing is left of those that do not come to be.

        Where its task is cancelled, no run is queued and CancelledError is raised; or it was too
        late for that, then the task continues.
        """
        try:
            done = await stoppable(lambda stop: self._create(create, stop))
        except (UserError, asyncio.CancelledError):
            known = {run.id for run in await store.runs(ids=list(self._kept))}
            await asyncio.to_thread(self._drop, known)
            raise
        # Once for all: each folder itself was synced with the run's record.
        await asyncio.to_thread(sync_path, self._paths.home / "runs")
        return done

    async def _create(
        self, create: Callable[[Keep], Awaitable[Committed]], stop: Stop
    ) -> Committed:
        def keep(run: str, spec: RunSpec) -> RunSpec:
            stop.check()
            return self.keep(run, spec)

        stop.begin()
        return await create(keep)

    def _drop(self, known: Collection[str]) -> None:
        for run, path in self._kept.items():
            if run not in known:
                for kept in (path, self._paths.variables(run), *path.parent.glob("image-*")):
                    kept.unlink(missing_ok=True)
                with suppress(OSError):  # it holds something else
                    path.parent.rmdir()

    def _write(self, path: Path, content: bytes) -> None:
        if (first := self._written.get(content)) is not None:
            try:
                os.link(first, path)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
            else:
                return
        write_synced(path, content)
        self._written[content] = path

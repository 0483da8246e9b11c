"""A commit of a user's repository as a pack for a node, without what the node has already."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from engine.domain.errors import UserError, user_error
from engine.domain.text import printable_name
from engine.execution.cluster.long_work import ended
from engine.execution.cluster.uploads import PatientCalls, Uploads
from engine.execution.cluster.workspace_messages import AskSource, FillSource
from engine.system.files import read_regular
from engine.workspaces.create.missing_parts import objects_lacking
from engine.workspaces.git.repository import Repository

LIMIT_S = 3600.0
SMALL_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class SourcePack:
    """The commit `commit` of a repository, to be sent; `scratch` is a folder for its pack."""

    repository: Repository
    commit: str
    scratch: Path

    @property
    def key(self) -> str:
        """The name of the repository on a node."""
        return sha256(os.fsencode(self.repository.common_dir)).hexdigest()[:32]

    async def send(self, calls: PatientCalls, uploads: Uploads) -> None:
        """Bring the commit to the node, unless it is there; raises `UserError`."""
        wanted = AskSource(
            source=self.key, object_format=self.repository.object_format, commit=self.commit
        )
        state = await calls.call(wanted)
        if state.is_there:
            return
        known = await self._known(state.commits)
        if await self._sent(known, calls, uploads):
            return
        # What the node has of the older commits is not whole, as that of a shallow source.
        if not known or not await self._sent((), calls, uploads):
            raise user_error("NODE_FAILED", "The node did not get all of the source's commit.")

    async def _known(self, commits: Sequence[str]) -> list[str]:
        """Return those of a node's commits that the repository has, too."""
        if not commits:
            return []
        lines = "".join(f"{one}\n" for one in commits).encode()
        out = await self.repository.git.run("cat-file", "--batch-check", stdin=lines)
        words = (line.split() for line in out.decode("ascii", "replace").splitlines())
        return [line[0] for line in words if line[1:2] == ["commit"]]

    async def _sent(self, known: Sequence[str], calls: PatientCalls, uploads: Uploads) -> bool:
        pack = self.scratch / f"{uuid4().hex}.pack"
        await self._write(pack, known)
        message = FillSource(
            token=uuid4().hex,
            source=self.key,
            object_format=self.repository.object_format,
            commit=self.commit,
            upload=await uploads.send(pack),
            shallow=await asyncio.to_thread(self._shallow),
            exclude=await asyncio.to_thread(self._info, "exclude"),
            attributes=await asyncio.to_thread(self._info, "attributes"),
        )
        await asyncio.to_thread(pack.unlink)
        filled = await ended(calls.node, lambda: calls.call(message), lambda answer: answer.is_done)
        return filled.is_whole

    async def _write(self, pack: Path, known: Sequence[str]) -> None:
        lines = "".join(f"{one}\n" for one in (self.commit, *(f"^{one}" for one in known)))
        how = ("pack-objects", "--revs", "--stdout", "--thin", "--delta-base-offset", "-q")
        try:
            with pack.open("xb") as file:
                await self.repository.git.run(
                    *how, stdin=lines.encode(), stdout=file.fileno(), limit_s=LIMIT_S
                )
        except UserError as error:
            if await asyncio.to_thread(self._is_partial):
                name = printable_name(str(self.repository.top or self.repository.git_dir))
                raise user_error(
                    "NODE_CANNOT",
                    f"{name} is a partial clone that lacks objects of the commit's history.",
                    "Fetch them with `git fetch --refetch --no-filter`, use --copy, or start the "
                    "run with `--on local`.",
                ) from error
            raise

    def _is_partial(self) -> bool:
        return objects_lacking(self.repository.common_dir)[1]

    def _shallow(self) -> tuple[str, ...]:
        path = self.repository.common_dir / "shallow"
        return tuple(path.read_text("ascii").split()) if path.is_file() else ()

    def _info(self, name: str) -> bytes:
        try:
            return read_regular(self.repository.common_dir / "info" / name, SMALL_BYTES)
        except OSError:
            return b""

"""Workspaces of a node made: by the same code as on any machine, then filled with what was sent."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.config.locks import lock_for, locked, to_the_end
from engine.config.paths import Paths, private_folder
from engine.domain.errors import user_error
from engine.domain.hosts import local_path
from engine.domain.model import Workspace, WorkspaceKind, WorkspaceSetup, WorkspaceSpec
from engine.execution.cluster.archive import Extraction, remove
from engine.execution.cluster.node.notes import Note, Notes
from engine.execution.cluster.node.sources import Sources
from engine.execution.cluster.node.transfers import Transfers
from engine.execution.cluster.object_ids import check_ids
from engine.execution.cluster.workspace_messages import MadeWorkspace, MakeWorkspace
from engine.execution.host_workspaces import WorkspaceRequest
from engine.execution.local.workspaces import LocalWorkspaces
from engine.workspaces.create import working_folder
from engine.workspaces.create.create import BRANCH
from engine.workspaces.create.worktree import clear

SHOWN = 5


@dataclass(frozen=True, slots=True)
class WorkspaceMaker:
    """Maker of the workspaces of one home."""

    paths: Paths
    workspaces: LocalWorkspaces
    notes: Notes
    sources: Sources
    transfers: Transfers

    async def make(self, wanted: MakeWorkspace, stop: Callable[[], bool]) -> MadeWorkspace:
        """Make a workspace and note it; that of the same token is only returned."""
        noted = await asyncio.to_thread(self.notes.read, wanted.project, wanted.name)
        if noted and noted.token == wanted.token:  # the answer was lost
            return MadeWorkspace(noted.path, noted.branch, noted.notices)
        await asyncio.to_thread(self.notes.remove, wanted.project, wanted.name)
        try:
            note = await self._made(wanted, stop)
        except InterruptedError:
            await self.discard(wanted.project, wanted.name)
            raise user_error("NODE_CANNOT", "The workspace was not wanted any more.") from None
        except BaseException:
            await asyncio.shield(self.discard(wanted.project, wanted.name))
            raise
        await asyncio.to_thread(self.notes.write, wanted.project, wanted.name, note)
        uploads = (wanted.copy, wanted.changed, wanted.listed)
        await asyncio.to_thread(self.transfers.drop, [one for one in uploads if one])
        return MadeWorkspace(note.path, note.branch, note.notices)

    def is_at(self, project: str, name: str, path: str) -> bool:
        """Return whether the workspace of a name lies at this path."""
        return str(self.paths.workspace(project, name)) == path

    async def discard(self, project: str, name: str) -> None:
        """Remove a workspace and what else is left of it."""
        path = self.paths.workspace(project, name)
        noted = await asyncio.to_thread(self.notes.read, project, name)
        await asyncio.to_thread(self.notes.remove, project, name)
        sources = [noted.source] if noted and noted.source else await self._registered(path)
        spec = WorkspaceSpec(WorkspaceKind.COPY)
        if sources:
            spec = WorkspaceSpec(WorkspaceKind.WORKTREE, sources[0])
        await self.workspaces.discard(WorkspaceRequest(name, project, spec, WorkspaceSetup()), None)

    async def _registered(self, path: Path) -> list[str | None]:
        """Return the repository that has a worktree at `path` registered, where there is one."""

        def look() -> list[str | None]:
            found = self.sources.folder.glob(f"*.git/worktrees/{path.name}/gitdir")
            return [str(one.parents[2]) for one in found]

        return await asyncio.to_thread(look)

    async def _made(self, wanted: MakeWorkspace, stop: Callable[[], bool]) -> Note:
        kind = _kind(wanted.kind)
        if kind is WorkspaceKind.COPY and wanted.copy:
            path = await self._copied(wanted, stop)
            workspace, notices = Workspace(str(path), kind), list[str]()
        else:
            workspace, notices = await self._by_request(wanted, kind, stop)
        notices += await asyncio.to_thread(self._filled, local_path(workspace), wanted, stop)
        cwd = os.fsdecode(wanted.cwd)
        if not await asyncio.to_thread(working_folder.is_inside, local_path(workspace), cwd):
            raise working_folder.missing(cwd, "the workspace")
        return Note(
            str(local_path(workspace)),
            kind.value,
            workspace.source,
            workspace.branch,
            wanted.cwd,
            wanted.origin,
            wanted.token,
            tuple(notices),
        )

    async def _by_request(
        self, wanted: MakeWorkspace, kind: WorkspaceKind, stop: Callable[[], bool]
    ) -> tuple[Workspace, list[str]]:
        spec = WorkspaceSpec(kind, cwd="")
        if kind is WorkspaceKind.WORKTREE:
            check_ids([wanted.commit], wanted.object_format)
            source = self.sources.path(wanted.source, wanted.object_format)
            spec = WorkspaceSpec(kind, str(source), base_commit=wanted.commit, cwd="")
        elif kind is WorkspaceKind.FROM_RUN:
            earlier = await asyncio.to_thread(self.notes.of_path, wanted.earlier)
            spec = WorkspaceSpec(kind, earlier.path, cwd="")
        setup = WorkspaceSetup(branch=wanted.branch or BRANCH)
        request = WorkspaceRequest(wanted.name, wanted.project, spec, setup)
        made = await self.workspaces.prepare(request, stop)
        if made is None:
            raise InterruptedError
        return made.workspace, list(made.notices)

    async def _copied(self, wanted: MakeWorkspace, stop: Callable[[], bool]) -> Path:
        target = self.paths.workspace(wanted.project, wanted.name)

        def extract() -> None:
            clear(target)
            private_folder(target.parent)
            target.mkdir(mode=0o700)
            _extract(Extraction(target, is_copy=True), self.transfers.path(wanted.copy), stop)

        async with locked(lock_for(self.paths.home, target)):
            await to_the_end(asyncio.to_thread(extract))
        return target

    def _filled(self, root: Path, wanted: MakeWorkspace, stop: Callable[[], bool]) -> list[str]:
        """Put files in place that are in no commit; return notices of those that failed."""
        remove(root, wanted.gone)
        lost: list[str] = []
        for upload, replaces in ((wanted.changed, True), (wanted.listed, False)):
            if upload:
                work = Extraction(root, replaces=replaces)
                lost += _extract(work, self.transfers.path(upload), stop)
        more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
        return [f"could not be brought along: {', '.join(lost[:SHOWN])}{more}"] if lost else []


def _extract(work: Extraction, archive: Path, stop: Callable[[], bool]) -> list[str]:
    try:
        file = archive.open("rb")
    except FileNotFoundError as error:
        raise user_error("NODE_FAILED", "Files for the workspace are gone.") from error
    with file:
        work.run(file, stop)
    return work.lost


def _kind(name: str) -> WorkspaceKind:
    """Return the kind of a workspace; raises `UserError` for one that no node can make."""
    with suppress(ValueError):
        kind = WorkspaceKind(name)
        if kind is not WorkspaceKind.IN_PLACE:
            return kind
    raise user_error("NODE_CANNOT", "A run on a node cannot work in a folder of this machine.")

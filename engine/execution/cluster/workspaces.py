"""The workspaces of a node, from the engine's side: each call of the port is a message."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

from engine.config.paths import Paths, private_folder
from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.model import ForkOrigin, Workspace, WorkspaceKind, WorkspaceSpec
from engine.execution.cluster import node_checkpoints
from engine.execution.cluster.calls import READ_PATIENCE_S, NodeCalls
from engine.execution.cluster.forgotten_runs import WORKSPACES, ForgottenRuns
from engine.execution.cluster.long_work import ended
from engine.execution.cluster.messages import Answer, ForgetRun, Message
from engine.execution.cluster.mirror import StoreLink, is_away
from engine.execution.cluster.node_files import NodeFiles
from engine.execution.cluster.node_watcher import NodeWatcher
from engine.execution.cluster.source_packs import SourcePack
from engine.execution.cluster.staging import Staged, UploadStaging, is_copied, origin_of
from engine.execution.cluster.uploads import PatientCalls, Uploads
from engine.execution.cluster.workspace_messages import (
    DiscardWorkspace,
    FindWorkspace,
    MadeWorkspace,
    MakeWorkspace,
    MeasureWorkspaces,
    ProgramFiles,
    RemoveWorkspace,
    StopMaking,
    WorkingFolder,
    WorkspaceExists,
)
from engine.execution.host_workspaces import Commit, WorkspaceRequest
from engine.workspaces.checkpoints.checkpoint_refs import has_baseline
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create import working_folder
from engine.workspaces.create.worktree import CreatedWorkspace
from engine.workspaces.files import removal
from engine.workspaces.git.repository import must_find

UNDO_S = 5.0
"""Longest silence of a node that is asked to remove what is not needed."""
IN_PLACE = "A run on a node cannot work in a folder of this machine."


class NodeWorkspaces:
    """The workspaces of a home on the node `node`."""

    def __init__(self, paths: Paths, node: str, calls: NodeCalls) -> None:
        self._paths = paths
        self._node = node
        self._calls = calls
        self._forgotten = ForgottenRuns(paths)
        self._removed = ForgottenRuns(paths, WORKSPACES)

    # Make and discard

    async def prepare(
        self, request: WorkspaceRequest, stop: Callable[[], bool]
    ) -> CreatedWorkspace | None:
        """Send what the workspace is made from, and have the node make it."""
        if request.spec.kind is WorkspaceKind.IN_PLACE:
            raise user_error("NODE_CANNOT", IN_PLACE, "Use a worktree or a copy, or --on local.")
        with suppress(UserError, OSError):  # the next run asks again
            await self.settle()
        is_closing = False
        making = asyncio.create_task(self._prepared(request, lambda: is_closing or stop()))
        try:
            return await asyncio.shield(making)
        except InterruptedError:
            return None
        except asyncio.CancelledError:
            is_closing = True
            await asyncio.wait({making})
            raise
        except OSError as error:
            raise os_failure(error) from error

    async def discard(self, request: WorkspaceRequest, keep: Workspace | None) -> None:
        """Ask the node to remove the folder."""
        kept = keep.path if keep and keep.host == self._node else ""
        await self._call(
            DiscardWorkspace(project=request.project, name=request.name, keep=kept), try_s=60.0
        )

    async def _prepared(
        self, request: WorkspaceRequest, stop: Callable[[], bool]
    ) -> CreatedWorkspace:
        calls = PatientCalls(self._calls, stop)
        uploads = Uploads(calls)
        token = uuid4().hex
        try:
            async with self._scratch() as folder:
                message, notices = await self._wanted(
                    request,
                    token,
                    UploadStaging(self._paths, request, folder, stop),
                    calls,
                    uploads,
                )
            making = await ended(
                self._node, lambda: calls.call(message), lambda answer: answer.made is not None
            )
            assert making.made
            # What was to be removed at this place is gone: this is another workspace.
            await self._removed.remove(self._node, [_removal(request.name, making.made.path)])
            return self._created(request, message, making.made, notices)
        except BaseException:
            await self._undone(request, token, uploads)
            raise

    async def _undone(self, request: WorkspaceRequest, token: str, uploads: Uploads) -> None:
        """Leave nothing on the node, if it answers soon: it removes old files by itself."""
        stop = StopMaking(token=token)
        discard = DiscardWorkspace(project=request.project, name=request.name)
        with suppress(UserError, OSError):
            for message in (stop, discard, uploads.message()):
                await self._calls.call(message, try_s=60.0, patience_s=UNDO_S)

    async def _wanted(
        self,
        request: WorkspaceRequest,
        token: str,
        staging: UploadStaging,
        calls: PatientCalls,
        uploads: Uploads,
    ) -> tuple[MakeWorkspace, list[str]]:
        """Send all that is needed; return the message that makes the workspace, and notices."""
        spec = request.spec
        staged, source, object_format, commit = Staged(), "", "sha1", ""
        cwd = working_folder.cleaned(spec.cwd or "")
        if is_copied(request):
            staged = await staging.copy()
        elif spec.kind is WorkspaceKind.WORKTREE:
            cwd = await asyncio.to_thread(working_folder.chosen, spec)
            found = await must_find(Path(spec.source or ""), needs_commit=spec.base_commit is None)
            commit = spec.base_commit or found.head or ""
            pack = SourcePack(found, commit, staging.folder)
            staged = await staging.worktree(found, commit)
            await pack.send(calls, uploads)
            source, object_format = pack.key, found.object_format
        sent = [await uploads.send(one) if one else "" for one in _files(staged)]
        origin = await asyncio.to_thread(origin_of, request)
        message = MakeWorkspace(
            token=token,
            project=request.project,
            name=request.name,
            kind=spec.kind.value,
            branch=request.setup.branch,
            cwd=os.fsencode(cwd),
            source=source,
            object_format=object_format,
            commit=commit,
            earlier=(spec.source or "") if spec.kind is WorkspaceKind.FROM_RUN else "",
            copy=sent[0],
            changed=sent[1],
            gone=staged.gone,
            listed=sent[2],
            origin=os.fsencode(origin or ""),
        )
        return message, staged.notices

    def _created(
        self,
        request: WorkspaceRequest,
        message: MakeWorkspace,
        made: MadeWorkspace,
        notices: list[str],
    ) -> CreatedWorkspace:
        source = os.fsdecode(message.origin) or message.earlier or None
        workspace = Workspace(
            made.path,
            request.spec.kind,
            source,
            made.branch,
            os.fsdecode(message.cwd),
            self._node,
        )
        return CreatedWorkspace(workspace, (*notices, *made.notices))

    @asynccontextmanager
    async def _scratch(self) -> AsyncGenerator[Path]:
        """Yield a folder for files that are sent, as long as the context lasts."""
        top = await asyncio.to_thread(private_folder, self._paths.home / "outgoing")
        folder = Path(await asyncio.to_thread(mkdtemp, prefix="to-node-", dir=top))
        try:
            yield folder
        finally:
            await asyncio.to_thread(_cleared, folder)

    # Use

    async def exists(self, workspace: Workspace) -> bool:
        """Ask the node."""
        return await self._call(WorkspaceExists(path=workspace.path))

    async def find(self, run: str) -> Workspace | None:
        """Ask the node."""
        found = (await self._call(FindWorkspace(run=run))).found
        if found is None:
            return None
        return Workspace(
            found.path,
            WorkspaceKind(found.kind),
            os.fsdecode(found.origin) or None,
            found.branch,
            os.fsdecode(found.cwd),
            self._node,
        )

    async def working_folder(self, workspace: Workspace) -> str:
        """Ask the node."""
        return await self._call(WorkingFolder(path=workspace.path, cwd=os.fsencode(workspace.cwd)))

    async def program_files(
        self, workspace: Workspace, spec: WorkspaceSpec, commands: Sequence[str]
    ) -> Mapping[str, str]:
        """Ask the node; files of the source that a command names by an absolute path are none."""
        found = await self._call(
            ProgramFiles(
                path=workspace.path,
                cwd=os.fsencode(workspace.cwd),
                commands=tuple(map(os.fsencode, commands)),
            ),
            try_s=60.0,
        )
        return {os.fsdecode(path): digest for path, digest in found.items()}

    def watcher(self, commit: Commit) -> NodeWatcher:
        """Return a watcher that sees no single file."""
        return NodeWatcher()

    # Remember

    async def make_checkpoints(
        self, run: str, workspace: Workspace, rebuildable: Collection[str]
    ) -> Checkpoints:
        """Make the store on the node, and its mirror here."""
        link = self._link(run, workspace)
        return await node_checkpoints.made(self._paths, workspace, link, rebuildable)

    async def copy_checkpoints(
        self, run: str, workspace: Workspace, origin: ForkOrigin
    ) -> Checkpoints:
        """Copy the store of the other run on the node, and its mirror here."""
        if origin.workspace.host != self._node:
            raise user_error("NODE_CANNOT", "A fork works on the node of the run it comes from.")
        link = self._link(run, workspace)
        return await node_checkpoints.forked(self._paths, workspace, link, origin)

    async def open_checkpoints(self, run: str, workspace: Workspace) -> Checkpoints:
        """Open the mirror."""
        return await node_checkpoints.opened(self._paths, workspace, self._link(run, workspace))

    async def has_baseline(self, run: str, workspace: Workspace) -> bool:
        """Look into the mirror."""
        store = self._paths.checkpoints(run, workspace.path)
        return await asyncio.to_thread(has_baseline, store)

    # Forget

    async def forget(self, runs: Sequence[str]) -> None:
        """Remove all that the node has of runs, later where it does not answer."""
        await self._forgotten.add(self._node, runs)
        await self.settle()

    async def remove(self, run: str, path: str) -> bool:
        """Remove a workspace; False where the node does not answer: once it does."""
        await self._removed.add(self._node, [_removal(run, path)])
        try:
            await self._remove_there(run, path)
        except UserError as error:
            if is_away(error):
                return False
            await self._removed.remove(self._node, [_removal(run, path)])
            raise
        return True

    async def sizes(self, paths: Sequence[str]) -> Mapping[str, int]:
        """Return what workspaces take there, in bytes; raises NODE_UNREACHABLE, NODE_LOST."""
        message = MeasureWorkspaces(token=uuid4().hex, paths=tuple(paths))
        found = await ended(
            self._node, lambda: self._calls.read(message), lambda answer: answer.is_done
        )
        return found.sizes

    async def _remove_there(self, run: str, path: str) -> None:
        await self._calls.call(
            RemoveWorkspace(run=run, path=path),
            try_s=60.0,
            patience_s=READ_PATIENCE_S,
            is_probe=True,
        )
        await self._removed.remove(self._node, [_removal(run, path)])

    async def settle(self) -> None:
        """Remove what was to be removed while the node did not answer; raises `UserError`."""
        for one in await self._removed.of(self._node):
            run, _, path = one.partition(":")
            await self._remove_there(run, path)
        runs = await self._forgotten.of(self._node)
        if runs:
            await self._calls.call(
                ForgetRun(runs=runs), try_s=60.0, patience_s=READ_PATIENCE_S, is_probe=True
            )
            await self._forgotten.remove(self._node, runs)

    # Read

    def files(self, run: str, workspace: Workspace) -> NodeFiles:
        """Return the files of a run's workspace."""
        return NodeFiles(self._calls, workspace.path, lambda: self.open_checkpoints(run, workspace))

    def _link(self, run: str, workspace: Workspace) -> StoreLink:
        return StoreLink(self._calls, run, workspace.path)

    async def _call(self, message: Message[Answer], try_s: float = 20.0) -> Answer:
        try:
            return await self._calls.call(message, try_s=try_s)
        except OSError as error:
            raise user_error(
                "NODE_FAILED", f"The node failed: {os_failure(error).message}"
            ) from error


def _removal(run: str, path: str) -> str:
    return f"{run.partition('-')[0]}:{path}"


def _files(staged: Staged) -> tuple[Path | None, ...]:
    return staged.copy, staged.changed, staged.listed


def _cleared(folder: Path) -> None:
    """Remove a folder, of which a copy may hold some that cannot be written."""
    removal.remove(folder)
    shutil.rmtree(folder, ignore_errors=True)

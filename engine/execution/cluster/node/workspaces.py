"""Answers of a node to messages about workspaces, for one home."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from engine.config.paths import Paths
from engine.domain.errors import UserError, user_error
from engine.domain.model import WorkspaceSpec
from engine.execution.cluster.archive import full_named
from engine.execution.cluster.messages import Message
from engine.execution.cluster.node.making import WorkspaceMaker
from engine.execution.cluster.node.notes import Note, Notes
from engine.execution.cluster.node.operations import Operations
from engine.execution.cluster.node.sources import Sources
from engine.execution.cluster.node.transfers import Transfers
from engine.execution.cluster.workspace_messages import (
    AskSource,
    DiscardWorkspace,
    DropUploads,
    FillSource,
    FindWorkspace,
    FoundWorkspace,
    FoundWorkspaces,
    MadeWorkspace,
    MakeWorkspace,
    Making,
    ProgramFiles,
    PutChunk,
    SourceFilled,
    SourceState,
    StopMaking,
    WorkingFolder,
    WorkspaceExists,
)
from engine.execution.local.workspaces import LocalWorkspaces
from engine.workspaces.checkpoints.checkpoints import Checkpoints


class HomeFolders(Protocol):
    """The home of a node for that of a sender, as far as it is needed here."""

    @property
    def paths(self) -> Paths:
        """The folders of it."""
        ...

    @property
    def workspaces(self) -> LocalWorkspaces:
        """The workspaces of it."""
        ...


class HomeWorkspaces:
    """The workspaces of one home, asked by messages."""

    def __init__(self, home: HomeFolders) -> None:
        self.workspaces = home.workspaces
        self.notes = Notes(home.paths)
        self.transfers = Transfers(home.paths.home / "transfers")
        self.operations = Operations()
        self._sources = Sources(home.paths)
        self._maker = WorkspaceMaker(
            home.paths, home.workspaces, self.notes, self._sources, self.transfers
        )
        self.stores: dict[tuple[str, str], Checkpoints] = {}
        """The open stores of checkpoints, by run and path of the workspace."""
        self._stopped: set[str] = set()
        """Tokens of workspaces that are not to be made any more."""
        self._making: dict[tuple[str, str], str] = {}
        """The token of the last try to make a workspace, by project and name."""

    def close(self) -> None:
        """End what is at work."""
        self.operations.close()

    async def put_chunk(self, sent: PutChunk) -> int:
        """Store a piece of a file."""
        with full_named():
            return await asyncio.to_thread(
                self.transfers.put, sent.upload, sent.offset, sent.content, sent.total_bytes
            )

    async def drop_uploads(self, sent: DropUploads) -> bool:
        """Remove files."""
        await asyncio.to_thread(self.transfers.drop, sent.uploads)
        return True

    async def ask_source(self, sent: AskSource) -> SourceState:
        """Return what is here of a source."""
        return await self._sources.state(sent.source, sent.object_format, sent.commit)

    async def fill_source(self, sent: FillSource) -> SourceFilled:
        """Take over a commit."""

        async def fill() -> bool:
            is_whole = await self._sources.fill(sent, self.transfers.path(sent.upload))
            await asyncio.to_thread(self.transfers.drop, [sent.upload])
            return is_whole

        done = await self.operations.result(sent.token, fill)
        return SourceFilled(done is not None, done is not None and done.value)

    async def make_workspace(self, sent: MakeWorkspace) -> Making:
        """Make a workspace."""
        if sent.token in self._stopped:
            raise user_error("NODE_CANNOT", "The workspace was not wanted any more.")
        key = (sent.project, sent.name)
        older = self._making.get(key, "")
        self._making[key] = sent.token

        async def make() -> MadeWorkspace:
            await self._ended(older)
            return await self._maker.make(sent, lambda: sent.token in self._stopped)

        done = await self.operations.result(sent.token, make)
        return Making(done.value if done else None)

    async def _ended(self, token: str) -> None:
        """Stop an earlier try, and wait until nothing of it is at work."""
        if token:
            self._stopped.add(token)
            await self.operations.ended(token)

    async def stop_making(self, sent: StopMaking) -> bool:
        """Make a workspace no longer."""
        self._stopped.add(sent.token)
        return True

    async def discard(self, sent: DiscardWorkspace) -> bool:
        """Remove a workspace that is not used."""
        if not self._maker.is_at(sent.project, sent.name, sent.keep):
            await self._ended(self._making.get((sent.project, sent.name), ""))
            await self._maker.discard(sent.project, sent.name)
        return True

    async def exists(self, sent: WorkspaceExists) -> bool:
        """Look for a workspace."""
        try:
            note = await self.note(sent.path)
        except UserError:
            return False
        return await self.workspaces.exists(note.workspace)

    async def find(self, sent: FindWorkspace) -> FoundWorkspaces:
        """Look for the workspace of a run."""
        note = await asyncio.to_thread(self.notes.of_run, sent.run)
        if note is None or not await self.workspaces.exists(note.workspace):
            return FoundWorkspaces()
        found = FoundWorkspace(note.path, note.kind, note.origin, note.branch, note.cwd)
        return FoundWorkspaces(found)

    async def working_folder(self, sent: WorkingFolder) -> str:
        """Return where programs work."""
        note = await self.note(sent.path)
        return await self.workspaces.working_folder(note.with_cwd(sent.cwd))

    async def program_files(self, sent: ProgramFiles) -> dict[bytes, str]:
        """Read the files that commands name."""
        note = await self.note(sent.path)
        commands = [os.fsdecode(one) for one in sent.commands]
        workspace = note.with_cwd(sent.cwd)
        found = await self.workspaces.program_files(workspace, WorkspaceSpec(), commands)
        return {os.fsencode(path): digest for path, digest in found.items()}

    async def note(self, path: str) -> Note:
        """Return the note of a workspace; raises `UserError` WORKSPACE_MISSING."""
        return await asyncio.to_thread(self.notes.of_path, path)


_opened: WeakKeyDictionary[Any, HomeWorkspaces] = WeakKeyDictionary()


def opened(home: HomeFolders) -> HomeWorkspaces:
    """Return the workspaces of a home, the same ones each time: what is at work is known there."""
    if home not in _opened:
        _opened[home] = HomeWorkspaces(home)
    return _opened[home]


def close(home: HomeFolders) -> None:
    """End what is at work for the workspaces of a home."""
    if found := _opened.pop(home, None):
        found.close()


def on(answer: Callable[[HomeWorkspaces, Any], Awaitable[object]]) -> Handler:
    """Return the handler of a message that these workspaces answer."""

    async def handle(home: HomeFolders, message: object) -> object:
        return await answer(opened(home), message)

    return handle


Handler = Callable[[Any, Any], Awaitable[object]]
HANDLERS: Mapping[type[Message[Any]], Handler] = {
    PutChunk: on(HomeWorkspaces.put_chunk),
    DropUploads: on(HomeWorkspaces.drop_uploads),
    AskSource: on(HomeWorkspaces.ask_source),
    FillSource: on(HomeWorkspaces.fill_source),
    MakeWorkspace: on(HomeWorkspaces.make_workspace),
    StopMaking: on(HomeWorkspaces.stop_making),
    DiscardWorkspace: on(HomeWorkspaces.discard),
    WorkspaceExists: on(HomeWorkspaces.exists),
    FindWorkspace: on(HomeWorkspaces.find),
    WorkingFolder: on(HomeWorkspaces.working_folder),
    ProgramFiles: on(HomeWorkspaces.program_files),
}

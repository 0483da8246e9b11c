"""The files of a workspace on a node: read there, or from the last checkpoint while it is away."""

from __future__ import annotations

import asyncio
import os
import stat
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.text import printable_name
from engine.execution.cluster.arrivals import check_room, incomplete
from engine.execution.cluster.calls import NodeCalls
from engine.execution.cluster.messages import CHUNK_BYTES, Answer, Message
from engine.execution.cluster.mirror import TRY_S, is_away
from engine.execution.cluster.mirror_files import MirrorFiles
from engine.execution.cluster.workspace_messages import (
    FileEntry,
    FileSizes,
    ListFiles,
    ListFolder,
    ReadPiece,
)
from engine.workspaces.checkpoints.checkpoint_refs import Checkpoint
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.files.open_file import OpenFile, missing
from engine.workspaces.files.tree import FilePreview, TreeEntry

Mirrored = Callable[[], Awaitable[Checkpoints]]


@dataclass(frozen=True, slots=True)
class NodeFiles:
    """The files of the workspace at `path` of a node; `mirrored` opens the run's checkpoints."""

    calls: NodeCalls
    path: str
    mirrored: Mirrored

    async def folder(self, path: str, *, sizes: bool) -> list[TreeEntry]:
        """List one folder, folders first."""
        message = ListFolder(path=self.path, folder=os.fsencode(path), sizes=sizes)
        found = await self._asked(message)
        if found is None:
            return await (await self._mirror()).folder(path, sizes=sizes)
        return _entries(found)

    async def files(self) -> list[TreeEntry]:
        """List the files without those that tools keep for themselves."""
        found = await self._asked(ListFiles(path=self.path))
        return _entries(found) if found is not None else await (await self._mirror()).files()

    async def sizes(self, paths: Sequence[str]) -> dict[str, int]:
        """Return the sizes of files, of those that are there."""
        message = FileSizes(path=self.path, files=tuple(map(os.fsencode, paths)))
        found = await self._asked(message)
        if found is None:
            return await (await self._mirror()).sizes(paths)
        return {os.fsdecode(path): size for path, size in found.items()}

    async def read(self, path: str, limit_bytes: int) -> bytes:
        """Return a file, at most `limit_bytes` of it."""
        found = await self.preview(path, limit_bytes)
        if not found.is_file:
            raise missing(path, "read")
        return found.data

    async def preview(self, path: str, limit_bytes: int) -> FilePreview:
        """Return a preview of a path."""
        begun = await self._asked(self._piece(path, 0, limit_bytes))
        if begun is None:
            return await self._last_preview(path, limit_bytes)
        data = bytearray(begun.data)
        if stat.S_ISREG(begun.mode):
            while len(data) < min(limit_bytes, begun.size_bytes):
                left = limit_bytes - len(data)
                piece = await self._call(self._piece(path, len(data), left))
                if not piece.data:
                    break
                data += piece.data
        return FilePreview(begun.mode, begun.size_bytes, bytes(data[: max(limit_bytes, 0)]))

    async def open(self, path: str) -> OpenFile:
        """Open a file: a copy of it as it is now, on this machine."""
        try:
            with tempfile.TemporaryFile() as file:
                await self._copy(path, file)
                await asyncio.to_thread(file.flush)
                return OpenFile(os.dup(file.fileno()), path)
        except OSError as error:  # of this disk: what the node met has its name
            raise os_failure(error) from error

    async def _copy(self, path: str, file: BinaryIO) -> None:
        """Copy a file as long as it was when it was opened, if the disk here has room for it."""
        begun = await self._asked(self._piece(path, 0, CHUNK_BYTES))
        if begun is None:
            last = await self._last_preview(path, 1 << 62)
            if not last.is_file:
                raise missing(path, "read")
            await asyncio.to_thread(file.write, last.data)
            return
        if not stat.S_ISREG(begun.mode):
            raise missing(path, "read")
        node, name, size_bytes = self.calls.node, printable_name(path), max(0, begun.size_bytes)
        await asyncio.to_thread(check_room, file.fileno(), node, f"The bytes of {name}", size_bytes)
        data, copied = begun.data, 0
        while data[: size_bytes - copied]:
            await asyncio.to_thread(file.write, data[: size_bytes - copied])
            copied = file.tell()
            if copied < size_bytes:
                data = (await self._call(self._piece(path, copied, CHUNK_BYTES))).data
        if copied < size_bytes:  # it is shorter now, or the node holds the rest back
            raise incomplete(node, name)

    def _piece(self, path: str, offset: int, limit_bytes: int) -> ReadPiece:
        name = os.fsencode(path)
        return ReadPiece(path=self.path, file=name, offset=offset, limit_bytes=limit_bytes)

    async def _asked(self, message: Message[Answer]) -> Answer | None:
        """Return the node's answer; None where it does not answer."""
        try:
            return await self._call(message)
        except UserError as error:
            if not is_away(error):
                raise
            return None

    async def _call(self, message: Message[Answer]) -> Answer:
        return await self.calls.read(message, TRY_S)

    async def _last_preview(self, path: str, limit_bytes: int) -> FilePreview:
        """Return a preview of a path as it was at the last checkpoint."""
        store, last = await self._last()
        try:
            found = await MirrorFiles(store.git, last.tree).preview(path, limit_bytes)
        except UserError as error:
            if error.code != "WORKSPACE_MISSING":
                raise
            node, name = printable_name(self.calls.node), printable_name(path)
            said = f"The node {node} does not answer, and {name} is not in checkpoint {last.n}."
            raise user_error("NODE_UNREACHABLE", said) from error
        return replace(found, checkpoint=last.n)

    async def _mirror(self) -> MirrorFiles:
        store, last = await self._last()
        return MirrorFiles(store.git, last.tree)

    async def _last(self) -> tuple[Checkpoints, Checkpoint]:
        store = await self.mirrored()
        return store, (await store.list())[-1]


def _entries(found: Iterable[FileEntry]) -> list[TreeEntry]:
    """Return entries of a node as they are shown."""
    entries: list[TreeEntry] = []
    for one in found:
        path = os.fsdecode(one.path)
        shown = printable_name(path.rpartition("/")[2])
        entries.append(TreeEntry(path, shown, one.is_folder, one.is_link, one.size_bytes))
    return entries

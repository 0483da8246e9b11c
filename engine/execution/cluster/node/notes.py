"""The workspaces that a node has made, each noted once it is whole.

A note holds the workspace as the node's own programs see it: its source is a repository of the
node. Only folders with a note are workspaces; no other path of the machine is one. Blocking.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from engine.config.paths import Paths, private_folder, safe_name
from engine.domain.errors import user_error
from engine.domain.model import Workspace, WorkspaceKind
from engine.system.decoding import msgpack_decoder
from engine.system.durable import write_synced
from engine.workspaces.create.working_folder import cleaned


class Note(msgspec.Struct, frozen=True):
    """A workspace; `origin` is its source on the machine that asked for it."""

    path: str
    kind: str
    source: str | None = None
    branch: str | None = None
    cwd: bytes = b""
    origin: bytes = b""
    token: str = ""
    """The token of the message that made it."""
    notices: tuple[str, ...] = ()

    @property
    def workspace(self) -> Workspace:
        """The workspace, on this machine."""
        return self.with_cwd(self.cwd)

    def with_cwd(self, cwd: bytes) -> Workspace:
        """Return the workspace with a folder to work in; raises `UserError` for one outside."""
        kind, inside = WorkspaceKind(self.kind), cleaned(os.fsdecode(cwd))
        return Workspace(self.path, kind, self.source, self.branch, inside)


class Notes:
    """The notes of one home."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._folder = paths.home / "made"

    def write(self, project: str, name: str, note: Note) -> None:
        """Note a workspace."""
        path = self._at(project, name)
        private_folder(path.parent)
        write_synced(path, msgspec.msgpack.encode(note))

    def read(self, project: str, name: str) -> Note | None:
        """Return the workspace of a name, if it was made to its end."""
        return _read(self._at(project, name))

    def remove(self, project: str, name: str) -> None:
        """Remove a note, before its workspace is."""
        self._at(project, name).unlink(missing_ok=True)

    def of_path(self, path: str) -> Note:
        """Return the note of the workspace at a path; raises `UserError` WORKSPACE_MISSING."""
        found = _read(self._of(Path(path)))
        if found is None or found.path != path:
            raise user_error("WORKSPACE_MISSING")
        return found

    def become(self, path: str, like: Note) -> Note:
        """Make the workspace of a fork one of the kind and source of another; return its note."""
        found = self.of_path(path)
        made = msgspec.structs.replace(found, kind=like.kind, source=like.source)
        write_synced(self._of(Path(path)), msgspec.msgpack.encode(made))
        return made

    def of_run(self, run: str) -> Note | None:
        """Return the newest workspace that carries the id of a run."""
        name = safe_name(run)
        found = [*self._folder.glob(f"*/{name}.note"), *self._folder.glob(f"*/{name}-*.note")]
        found.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        return next((note for path in found if (note := _read(path))), None)

    def drop(self, note: Note) -> None:
        """Remove the note of a workspace that is gone: until then it is found again."""
        self._of(Path(note.path)).unlink()

    def _at(self, project: str, name: str) -> Path:
        return self._of(self._paths.workspace(project, name))

    def _of(self, workspace: Path) -> Path:
        return self._folder / workspace.parent.name / f"{workspace.name}.note"


def _read(path: Path) -> Note | None:
    try:
        return msgpack_decoder(Note)(path.read_bytes())
    except (OSError, msgspec.DecodeError, RecursionError):
        return None

"""Messages about the workspaces of a node, and about the checkpoints that are taken there.

A message whose work takes long is sent again, with the same `token`, until it is done: the first
begins the work, and each waits a while for its end.
"""

from __future__ import annotations

from typing import Annotated, cast

import msgspec
from msgspec import Struct

from engine.execution.cluster.messages import LIST_BYTES, PIECE_BYTES, Message
from engine.workspaces.files.tree import MAX_ENTRIES

WAIT_S = 5.0
"""Time for which a node waits for the end of long work, before it answers that it goes on."""

# Files to a node, in pieces


class PutChunk(Message[int], frozen=True, kw_only=True):
    """Store a piece of a file; the answer is how many bytes of it are there.

    A piece that begins behind them is not stored: the sender goes on from there.
    """

    ANSWER = int
    upload: str
    offset: int
    content: bytes
    total_bytes: int


class DropUploads(Message[bool], frozen=True, kw_only=True):
    """Remove files that were sent."""

    ANSWER = bool
    uploads: tuple[str, ...]


# Sources


class SourceState(Struct, frozen=True):
    """The commits that a node has of a source, the newest first; `is_there`: the one asked for."""

    is_there: bool
    commits: tuple[str, ...] = ()


class AskSource(Message[SourceState], frozen=True, kw_only=True):
    """Return what a node has of a source."""

    ANSWER = SourceState
    LIMIT_BYTES = LIST_BYTES
    source: str
    object_format: str
    commit: str


class SourceFilled(Struct, frozen=True):
    """The state of `FillSource`; `is_whole`: the commit and all it needs are there."""

    is_done: bool
    is_whole: bool = False


class FillSource(Message[SourceFilled], frozen=True, kw_only=True):
    """Take over the objects of a commit that were sent as a pack.

    `shallow` are the commits without parents of a shallow source, `exclude` and `attributes` the
    files of these names in its `info` folder.
    """

    ANSWER = SourceFilled
    token: str
    source: str
    object_format: str
    commit: str
    upload: str
    shallow: tuple[str, ...] = ()
    exclude: bytes = b""
    attributes: bytes = b""


# Workspaces


class MadeWorkspace(Struct, frozen=True):
    """A workspace of a node, as `CreatedWorkspace`."""

    path: str
    branch: str | None = None
    notices: tuple[str, ...] = ()


class Making(Struct, frozen=True):
    """The state of `MakeWorkspace`; without `made` it is at work."""

    made: MadeWorkspace | None = None


class MakeWorkspace(Message[Making], frozen=True, kw_only=True):
    """Make a workspace, in place of what an earlier try with another token left.

    `kind` is a WorkspaceKind. `source` and `commit` are those of a worktree; `earlier` is the
    workspace that one from a run is copied from; `copy` the archive of a copy. `changed` is an
    archive of files that are not committed, `gone` those that are deleted; `listed` an archive
    of files that are brought where nothing is.
    """

    ANSWER = Making
    LIMIT_BYTES = LIST_BYTES
    token: str
    project: str
    name: str
    kind: str
    branch: str = ""
    cwd: bytes = b""
    source: str = ""
    object_format: str = "sha1"
    commit: str = ""
    earlier: str = ""
    copy: str = ""
    changed: str = ""
    gone: tuple[bytes, ...] = ()
    listed: str = ""
    origin: bytes = b""
    """The source on the machine of the sender, for one whose database is lost."""


class StopMaking(Message[bool], frozen=True, kw_only=True):
    """Make a workspace no longer, and leave nothing of it; `MakeWorkspace` then fails."""

    ANSWER = bool
    token: str


class DiscardWorkspace(Message[bool], frozen=True, kw_only=True):
    """Remove what unfinished tries to make a workspace left, unless it is `keep`."""

    ANSWER = bool
    project: str
    name: str
    keep: str = ""


class WorkspaceExists(Message[bool], frozen=True, kw_only=True):
    """Return whether a workspace is there."""

    ANSWER = bool
    path: str


class WorkspaceSizes(Struct, frozen=True):
    """The sizes of workspaces on the disk, in bytes, by path; a missing one is left out."""

    is_done: bool
    sizes: dict[str, int] = {}


class MeasureWorkspaces(Message[WorkspaceSizes], frozen=True, kw_only=True):
    """Measure workspaces."""

    ANSWER = WorkspaceSizes
    LIMIT_BYTES = LIST_BYTES
    token: str
    paths: tuple[str, ...]


class RemoveWorkspace(Message[bool], frozen=True, kw_only=True):
    """Remove a workspace of a run that has ended; one that is gone is fine."""

    ANSWER = bool
    run: str
    path: str


class FoundWorkspace(Struct, frozen=True):
    """A workspace, as its node knows it."""

    path: str
    kind: str
    origin: bytes
    branch: str | None
    cwd: bytes


class FoundWorkspaces(Struct, frozen=True):
    """The workspace that was found, or none."""

    found: FoundWorkspace | None = None


class FindWorkspace(Message[FoundWorkspaces], frozen=True, kw_only=True):
    """Return the newest workspace that carries the id of a run."""

    ANSWER = FoundWorkspaces
    run: str


class WorkingFolder(Message[str], frozen=True, kw_only=True):
    """Return the folder in which programs work."""

    ANSWER = str
    path: str
    cwd: bytes


class ProgramFiles(Message[dict[bytes, str]], frozen=True, kw_only=True):
    """Return the files in a workspace that commands can run, with the digests of their content."""

    ANSWER = dict[bytes, str]
    LIMIT_BYTES = LIST_BYTES
    path: str
    cwd: bytes
    commands: tuple[bytes, ...]


# Checkpoints


class Point(Struct, frozen=True):
    """A checkpoint, as `Checkpoint`."""

    n: int
    sha: str
    tree: str
    message: str = ""
    at: float = 0.0
    left_out: tuple[bytes, ...] = ()
    rebuildable: tuple[bytes, ...] = ()
    baseline: str = ""


class StoreState(Struct, frozen=True):
    """A store with all its checkpoints in order; `taken` is the one that was asked for.

    `made_from` is the commit of the source that the workspace was made from, where there is one.
    """

    is_done: bool
    object_format: str = "sha1"
    made_from: str = ""
    points: tuple[Point, ...] = ()
    taken: Point | None = None


class MakeStore(Message[StoreState], frozen=True, kw_only=True):
    """Make the store of a run's checkpoints, or that of a fork as a copy of another run's.

    It takes the place of one that another token made.
    """

    ANSWER = StoreState
    LIMIT_BYTES = LIST_BYTES
    token: str
    run: str
    path: str
    rebuildable: tuple[str, ...] = ()
    origin_run: str = ""
    origin_path: str = ""


class TakeCheckpoint(Message[StoreState], frozen=True, kw_only=True):
    """Remember a workspace as it is, and return all checkpoints."""

    ANSWER = StoreState
    LIMIT_BYTES = LIST_BYTES
    token: str
    run: str
    path: str
    message: str


class ListPoints(Message[StoreState], frozen=True, kw_only=True):
    """Return all checkpoints of a store; CHANGES_UNKNOWN without a baseline."""

    ANSWER = StoreState
    LIMIT_BYTES = LIST_BYTES
    run: str
    path: str


class Taken(Struct, frozen=True):
    """A workspace as it is, as `Snapshot`."""

    is_done: bool
    tree: str = ""
    left_out: tuple[bytes, ...] = ()
    rebuildable: tuple[bytes, ...] = ()


class TakeSnapshot(Message[Taken], frozen=True, kw_only=True):
    """Take in a workspace as it is, without a checkpoint."""

    ANSWER = Taken
    LIMIT_BYTES = LIST_BYTES
    token: str
    run: str
    path: str


class SyncWork(Message[bool], frozen=True, kw_only=True):
    """Write the files that changed up to a checkpoint to the disk."""

    ANSWER = bool
    run: str
    path: str
    n: int


class PackBeginning(Struct, frozen=True):
    """The beginning of a file of a node; the rest is asked for by the token of the message."""

    is_done: bool
    size_bytes: int = 0
    content: bytes = b""


class FetchObjects(Message[PackBeginning], frozen=True, kw_only=True):
    """Return a pack of checkpoints, or of a tree alone, for a store that has the tree `have`.

    `trees` are in the order of the checkpoints: of each only what it does not share with the one
    before it is in the pack.
    """

    ANSWER = PackBeginning
    LIMIT_BYTES = PIECE_BYTES
    token: str
    run: str
    path: str
    have: str
    commits: tuple[str, ...]
    trees: tuple[str, ...]


class ReadDownload(Message[bytes], frozen=True, kw_only=True):
    """Return the next piece of a file; the empty one at its end."""

    ANSWER = bytes
    LIMIT_BYTES = PIECE_BYTES
    download: str
    offset: int


class DropDownload(Message[bool], frozen=True, kw_only=True):
    """Remove a file that was read."""

    ANSWER = bool
    download: str


# Files, while the node answers


class FileEntry(Struct, frozen=True, array_like=True):
    """A file or folder of a workspace, as `TreeEntry`."""

    path: bytes
    is_folder: bool = False
    is_link: bool = False
    size_bytes: int | None = None


_Entries = cast("type", Annotated[tuple[FileEntry, ...], msgspec.Meta(max_length=MAX_ENTRIES)])


class ListFolder(Message[tuple[FileEntry, ...]], frozen=True, kw_only=True):
    """List one folder of a workspace."""

    ANSWER = _Entries
    LIMIT_BYTES = LIST_BYTES
    path: str
    folder: bytes
    sizes: bool


class ListFiles(Message[tuple[FileEntry, ...]], frozen=True, kw_only=True):
    """List the files of a workspace without those that tools keep for themselves."""

    ANSWER = _Entries
    LIMIT_BYTES = LIST_BYTES
    path: str


class FileSizes(Message[dict[bytes, int]], frozen=True, kw_only=True):
    """Return the sizes of files of a workspace, of those that are there."""

    ANSWER = dict[bytes, int]
    LIMIT_BYTES = LIST_BYTES
    path: str
    files: tuple[bytes, ...]


class FilePiece(Struct, frozen=True):
    """A file's mode and size, and a piece of it; of a link the target."""

    mode: int
    size_bytes: int
    data: bytes = b""


class ReadPiece(Message[FilePiece], frozen=True, kw_only=True):
    """Return a piece of a file of a workspace, `CHUNK_BYTES` at most; never through a link."""

    ANSWER = FilePiece
    LIMIT_BYTES = PIECE_BYTES
    path: str
    file: bytes
    offset: int
    limit_bytes: int

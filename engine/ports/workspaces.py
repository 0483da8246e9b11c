"""Protocols of the services of workspaces, of their sources, and of the disk."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from engine.disk.cleanup import CleanupItemResult, CleanupReport
    from engine.disk.cleanup_plan import CleanupFilter, CleanupPlan
    from engine.disk.locations import LocationKind
    from engine.disk.service import DiskUsage
    from engine.disk.trash_entry import TrashEntry
    from engine.disk.unsaved import UnsavedWork
    from engine.domain.model import Run, WorkspaceSpec
    from engine.workspaces.apply.apply import ApplyMode, ApplyResult
    from engine.workspaces.apply.progress import Looked
    from engine.workspaces.apply.restore import RestoreResult
    from engine.workspaces.apply.undo import UndoneApply
    from engine.workspaces.checkpoints.changes import Changes
    from engine.workspaces.checkpoints.checkpoints import Checkpoint
    from engine.workspaces.checkpoints.comparison import Comparison
    from engine.workspaces.create.shell_guard import ShellGuard
    from engine.workspaces.files.open_file import OpenFile
    from engine.workspaces.files.tree import FilePreview, TreeEntry
    from engine.workspaces.sources import SourceInfo


class WorkspacesPort(Protocol):
    """Requests to the workspaces of runs; every method raises `UserError`."""

    async def folder(self, run: str, path: str = "", *, sizes: bool = True) -> list[TreeEntry]:
        """List one folder of a run's workspace, folders first; never follows a link out of it."""
        ...

    async def sizes(self, run: str, paths: Sequence[str]) -> dict[str, int]:
        """Return the sizes in bytes of files in a run's workspace, of those that are there."""
        ...

    async def files(self, run: str) -> list[TreeEntry]:
        """List the files of a run's workspace without those tools keep for themselves, bounded."""
        ...

    async def read(self, run: str, path: str, limit_bytes: int = ...) -> bytes:
        """Return a file of a run's workspace, at most `limit_bytes` of it; never through a link."""
        ...

    async def open(self, run: str, path: str) -> OpenFile:
        """Open a regular file of a run's workspace, to be read in pieces; never through a link."""
        ...

    async def open_artifact(self, run: str, path: str) -> OpenFile:
        """Open a file that a run saved beside its workspace, by its path among them."""
        ...

    async def preview(self, run: str, path: str, limit_bytes: int = ...) -> FilePreview:
        """Return a preview of a path of a run's workspace, with at most `limit_bytes` of a file."""
        ...

    async def place(self, run: str, path: str = "") -> Path:
        """Return where a file, or the workspace itself, lies on this disk, if it is still there."""
        ...

    async def working_folder(self, run: str) -> Path:
        """Return the folder of a run's workspace where its agent works, and a shell is opened."""
        ...

    async def shell_guard(self, run: str) -> ShellGuard:
        """Return what keeps git harmless in a shell or an editor in a run's workspace."""
        ...

    async def environment(self, run: str) -> dict[str, str]:
        """Return the environment of a program that the user opens on this terminal for a run."""
        ...

    async def changes(self, run: str, since: int = ..., until: int | None = None) -> Changes:
        """Measure what a run changed, from one checkpoint to another or to now."""
        ...

    async def compare(self, run: str, since: int = ..., until: int | None = None) -> Comparison:
        """Hold a checkpoint of a run against another or against now, to look at file by file."""
        ...

    async def compare_runs(self, run: str, other: str) -> Comparison:
        """Compare the workspace of a run with that of another: what `run` has, and `other` not."""
        ...

    async def write_run_diff(
        self, run: str, other: str, file: BinaryIO, paths: Sequence[str] = ()
    ) -> None:
        """Write the unified diff from the workspace of `other` to that of a run."""
        ...

    async def write_diff(
        self,
        run: str,
        file: BinaryIO,
        since: int = ...,
        until: int | None = None,
        paths: Sequence[str] = (),
    ) -> tuple[str, ...]:
        """Write the unified diff of what a run changed, of all or some files, into an open file.

        Returns what could not be read, by name.
        """
        ...

    async def content(self, run: str, path: str, at: int) -> bytes | None:
        """Return a file as it was at a checkpoint of a run; None where it was not there."""
        ...

    async def checkpoints(self, run: str) -> list[Checkpoint]:
        """Return a run's checkpoints in order; the first is the workspace as it was made."""
        ...

    async def restore(self, run: str, n: int) -> RestoreResult:
        """Put a workspace back to a checkpoint, after remembering it as it is."""
        ...

    async def apply(
        self,
        run: str,
        how: ApplyMode,
        *,
        to: str | None = None,
        message: str = "",
        check: bool = False,
        patch: BinaryIO | None = None,
        looked: Looked = ...,
    ) -> ApplyResult:
        """Apply a run's changes to its source, or to `to`; with `check`, only return the result.

        `looked` gets, in any thread, the number of files written aside, and of all. Where its task
        is cancelled, nothing is changed; if it was too late for that, it returns as usual.
        """
        ...

    async def undo_apply(self, run: str, looked: Looked = ...) -> UndoneApply:
        """Undo the last apply of a run's changes as edits, unless the source has changed since.

        `looked`, and a task that is cancelled, are as of `apply`.
        """
        ...

    async def save_patch(self, run: str) -> Path:
        """Save what a run changed as a patch that git can apply, among its artifacts."""
        ...

    async def message(self, run: str) -> str:
        """Return the words for a run's commit: its title, then the agent's last message."""
        ...

    async def check(self, known: Run) -> Run:
        """Return a run after a quick check that its checkpoints exist."""
        ...


class SourcesPort(Protocol):
    """Folders that runs may start from; nothing there is changed, and nothing raises."""

    async def inspect(self, spec: WorkspaceSpec) -> SourceInfo | None:
        """Look at the repository that a workspace would be made from; None where there is none."""
        ...

    async def files(self, spec: WorkspaceSpec) -> list[str]:
        """Name the files an agent would find in the workspace, if their names can be typed."""
        ...

    async def refs(self, spec: WorkspaceSpec) -> list[tuple[str, str]]:
        """Name the branches and tags of the repository, the newest first, each with its kind."""
        ...


class DiskPort(Protocol):
    """The disk space of one home; every method raises `UserError`."""

    def free(self) -> int:
        """Return the free bytes of the file system that the home is on."""
        ...

    async def measure(
        self,
        told: Callable[[DiskUsage], None] = lambda _: None,
        kinds: Collection[LocationKind] = ...,
        looked: Callable[[int, int], None] = lambda _done, _of: None,
    ) -> int:
        """Measure everything, reporting each location repeatedly until it is `done`."""
        ...

    async def inside(self, path: Path, told: Callable[[DiskUsage], None]) -> None:
        """Measure what lies directly in a folder of a place, one by one."""
        ...

    async def report_unsaved(
        self, paths: Collection[str], told: Callable[[str, UnsavedWork], None]
    ) -> None:
        """Report the unsaved work of many workspaces, by path."""
        ...

    async def plan(
        self, wish: CleanupFilter, looked: Callable[[int, int], None] | None = None
    ) -> CleanupPlan:
        """Return the items that a clean-up would take and keep, with reasons."""
        ...

    async def clean(
        self,
        planned: CleanupPlan,
        wish: CleanupFilter,
        told: Callable[[CleanupItemResult], None] | None = None,
        stop: Callable[[], bool] = lambda: False,
        why: str = "",
    ) -> CleanupReport:
        """Clean up as planned, one item after another; the rest continues after a failure."""
        ...

    async def trash(self) -> list[TrashEntry]:
        """Return the entries of the trash, the newest first."""
        ...

    async def restore(self, entry: TrashEntry) -> None:
        """Bring a workspace back to where it was."""
        ...

    async def undo(self, run: str | None = None) -> list[TrashEntry]:
        """Restore what went to the trash last: of one run, or all that went there together."""
        ...

    async def empty(
        self,
        entries: Sequence[TrashEntry],
        stop: Callable[[], bool] = lambda: False,
        looked: Callable[[int, int], None] = lambda _done, _of: None,
    ) -> int:
        """Remove entries of the trash for good, and return the number removed."""
        ...

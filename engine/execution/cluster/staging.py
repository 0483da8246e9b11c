"""The files of a workspace for a node, made ready here by the rules of a workspace of this machine.

They are first copied into a folder of the home, as they would be into a workspace: with the same
limits and the same rules of what is left out. That folder does not change while it is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.config.locks import to_the_end
from engine.config.paths import Paths
from engine.domain.model import WorkspaceKind
from engine.execution.cluster.archive import write
from engine.execution.host_workspaces import WorkspaceRequest
from engine.system.files import real_path
from engine.workspaces.create import base
from engine.workspaces.create.copy_list import bring_listed
from engine.workspaces.create.create import make
from engine.workspaces.create.missing_parts import Lacking, objects_lacking
from engine.workspaces.create.uncommitted import Uncommitted, bring, uncommitted
from engine.workspaces.files.copying import CopyAllowance
from engine.workspaces.files.rooted_dir import RootedDir
from engine.workspaces.git.repository import Repository
from engine.workspaces.git.user_git_config import user_git_config

Stop = Callable[[], bool]


@dataclass(slots=True)
class Staged:
    """The files that are sent beside a commit, and what the user should know of them."""

    copy: Path | None = None
    changed: Path | None = None
    gone: tuple[bytes, ...] = ()
    listed: Path | None = None
    notices: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class UploadStaging:
    """The staging of one request in `folder`, a new folder of its own."""

    paths: Paths
    request: WorkspaceRequest
    folder: Path
    stop: Stop

    async def copy(self) -> Staged:
        """Copy a folder, and archive the copy."""
        setup, spec = self.request.setup, self.request.spec
        target = self.folder / "copy"

        def copied() -> list[str]:
            made = make(
                replace(spec, cwd=""),
                target,
                self.paths.home,
                self.stop,
                setup.ignore,
                setup.copy_files,
                setup.copy_limit,
            )
            return list(made.notices)

        notices = await to_the_end(asyncio.to_thread(copied))
        return Staged(copy=await self._archived(target), notices=notices)

    async def worktree(self, found: Repository, commit: str) -> Staged:
        """Archive what is in no commit but comes along, and note what stays behind."""
        setup, spec = self.request.setup, self.request.spec
        staged, allowance = Staged(), CopyAllowance(setup.copy_limit)
        here = found.top is not None and found.head is not None
        user = await user_git_config(found, self.paths.home)
        changes = await uncommitted(found, user, self.folder) if here else Uncommitted()
        listed = self.folder / "listed"
        listed.mkdir()
        if found.top and spec.include_uncommitted and changes.files:
            await self._uncommitted(found.top, changes, allowance, staged)
        if found.top and setup.copy_files:
            top = found.top
            bringing = asyncio.to_thread(bring_listed, top, listed, setup.copy_files, allowance)
            report = await to_the_end(bringing)
            staged.notices += report.notices()
            if report.files:
                staged.listed = await self._archived(listed)
        if late := await base.behind(found, spec.base or "HEAD", commit):
            staged.notices.append(late)
        missing = await asyncio.to_thread(self._missing, found, changes, listed)
        staged.notices += [missing] if missing else []
        return staged

    async def _uncommitted(
        self, top: Path, changes: Uncommitted, allowance: CopyAllowance, staged: Staged
    ) -> None:
        count = len(changes.files)
        files = "1 uncommitted file" if count == 1 else f"{count} uncommitted files"
        changed = self.folder / "changed"
        changed.mkdir()
        lost = await to_the_end(asyncio.to_thread(bring, top, changed, changes.files, allowance))
        staged.notices.append(f"{files} of the source brought along")
        if lost:
            staged.notices.append(f"could not be brought along: {', '.join(lost[:5])}")
        staged.gone = await asyncio.to_thread(_gone, top, changes)
        staged.changed = await self._archived(changed)

    def _missing(self, found: Repository, changes: Uncommitted, listed: Path) -> str:
        is_shallow, is_partial = objects_lacking(found.common_dir)
        lacking = Lacking(
            len(changes.files),
            self.request.spec.include_uncommitted,
            changes.nested,
            changes.ignored,
            is_shallow=is_shallow,
            is_partial=is_partial,
        )
        return lacking.notice(listed)

    async def _archived(self, folder: Path) -> Path:
        path = folder.with_suffix(".tar")

        def archive() -> None:
            with path.open("xb") as file:
                write(folder, file, self.stop)

        await to_the_end(asyncio.to_thread(archive))
        return path


def _gone(top: Path, changes: Uncommitted) -> tuple[bytes, ...]:
    """Return the files that are deleted: they are in the commit and not in the source."""
    with RootedDir(top) as below:
        return tuple(path for path in sorted(changes.files) if below.stat(path) is None)


def is_copied(request: WorkspaceRequest) -> bool:
    """Return whether a workspace is a copy of a folder of this machine."""
    return request.spec.kind is WorkspaceKind.COPY and bool(request.spec.source)


def origin_of(request: WorkspaceRequest) -> Path | None:
    """Return the folder of this machine that a workspace is made from."""
    spec = request.spec
    if not spec.source or spec.kind in (WorkspaceKind.FROM_RUN, WorkspaceKind.EMPTY):
        return None
    return real_path(Path(spec.source))

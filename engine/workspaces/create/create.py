"""Workspaces made, of every kind: empty, copy, worktree, from an earlier run, in place."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from engine.config import workspace_roots
from engine.config.paths import private_folder
from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.hosts import local_path
from engine.domain.model import Workspace, WorkspaceKind, WorkspaceSpec
from engine.domain.text import printable_name
from engine.system.environment import distrust
from engine.system.files import real_path
from engine.workspaces.create import base, working_folder, worktree
from engine.workspaces.create.copy_list import bring_listed
from engine.workspaces.create.free_space import check_room, check_size
from engine.workspaces.create.isolation import check_apart, check_no_git_directory
from engine.workspaces.create.missing_parts import Lacking, objects_lacking
from engine.workspaces.create.submodule_copy import SubmoduleCopy
from engine.workspaces.create.worktree import CreatedWorkspace, clear
from engine.workspaces.files import copying
from engine.workspaces.files.patterns import ignoring
from engine.workspaces.git import repository
from engine.workspaces.git.git import Git

_log = logging.getLogger(__name__)
BRANCH = "swarm/{run}"
ABOVE_WORKSPACES = 2
"""Greatest depth in the home of a folder that holds workspaces: `workspaces/<project>`."""
STOP_POLL_S = 0.05

T = TypeVar("T")


def check(
    spec: WorkspaceSpec, limit_bytes: int, home: Path, ignore: Sequence[str] = ()
) -> WorkspaceSpec:
    """Check a request for a workspace before anything is made; raises `UserError`.

    Returns the request, of a worktree with the commit that it starts from. `home` is the folder
    of the workspaces: a folder that holds them all cannot be copied into one. Files that
    `ignore` leaves out of a copy do not count. The source of a workspace from a run is the path
    of that run's workspace. Blocking, and not for a thread with an event loop.
    """
    if spec.kind is not WorkspaceKind.WORKTREE and (spec.base or spec.fetch):
        raise user_error("INPUT_INVALID", "Only a worktree starts from a base.", "Use --worktree.")
    cwd = working_folder.chosen(spec)
    if spec.kind is WorkspaceKind.EMPTY:
        if cwd:
            raise working_folder.missing(cwd, "an empty workspace")
        return spec
    source = _source(spec)
    if spec.kind is WorkspaceKind.WORKTREE:
        return asyncio.run(_pinned(spec, cwd, home))
    if not working_folder.is_inside(source, cwd):
        raise working_folder.missing(cwd, printable_name(str(source)))
    _check_breadth(source, home)
    _check_content(spec.kind, source, source / cwd, home)
    if spec.kind is not WorkspaceKind.IN_PLACE:
        left_out = ignore if spec.kind is WorkspaceKind.COPY else ()
        check_size(source, limit_bytes, ignoring(left_out))
    return spec


async def _pinned(spec: WorkspaceSpec, cwd: str, home: Path) -> WorkspaceSpec:
    """Pin the base of a worktree, and check that it has the folder to work in."""
    pinned = await base.pin(spec, home)
    if not cwd or not pinned.base_commit:
        return pinned
    found = await repository.must_find(_source(spec), needs_commit=False)
    is_brought = spec.include_uncommitted and found.top is not None
    if is_brought and found.top and working_folder.is_inside(found.top, cwd):
        return pinned
    if not await _has_folder(found.git, pinned.base_commit, cwd):
        raise working_folder.missing(cwd, "the commit that the worktree is made from")
    return pinned


async def _has_folder(git: Git, commit: str, cwd: str) -> bool:
    """Return whether a commit may have a folder; one behind a link is looked up when it is made."""
    parts = cwd.split("/")
    for count in range(1, len(parts) + 1):
        listed = await git.ask("ls-tree", commit, "--", "/".join(parts[:count]))
        if listed.out.startswith(b"120000"):
            return True
        if not listed.out.startswith((b"040000", b"160000")):
            return False
    return True


def _source(spec: WorkspaceSpec) -> Path:
    if not spec.source:
        raise user_error("INPUT_INVALID", f"A workspace of kind {spec.kind} needs a source.")
    source = Path(spec.source)
    if not source.is_dir():
        if spec.kind is WorkspaceKind.FROM_RUN:
            raise user_error("WORKSPACE_MISSING")
        name = printable_name(spec.source)
        raise user_error("SOURCE_NOT_FOUND", f"The source folder {name} does not exist.")
    return source


def _check_breadth(source: Path, home: Path) -> None:
    name = printable_name(str(source))
    real = real_path(source)
    if real in (Path("/"), real_path(Path.home())):
        raise user_error("WORKSPACE_UNSAFE", f"{name} is too wide to be copied or worked in.")
    tops = [(home, ABOVE_WORKSPACES), *((root, 1) for root in workspace_roots.chosen(home))]
    for top, depth in tops:
        top = real_path(top)
        if real.is_relative_to(top) and len(real.relative_to(top).parts) <= depth:
            raise user_error("WORKSPACE_UNSAFE", f"{name} holds the workspaces themselves.")


def _check_content(kind: WorkspaceKind, source: Path, folder: Path, home: Path) -> None:
    """Check that a source that is copied or worked in holds no files of ours or of git's own."""
    if kind in (WorkspaceKind.COPY, WorkspaceKind.IN_PLACE):
        check_no_git_directory(folder)
    if kind is WorkspaceKind.IN_PLACE:
        check_apart(source, home)
        distrust([str(source)])


def create(spec: WorkspaceSpec, target: Path, home: Path, stop: Callable[[], bool]) -> Workspace:
    """Make the workspace at `target`, as `make` does, without its notices."""
    return make(spec, target, home, stop).workspace


def make(
    spec: WorkspaceSpec,
    target: Path,
    home: Path,
    stop: Callable[[], bool],
    ignore: Sequence[str] = (),
    copy_files: Sequence[str] = (),
    limit_bytes: int | None = None,
    branch: str = BRANCH,
) -> CreatedWorkspace:
    """Make the workspace at `target`, again if an earlier try was cut short; raises `UserError`.

    `home` is left out of copies, and so are the names in `ignore`. `copy_files` are copied from
    the source of a worktree or copy, even if other rules leave them out. `stop` is asked
    repeatedly whether to stop, which raises InterruptedError. Nothing is left of a try that
    failed. Blocking, and not for a thread with an event loop.
    """
    try:
        made = _made(spec, target, home, stop, ignore, copy_files, limit_bytes, branch)
        cwd = working_folder.chosen(spec)
        if not working_folder.is_inside(local_path(made.workspace), cwd):
            raise working_folder.missing(cwd, "the workspace")
        missing = made.lacking.notice(local_path(made.workspace))
        made = replace(made, notices=(*made.notices, missing)) if missing else made
        return replace(made, workspace=replace(made.workspace, cwd=cwd))
    except BaseException:
        discard(spec, target, home)
        raise


def discard(spec: WorkspaceSpec, target: Path, home: Path) -> None:
    """Remove what a try to make a workspace at `target` left, as far as that can be done.

    Blocking, and not for a thread with an event loop.
    """
    if spec.kind is WorkspaceKind.IN_PLACE:
        return
    try:
        if spec.kind in (WorkspaceKind.WORKTREE, WorkspaceKind.FROM_RUN) and spec.source:
            asyncio.run(worktree.discard(real_path(spec.source), target, home))
        else:
            clear(target)
    except (UserError, OSError) as error:
        _log.warning("%s: remains of a failed try stay: %s", target, error)


def _made(
    spec: WorkspaceSpec,
    target: Path,
    home: Path,
    stop: Callable[[], bool],
    ignore: Sequence[str],
    copy_files: Sequence[str],
    limit_bytes: int | None,
    branch: str,
) -> CreatedWorkspace:
    if spec.kind is WorkspaceKind.EMPTY or (not spec.source and spec.kind is WorkspaceKind.COPY):
        _clear(target)
        target.mkdir(mode=0o700)
        return CreatedWorkspace(Workspace(str(target), spec.kind))
    source = real_path(_source(spec))
    # Again: a link may lead elsewhere since it was asked for.
    _check_content(spec.kind, source, source, home)
    if spec.kind is WorkspaceKind.IN_PLACE:
        return CreatedWorkspace(Workspace(str(source), spec.kind, source=str(source)))
    allowance = copying.CopyAllowance(limit_bytes)
    if spec.kind is WorkspaceKind.WORKTREE:
        branch = branch_of(branch, target.name)
        making = _worktree(spec, source, target, branch, home, allowance)
        return _with_listed(_run(making, stop), top_of(source), copy_files, allowance)
    if spec.kind is WorkspaceKind.FROM_RUN:
        name = branch_of(branch, target.name)
        return _from_run(source, target, home, stop, allowance, name)
    _clear(target)
    made = _copied(source, target, home, stop, ignore, allowance)
    return _with_listed(made, source, copy_files, allowance)


async def _worktree(
    spec: WorkspaceSpec,
    source: Path,
    target: Path,
    branch: str,
    home: Path,
    allowance: copying.CopyAllowance,
) -> CreatedWorkspace:
    """Make a worktree at its base, with a notice where the base is behind its upstream."""
    found = await repository.must_find(source, needs_commit=spec.base_commit is None)
    made = await worktree.create(
        source,
        target,
        branch,
        home,
        include_uncommitted=spec.include_uncommitted,
        allowance=allowance,
        commit=spec.base_commit,
        there=found,
    )
    commit = spec.base_commit or found.head
    late = await base.behind(found, spec.base or "HEAD", commit) if commit else ""
    return replace(made, notices=(*made.notices, late)) if late else made


def top_of(source: Path) -> Path | None:
    """Return the working tree of the repository around `source`; None where there is none."""
    found = repository.locate(source)
    return found[2] if found else None


def root_of(wish: WorkspaceSpec) -> Path | None:
    """Return the folder whose files a workspace will hold, where that is known beforehand."""
    if not wish.source or wish.kind in (WorkspaceKind.FROM_RUN, WorkspaceKind.EMPTY):
        return None
    source = Path(wish.source)
    root = top_of(source) if wish.kind is WorkspaceKind.WORKTREE else source
    return root if root and root.is_dir() else None


def _with_listed(
    made: CreatedWorkspace,
    source: Path | None,
    copy_files: Sequence[str],
    allowance: copying.CopyAllowance,
) -> CreatedWorkspace:
    if source is None or not copy_files:
        return made
    brought = bring_listed(source, local_path(made.workspace), copy_files, allowance)
    return replace(made, notices=(*made.notices, *brought.notices()))


def branch_of(pattern: str, run: str) -> str:
    """Return the name of a run's branch by the pattern of the settings."""
    return pattern.replace("{run}", run)


def _clear(target: Path) -> None:
    clear(target)
    private_folder(target.parent)


def _copied(
    source: Path,
    target: Path,
    home: Path,
    stop: Callable[[], bool],
    ignore: Sequence[str],
    allowance: copying.CopyAllowance,
) -> CreatedWorkspace:
    """Copy a folder; what in `.git` reaches into other working trees stays behind."""
    avoided = {real_path(home), *map(real_path, workspace_roots.chosen(home))}
    is_ignored = ignoring(ignore)
    check_room(
        source,
        target,
        lambda path, is_folder: source / path in avoided or is_ignored(path, is_folder),
    )
    linked = (source / ".git").is_file()

    def without(path: str, _info: os.stat_result) -> bool:
        if path == ".git" and linked:
            return True
        return path in (".git/worktrees", ".git/index.lock") or source / path in avoided

    copied = _copy(source, target, stop, ignore, without, allowance)
    target.chmod(0o700)
    workspace = Workspace(str(target), WorkspaceKind.COPY, source=str(source))
    return CreatedWorkspace(workspace, lacking=_lacking_copy(source, target, copied))


def _lacking_copy(source: Path, target: Path, copied: copying.CopyResult) -> Lacking:
    """Return what a copy lacks of its source."""
    found, has_git = repository.locate(source), (target / ".git").is_dir()
    is_shallow, is_partial = objects_lacking(target / ".git") if has_git else (False, False)
    return Lacking(
        is_shallow=is_shallow,
        is_partial=is_partial,
        no_history=found is not None and not has_git and found[2] is not None,
        left_out=copied.left_out,
        by_settings=sorted(copied.ignored),
    )


def _copy(
    source: Path,
    target: Path,
    stop: Callable[[], bool],
    ignore: Sequence[str],
    without: Callable[[str, os.stat_result], bool],
    allowance: copying.CopyAllowance,
) -> copying.CopyResult:
    try:
        return copying.copy_tree(
            source, target, stop=stop, ignore=ignore, without=without, allowance=allowance
        )
    except InterruptedError:
        raise
    except OSError as error:
        known = os_failure(error)
        if known.code != "INTERNAL":
            raise known from error
        raise user_error("INPUT_INVALID", f"The source cannot be copied: {error}.") from error


def _from_run(
    source: Path,
    target: Path,
    home: Path,
    stop: Callable[[], bool],
    allowance: copying.CopyAllowance,
    branch: str,
) -> CreatedWorkspace:
    """Copy an earlier run's workspace as it stands, as a worktree of its own where it is one."""
    found = _run(_worktree_of(source, target), stop)
    if found is None:
        _clear(target)
        made = _copied(source, target, home, stop, (), allowance)
        return replace(made, workspace=replace(made.workspace, kind=WorkspaceKind.FROM_RUN))
    private_folder(target.parent)
    check_room(source, target, lambda _path, _is_folder: False)
    branch, index = _run(worktree.register(found, target, branch, home, found.head), stop)
    # git has made the folder, with nothing but its `.git`, which is to survive the copy.
    link = (target / ".git").read_bytes()
    clear(target)
    copied = _copy(source, target, stop, (), lambda path, _info: path == ".git", allowance)
    (target / ".git").write_bytes(link)
    with suppress(FileNotFoundError):
        shutil.copyfile(found.git_dir / "index", index)
    target.chmod(0o700)
    failed = _run(SubmoduleCopy(found, target, index.parent, home).separate(), stop)
    workspace = Workspace(str(target), WorkspaceKind.FROM_RUN, str(source), branch)
    lacking = Lacking(left_out=copied.left_out, unlinked=failed)
    return CreatedWorkspace(workspace, lacking=lacking)


async def _worktree_of(folder: Path, target: Path) -> repository.Repository | None:
    """Return the repository that `folder` is a registered linked worktree of, or None."""
    found = await repository.find_outside(folder, target.parent.parent)
    if found is None:
        return None
    place = worktree.registration(found, folder)
    return found if found.head and place and real_path(place) == real_path(found.git_dir) else None


def _run(work: Coroutine[Any, Any, T], stop: Callable[[], bool]) -> T:
    """Run it in this thread; where `stop` returns true, end it and raise InterruptedError."""

    async def watched() -> T:
        task = asyncio.ensure_future(work)
        while not task.done():
            if stop():
                task.cancel()
            await asyncio.wait({task}, timeout=STOP_POLL_S)
        if task.cancelled():
            raise InterruptedError
        return task.result()

    return asyncio.run(watched())

"""Unsaved work: the part of a run's work that is nowhere else, found before anything is deleted."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from engine.config.paths import Paths
from engine.disk import unpushed_commits
from engine.disk.applied_work import AppliedWork, applied_work
from engine.disk.unpushed_commits import UnpushedCommits
from engine.disk.untracked_files import UntrackedFiles, leftovers
from engine.domain.errors import UserError
from engine.domain.hosts import local_path
from engine.domain.model import Run, Workspace, WorkspaceKind
from engine.domain.text import printable_name
from engine.workspaces.apply.rebased import tree_since
from engine.workspaces.checkpoints.checkpoint_refs import BASELINE
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.checkpoints.comparison import Comparison
from engine.workspaces.create import worktree
from engine.workspaces.create.origin import OriginCache
from engine.workspaces.git.foreign_repository import ForeignRepository
from engine.workspaces.git.git import Git
from engine.workspaces.git.repository import Repository

UNKNOWN = "the changes of this run are unknown"


@dataclass(frozen=True, slots=True)
class UnsavedWork:
    """Work that is nowhere else; false where all of it is somewhere else, too."""

    files: int = 0
    """Changed files that were not applied."""
    submodules: int = 0
    """Changed commits of submodules, and new nested repositories, that were not applied."""
    undone: int = 0
    """Applied files that are not where they were applied any more."""
    unread: int = 0
    """Files that could not be read."""
    ignored: tuple[bytes, ...] = ()
    """Files that git ignores, changed since the workspace was made: no patch holds them."""
    holdings: tuple[UnpushedCommits, ...] = ()
    """Repositories with commits that are nowhere else."""
    is_known: bool = True
    has_git: bool = True
    is_dirty: bool = False
    """True if there are changes that are in no commit."""
    history: tuple[UnpushedCommits, ...] = ()
    """Repositories whose commits are nowhere else, though what they came to was applied."""
    branch: str | None = None
    """The run's branch, where it alone holds the commits that were applied: it stays."""

    def __bool__(self) -> bool:
        return bool(self.words)

    @property
    def unapplied(self) -> int:
        """Changed files that were not applied, where nothing else is unsaved; else 0."""
        return self.files if self.words == UnsavedWork(files=self.files).words else 0

    @property
    def commits(self) -> int:
        """Commits that are nowhere else."""
        return sum(one.count for one in self.holdings)

    @property
    def state(self) -> str:
        """All of it in few words, as git would put it."""
        if not self.is_known:
            return "not known"
        parts = [f"{counted(self.commits, 'commit')} nowhere else"] if self.commits else []
        how = "dirty" if self.is_dirty else "not applied"
        if self.files or self.unread:
            parts.append(f"{how}: {counted(self.files + self.unread, 'file')}")
        parts += [f"{how}: {counted(self.submodules, 'submodule')}"] if self.submodules else []
        parts += [f"undone: {counted(self.undone, 'file')}"] if self.undone else []
        parts += [f"{len(self.ignored)} ignored"] if self.ignored else []
        return ", ".join([*([] if self.has_git else ["no git"]), *(parts or ["clean"])])

    @property
    def words(self) -> str:
        """All of it in words; empty where there is none."""
        if not self.is_known:
            return UNKNOWN
        parts: list[str] = []
        if self.files:
            parts.append(f"{counted(self.files, 'changed file')} not applied")
        if self.submodules:
            parts.append(f"{counted(self.submodules, 'changed submodule')} not applied")
        if self.undone:
            parts.append(f"{counted(self.undone, 'applied file')} no longer in the source")
        if self.unread:
            parts.append(f"{counted(self.unread, 'file')} could not be read")
        parts += (f"{counted(one.count, 'commit')} {_nowhere(one)}" for one in self.holdings)
        if self.ignored:
            first = printable_name(os.fsdecode(self.ignored[0]))
            more = ", …" if len(self.ignored) > 1 else ""
            parts.append(f"{counted(len(self.ignored), 'ignored file')} ({first}{more})")
        return ", ".join(parts)


def _nowhere(one: UnpushedCommits) -> str:
    if one.name:
        return f"of {printable_name(one.name)} in no other repository"
    return "on no other branch" if one.is_branch else "in no other repository"


async def unsaved(
    run: Run,
    paths: Paths,
    worthless: Collection[str],
    asked: OriginCache | None = None,
    *,
    in_words: bool = False,
) -> UnsavedWork:
    """Return the part of a run's work that is nowhere else.

    Applied work counts as kept; unknown work counts as not. `worthless` names ignored files and
    folders that are not work. Callers that check many runs share the cache `asked`: good enough
    to show, not to delete. For its `words`, `is_dirty` of a workspace may stay unknown.
    """
    workspace = run.workspace
    if workspace is None or workspace.kind is WorkspaceKind.IN_PLACE:
        return UnsavedWork()
    if not run.baseline:
        return UnsavedWork(is_known=False)
    folder = paths.checkpoints(run.id, local_path(workspace))
    try:
        asked = asked or OriginCache()
        store = await Checkpoints.open(folder, workspace, asked)
        return await _inspect(run, store, paths, worthless, asked, in_words=in_words)
    except (UserError, OSError):
        return UnsavedWork(is_known=False)


async def _inspect(
    run: Run,
    store: Checkpoints,
    paths: Paths,
    worthless: Collection[str],
    asked: OriginCache,
    *,
    in_words: bool,
) -> UnsavedWork:
    assert run.workspace
    scratch = store.git.git_dir.parent
    work = await applied_work(run, store, asked, paths.home)
    old, now = await asyncio.gather(tree_since(store, work.since), store.now())
    made = await store.point(BASELINE)
    changed = (await Comparison.between(store.git, old, now.tree)).changes.files
    undone = {os.fsdecode(path) for path in work.undone} - {file.path for file in changed}
    more = await _leftovers(run.workspace, store, now.files, made.at, worthless)
    place = None
    if store.repository and store.is_worktree:
        place = worktree.registration(store.repository, store.root)
    git_dirs = await asyncio.to_thread(_git_dirs, store.root, more, place)
    look = _Commits(run.workspace, store.repository, git_dirs, asked, scratch, work)
    holdings = await look.holdings(is_taken=work.is_kept)
    has_history = work.is_kept and not in_words
    history = await look.holdings(is_taken=False) if has_history else ()
    own = next((git_dir for name, git_dir in git_dirs if not name), None)
    head = own or (Git(place) if place else None)
    is_dirty = changed and head and (in_words or not await _is_tree(head, now.tree, scratch))
    links = {file.path for file in changed if file.is_submodule}
    return UnsavedWork(
        sum(not file.is_submodule for file in changed),
        len(links.union(map(os.fsdecode, work.submodules))),
        len(undone),
        len(now.left_out),
        tuple(sorted(more.ignored)),
        holdings,
        has_git=head is not None,
        is_dirty=bool(is_dirty),
        history=history,
        branch=run.workspace.branch if work.on_branch else None,
    )


@dataclass(frozen=True, slots=True)
class _Commits:
    """Looks for the commits of a workspace that are nowhere else."""

    workspace: Workspace
    repository: Repository | None
    git_dirs: list[tuple[str, ForeignRepository]]
    asked: OriginCache
    scratch: Path
    work: AppliedWork

    async def holdings(self, *, is_taken: bool) -> tuple[UnpushedCommits, ...]:
        """Return what holds them; with `is_taken`, what is checked out was applied."""
        branch = await unpushed_commits.of_branch(
            self.workspace,
            self.repository,
            is_taken=is_taken,
            stays=self.work.on_branch,
            asked=self.asked,
        )
        inside = await unpushed_commits.inside(
            self.workspace, self.git_dirs, self.asked, self.scratch, is_taken=is_taken
        )
        inside += await unpushed_commits.of_worktrees(self.workspace, self.repository, self.asked)
        return tuple([branch, *inside] if branch else inside)


async def _leftovers(
    workspace: Workspace,
    store: Checkpoints,
    counted: Collection[bytes],
    made: float,
    worthless: Collection[str],
) -> UntrackedFiles:
    source = Path(workspace.source) if workspace.source else None
    if source and store.is_worktree and store.repository:
        source = store.repository.top or source
    root = local_path(workspace)
    return await asyncio.to_thread(leftovers, root, counted, made, source, worthless)


def _git_dirs(
    root: Path, more: UntrackedFiles, place: Path | None
) -> list[tuple[str, ForeignRepository]]:
    """Return the repositories of a workspace, those of its submodules included, by name.

    Blocking.
    """
    found: list[tuple[str, ForeignRepository]] = []
    for name, git_dir in more.git_dirs:
        found.append((name, _foreign(root, git_dir)))
        for module in unpushed_commits.modules(git_dir / "modules"):
            found.append((str(Path(name) / module.name), _foreign(root, module)))
    if place:
        found += [
            (_name(place, m), _foreign(place, m))
            for m in unpushed_commits.modules(place / "modules")
        ]
    return found


def _name(place: Path, module: Path) -> str:
    """Return a submodule's name, as it is kept below the git directory of a worktree."""
    return str(module.relative_to(place / "modules")).replace("/modules/", "/")


def _foreign(root: Path, git_dir: Path) -> ForeignRepository:
    return ForeignRepository(root, str(git_dir.relative_to(root)))


async def _is_tree(head: Git | ForeignRepository, tree: str, scratch: Path) -> bool:
    """Return whether what a git directory has checked out is this tree."""
    if isinstance(head, ForeignRepository):
        async with head.opened(scratch) as git:
            return await _is_tree(git, tree, scratch)
    answer = await head.ask("rev-parse", "-q", "--verify", "HEAD^{tree}")
    return answer.code == 0 and answer.out.decode("ascii").strip() == tree


def counted(count: int, what: str) -> str:
    """Return a number of something in words."""
    return f"{count} {what}{'' if count == 1 else 's'}"

"""A run's changes as commits: on the run's branch, and from there on the current one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from engine.domain.errors import user_error
from engine.system.files import real_path
from engine.workspaces.apply import three_way
from engine.workspaces.apply.branch_update import BranchUpdate, BuiltCommit
from engine.workspaces.apply.commit_builder import CommitBuilder, follow_branch
from engine.workspaces.apply.line_endings import LineEndings
from engine.workspaces.apply.lineage import Lineage
from engine.workspaces.apply.progress import NOT_SHOWN, Progress
from engine.workspaces.apply.staging import journal_for
from engine.workspaces.apply.three_way import BroughtChanges, Conflict
from engine.workspaces.git import objects
from engine.workspaces.git.git import Git
from engine.workspaces.git.heads import busy_with, checked_out_in
from engine.workspaces.git.repository import Repository
from engine.workspaces.git.signing import Signing
from engine.workspaces.git.user_git_config import UserGitConfig


@dataclass(slots=True)
class CommitResult:
    """The changes of a commit or merge, made or planned, and its conflicts."""

    files: list[bytes] = field(default_factory=list[bytes])
    clashes: list[Conflict] = field(default_factory=list[Conflict])
    commit: str | None = None
    branch: str | None = None
    into: str | None = None
    """The branch that a merge went into."""
    signed: bool | None = None
    """True if the commit was signed; None where none was made."""


class Merge:
    """Commits one run's changes into `repository`, given as the repository stores files."""

    def __init__(
        self,
        git: Git,
        repository: Repository,
        who: UserGitConfig,
        line_ends: LineEndings,
        workspace: Path,
        own: Lineage,
        signing: Signing | None = None,
        progress: Progress = NOT_SHOWN,
    ) -> None:
        self._progress = progress
        self._shop = CommitBuilder(git, repository, who, signing)
        self._repository = repository
        self._line_ends = line_ends
        self._workspace = workspace
        self._own = own

    async def commit(
        self, bringing: BroughtChanges, branch: str | None, message: str, *, really: bool
    ) -> CommitResult:
        """Commit the changes on the run's branch, made from HEAD if it is not there."""
        if branch is None:
            raise user_error("INPUT_INVALID", "The run has no branch.", "Name one for it.")
        tip, clashes = await self._tip(branch)
        built = await self._build(bringing, self._own.parent or self._head, message)
        done = CommitResult(
            sorted(built.joined.files), clashes + built.joined.clashes, branch=branch
        )
        if done.clashes:
            return done
        if self._own.parent != tip and self._own.base:
            since = await self._shop.pairs(tip or self._own.base, built.base)
            done.files = sorted({*done.files, *(pair.path for pair in since)})
        if really and built.sha != tip:
            self._progress.stop.begin()
            await self._deliver(built)
            await self._shop.move({f"refs/heads/{branch}": (built.sha, tip)}, "swarm-tui: commit")
            await self._follow(built.sha)
        if really:
            done.commit, done.signed = built.sha, self._signed(built)
        return done

    def _signed(self, *made: BuiltCommit | None) -> bool | None:
        """Return whether these commits were signed; None where none was made now."""
        is_made = any(one and one.sha != one.base for one in made)
        return self._shop.signing is not None if is_made else None

    async def _deliver(self, built: BuiltCommit) -> None:
        if built.sha != built.base:
            await self._shop.deliver(built.sha, await self._shop.tree_of(built.base))

    async def _follow(self, commit: str) -> None:
        """Update the workspace's index to its branch; the index of another branch stays."""
        if self._own.is_attached:
            await follow_branch(self._shop.git, self._repository, self._workspace, commit)

    async def merge(
        self,
        bringing: BroughtChanges,
        aside: tuple[str, BroughtChanges] | None,
        message: str,
        home: Path,
        *,
        really: bool,
    ) -> CommitResult:
        """Bring it into the current branch.

        `aside`: commit on the run's own branch first, what is new there, and merge that.
        """
        top = self._top()
        reason = await busy_with(self._repository)
        clashes = [Conflict("", reason)] if reason else []
        side: BuiltCommit | None = None
        tip: str | None = None
        branch = None
        if aside:
            branch, new_there = aside
            tip, more = await self._tip(branch)
            clashes += more
            side = await self._build(new_there, self._own.parent or self._head, message)
            clashes += side.joined.clashes
        whole = await self._build(bringing, self._head, message, side)
        clashes += [clash for clash in whole.joined.clashes if clash not in clashes]
        journal = journal_for(home, top)
        landing = BranchUpdate(
            self._shop, self._repository, top, journal, self._line_ends, self._progress
        )
        moves, found = await landing.plan(whole)
        done = CommitResult(sorted(whole.joined.files), clashes + found, branch=branch)
        if done.clashes or not really:
            return done
        refs: dict[str, tuple[str, str | None]] = {}
        if side and branch and side.sha != tip:
            refs[f"refs/heads/{branch}"] = (side.sha, tip)
            await self._deliver(side)
        done.clashes += await landing.write(whole, moves, refs)
        if side and not done.clashes:
            await self._follow(side.sha)
        done.commit, done.signed = whole.sha, self._signed(whole, side)
        done.into = short_name(self._repository.branch)
        return done

    def _top(self) -> Path:
        if self._repository.top is None:
            raise user_error(
                "INPUT_INVALID",
                "A bare repository has no current branch to merge into.",
                "Apply the changes as a commit or as a patch.",
            )
        return self._repository.top

    @property
    def _head(self) -> str:
        assert self._repository.head
        return self._repository.head

    async def _tip(self, branch: str) -> tuple[str | None, list[Conflict]]:
        git = self._repository.git
        answer = await git.ask("rev-parse", "-q", "--verify", f"refs/heads/{branch}^{{commit}}")
        if answer.code:
            return None, []
        mine = real_path(self._workspace)
        others = await checked_out_in(self._repository, branch)
        clashes = [
            Conflict("", f"the branch {branch} is checked out in {place}")
            for place in others
            if real_path(place) != mine
        ]
        return answer.out.decode("ascii").strip(), clashes

    async def _build(
        self, bringing: BroughtChanges, base: str, message: str, side: BuiltCommit | None = None
    ) -> BuiltCommit:
        """Build the commit that brings the changes to `base`, merging `side` where there is one."""
        ours = await objects.tree(self._shop.git, base)
        joined = await three_way.join(self._shop.git, bringing, ours, {})
        three_way.in_the_way(joined, ours)
        if joined.clashes:
            return BuiltCommit(base, base, joined)
        tree = await self._shop.changed_tree(base, joined.files)
        if side and not side.joined.clashes and await self._is_forward(base, tree, side):
            return BuiltCommit(side.sha, base, joined)
        if tree == await self._shop.tree_of(base):
            return BuiltCommit(base, base, joined)
        parents = [base, side.sha] if side else [base]
        return BuiltCommit(await self._shop.commit(tree, parents, message), base, joined)

    async def _is_forward(self, base: str, tree: str, side: BuiltCommit) -> bool:
        same = tree == await self._shop.tree_of(side.sha)
        return same and await self._shop.is_ancestor(base, side.sha)


def short_name(ref: str | None) -> str | None:
    """Return a branch as the user calls it."""
    return ref.removeprefix("refs/heads/") if ref else None

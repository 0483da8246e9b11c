"""The plan of a clean-up: the workspaces that go and stay, each with the reason in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.domain.digest import digest_of
from engine.domain.hosts import path_here
from engine.domain.lifecycle import FINISHED
from engine.domain.model import LOCAL, Run, WorkspaceKind
from engine.domain.text import printable_name

DAY_S = 86_400.0
HOUR_S = 3_600.0


@dataclass(frozen=True, slots=True)
class CleanupFilter:
    """The user's filter for a clean-up; an empty one matches all."""

    older_than_s: float = 0.0
    """Only runs that ended at least so long ago, in seconds; 0: all that have ended."""
    statuses: frozenset[str] = frozenset()
    project: str | None = None
    keep: int = 0
    """The newest runs of each project that stay."""
    runs: frozenset[str] = frozenset()
    """Only these runs."""
    paths: frozenset[str] = frozenset()
    """Only the workspaces at these places."""
    artefacts_only: bool = False
    """Take only what can be made again: `node_modules` and the like."""
    including_unsaved: bool = False
    """Take work that is nowhere else, too; it is kept in the trash."""
    here_only: bool = False
    """Take no workspaces on nodes, which have no trash."""
    sessions: bool = False
    """Take agents' session files of runs that cannot go on, not workspaces."""


@dataclass(frozen=True, slots=True)
class RebuildableFolder:
    """A folder of a workspace that can be made again: where, its size in bytes, and which it is."""

    path: str
    """Relative to the workspace, as `os.fsdecode` returns it."""
    size: int
    device: int
    inode: int


@dataclass(frozen=True, slots=True)
class CleanupCandidate:
    """A run with a workspace that is there: its size in bytes, what of it can be made again."""

    run: Run
    disk: int = 0
    rebuildable: int = 0
    unsaved: str = ""
    """Work of it that is nowhere else, in words; empty where there is none."""
    unapplied: int = 0
    """Changed files that were not applied, where nothing else is unsaved."""
    branch: str = ""
    """The branch that stays: only it holds commits that were applied."""
    folders: tuple[RebuildableFolder, ...] = ()
    """Folders of it that can be made again, one by one, where that was asked for."""
    problem: str = ""
    """Reason why that is unknown; empty where it is known."""
    is_size_known: bool = True
    """False while the node that it is on does not answer."""


@dataclass(frozen=True, slots=True)
class CleanupItem:
    """One workspace of a plan."""

    run: str
    title: str
    project: str
    size: int
    """Bytes that are freed, or that stay."""
    why: str
    path: str = ""
    """Path of the workspace: a run has several where fresh starts left some behind."""
    folders: tuple[RebuildableFolder, ...] = ()
    """Folders of it that go, where that is not all of it."""
    is_unsaved: bool = False
    """True if it stays because work in it is nowhere else."""
    unapplied: int = 0
    """Changed files that were not applied, where that is the only reason why it stays."""
    unsaved: str = ""
    """The work in it that is nowhere else, in words, where it goes with it."""
    host: str = ""
    """The node that it is on, without a trash: it goes for good; empty: it is here."""


@dataclass(frozen=True, slots=True)
class CleanupPlan:
    """The items that go and those that stay, the largest first."""

    take: tuple[CleanupItem, ...] = ()
    keep: tuple[CleanupItem, ...] = ()
    artefacts_only: bool = False
    sessions: bool = False
    """True if the items are session files, not workspaces."""

    @property
    def is_for_good(self) -> bool:
        """Return whether what is taken does not go to the trash."""
        is_there = bool(self.take) and all(item.host for item in self.take)
        return self.artefacts_only or self.sessions or is_there

    @property
    def on_nodes(self) -> int:
        """The number of workspaces on nodes that go, for good."""
        return sum(bool(item.host) for item in self.take)

    @property
    def noun(self) -> str:
        """The noun for its items."""
        return "session" if self.sessions else "workspace"

    @property
    def size(self) -> int:
        """The bytes that it frees."""
        return sum(item.size for item in self.take)

    @property
    def digest(self) -> str:
        """The digest that confirms it: it changes with the items that go and their unsaved work.

        It does not change with sizes and ages, nor with the items that stay.
        """
        taken = [
            [item.run, item.path, item.unsaved, sorted(_identity(one) for one in item.folders)]
            for item in self.take
        ]
        return digest_of(self.artefacts_only, self.sessions, sorted(taken))


def _identity(folder: RebuildableFolder) -> list[str | int]:
    return [folder.path, folder.device, folder.inode]


def plan(candidates: Iterable[CleanupCandidate], wish: CleanupFilter, now: float) -> CleanupPlan:
    """Decide over each candidate; `now` in seconds since 1970."""
    take: list[CleanupItem] = []
    keep: list[CleanupItem] = []
    newest: dict[str, dict[str, int]] = {}
    for one in sorted(candidates, key=lambda one: one.run.id, reverse=True):
        project = one.run.spec.project
        places = newest.setdefault(project, {})
        place = places.setdefault(one.run.id, len(places) + 1)
        if not _wanted(one.run, wish):
            continue
        kept = _kept(one, wish, place, now)
        size = one.rebuildable if wish.artefacts_only else one.disk
        is_forced = wish.artefacts_only or wish.including_unsaved
        unsaved = "" if kept or is_forced else one.unsaved
        why = kept or unsaved or _taken(one, wish, now)
        path, title = place_of(one.run), one.run.spec.title
        unapplied = one.unapplied if unsaved else 0
        item = CleanupItem(
            one.run.id,
            title,
            project,
            size,
            why,
            path,
            one.folders,
            bool(unsaved),
            unapplied,
            one.unsaved,
            _node(one.run),
        )
        (keep if kept or unsaved else take).append(item)
    return CleanupPlan(largest_first(take), largest_first(keep), wish.artefacts_only)


def _wanted(run: Run, wish: CleanupFilter) -> bool:
    return (
        (not wish.runs or run.id in wish.runs)
        and (not wish.paths or place_of(run) in wish.paths)
        and (not wish.statuses or run.status in wish.statuses)
        and wish.project in (None, run.spec.project)
    )


def _kept(one: CleanupCandidate, wish: CleanupFilter, place: int, now: float) -> str:
    """Return why a workspace stays, whatever it holds; empty where nothing speaks for it."""
    run = one.run
    if run.status not in FINISHED:
        return f"is {run.status}"
    if run.workspace is None or run.workspace.kind is WorkspaceKind.IN_PLACE:
        return "is the source itself"
    if wish.older_than_s and _age_s(run, now) < wish.older_than_s:
        return f"ended only {ago(_age_s(run, now))} ago"
    if place <= wish.keep:
        return f"is one of the last {wish.keep} of {run.spec.project}"
    if wish.artefacts_only:
        nothing = "" if one.rebuildable else "has nothing that can be made again"
        return one.problem or nothing
    return ""


def _taken(one: CleanupCandidate, wish: CleanupFilter, now: float) -> str:
    ended = f"{one.run.status}, ended {ago(_age_s(one.run, now))} ago"
    if wish.artefacts_only:
        return ended
    stays = f", the branch {one.branch} stays" if one.branch else ""
    lost = one.unsaved or "nothing is lost"
    if node := _node(one.run):
        lost = one.unsaved or "no changes that are not applied"
        stays = f"; on the node {printable_name(node)}, for good"
        stays += "" if one.is_size_known else "; its size is unknown: the node does not answer"
    return f"{ended}; {lost}{stays}"


def place_of(run: Run) -> str:
    """Return where the workspace of a run is: a path here, or `NODE:PATH`."""
    node = _node(run)
    return f"{node}:{run.workspace.path}" if node and run.workspace else path_here(run)


def _node(run: Run) -> str:
    return run.workspace.host if run.workspace and run.workspace.host != LOCAL else ""


def _age_s(run: Run, now: float) -> float:
    return max(0.0, now - (run.finished_at or run.created_at))


def ago(seconds: float) -> str:
    """Return a time span in words, to the day or hour."""
    for size, word in ((DAY_S, "day"), (HOUR_S, "hour")):
        if seconds >= size:
            count = int(seconds / size)
            return f"{count} {word}{'' if count == 1 else 's'}"
    return "less than an hour"


def largest_first(items: list[CleanupItem]) -> tuple[CleanupItem, ...]:
    """Sort items by what they free."""
    return tuple(sorted(items, key=lambda item: -item.size))

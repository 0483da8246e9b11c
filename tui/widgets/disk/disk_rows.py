"""Disk usage as rows: by project, run and folder, as far as they are unfolded. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.domain.model import Run
from engine.engine import DiskUsage, FolderSize, LocationKind, TrashEntry, UnsavedWork

TABS: dict[str, tuple[LocationKind, ...]] = {
    "workspaces": (LocationKind.WORKSPACE, LocationKind.NODE),
    "run files": (LocationKind.FILES,),
    "database": (LocationKind.DATABASE, LocationKind.OTHER),
    "trash": (LocationKind.TRASH,),
    "Codex": (LocationKind.AGENT, LocationKind.ROLLOUT),
}
SESSIONS = "sessions"
"""The id of the row that holds the session files of runs here."""
SORTS = ("size", "can go", "touched", "ended", "status", "git", "name")


@dataclass(frozen=True, slots=True)
class DiskRow:
    """A line: a project, a run's place, or something inside one."""

    id: str
    depth: int
    name: str
    figures: FolderSize
    share: float
    """Part of the largest of its siblings, from 0 to 1."""
    path: Path | None = None
    run: str = ""
    opens: bool = False
    is_open: bool = False
    is_done: bool = True
    error: str = ""
    state: str = ""
    """Of a session file: why it stays or may go."""


@dataclass(slots=True)
class _Node:
    id: str
    name: str
    figures: FolderSize
    path: Path | None = None
    run: str = ""
    opens: bool = False
    is_done: bool = True
    error: str = ""
    state: str = ""
    children: list[_Node] = field(default_factory=list["_Node"])


class DiskRows:
    """All that was measured, and the rows it makes in the tab that is shown."""

    def __init__(self) -> None:
        self.tab = next(iter(TABS))
        self.sort = SORTS[0]
        self.is_reversed = False
        self.states: dict[str, UnsavedWork] = {}
        """Work in each workspace that is nowhere else, as far as it was looked for."""
        self.is_apparent = False
        """True where sizes are the files' own, not those on disk."""
        self.rows: list[DiskRow] = []
        self._lines: dict[str, int] = {}
        self._usage: dict[Path, DiskUsage] = {}
        self._seen: set[Path] = set()
        self._inside: dict[Path, list[DiskUsage]] = {}
        self._open: set[str] = set()
        self._runs: Mapping[str, Run] = {}
        self._entries: Mapping[str, TrashEntry] = {}

    def begin(self, runs: Mapping[str, Run], entries: Iterable[TrashEntry]) -> None:
        """Begin a new look; what the last one found stays until it is found again."""
        self._seen.clear()
        self._runs = runs
        self._entries = {entry.id: entry for entry in entries}

    def end(self) -> None:
        """End the look: what it did not find is gone."""
        self._usage = {path: self._usage[path] for path in self._usage if path in self._seen}
        self._inside.clear()

    def tell(self, one: DiskUsage) -> None:
        """Take in what a place takes; what is known in whole is not shown in part again."""
        known = self._usage.get(one.place.path)
        self._seen.add(one.place.path)
        if one.done or known is None or not known.done:
            self._usage[one.place.path] = one

    def tell_inside(self, folder: Path, found: list[DiskUsage]) -> None:
        """Take in what lies directly in a folder."""
        self._inside[folder] = found

    def knows_inside(self, folder: Path) -> bool:
        """Return whether a folder was measured inside."""
        return folder in self._inside

    def entry(self, row: DiskRow) -> TrashEntry | None:
        """Return the trash's entry of a row."""
        return self._entries.get(row.path.name) if row.path else None

    def workspaces_of(self, ids: Iterable[str]) -> list[str]:
        """Return the paths of these rows' workspaces; a project stands for all of its.

        Folders that belong to no run are left out.
        """
        wanted = set(ids)
        return [
            str(node.path)
            for project in self._projects(TABS["workspaces"])
            for node in project.children
            if node.run and wanted & {project.id, node.id}
        ]

    def entries_of(self, ids: Iterable[str]) -> list[TrashEntry]:
        """Return the trash's entries of these rows."""
        wanted = set(ids)
        return [one for row in self.rows if row.id in wanted and (one := self.entry(row))]

    def sessions_of(self, ids: Iterable[str]) -> list[str]:
        """Return the paths of these rows' session files."""
        wanted = set(ids)
        everything = SESSIONS in wanted
        return [
            str(path)
            for path, one in self._usage.items()
            if one.place.kind is LocationKind.ROLLOUT and (everything or f"place:{path}" in wanted)
        ]

    def workspaces(self) -> list[tuple[str, str]]:
        """Return the workspaces that were found, and the run of each."""
        return [
            (str(path), one.place.run)
            for path, one in self._usage.items()
            if one.place.kind in (LocationKind.WORKSPACE, LocationKind.NODE) and one.place.run
        ]

    def total(self) -> FolderSize:
        """Return the sum of the tab."""
        kinds = set(TABS[self.tab]) - {LocationKind.ROLLOUT}  # these count in the sessions
        return _sum(one.figures for one in self._usage.values() if one.place.kind in kinds)

    def toggle(self, row_id: str, *, is_open: bool) -> None:
        """Unfold a row, or fold it."""
        (self._open.add if is_open else self._open.discard)(row_id)

    def bytes(self, figures: FolderSize) -> int:
        """Return the size that is shown."""
        return figures.apparent if self.is_apparent else figures.disk

    def arrange(self) -> None:
        """Make the rows again from what is known."""
        self.rows = list(self._flat(self._top(), 0))
        self._lines = {row.id: line for line, row in enumerate(self.rows)}

    def ids_at(self, line: int) -> Sequence[str]:
        """Return the id of a row."""
        return (self.rows[line].id,)

    def visible_ids(self) -> Iterable[str]:
        """Return the ids of all rows."""
        return self._lines

    def __contains__(self, one: str) -> bool:
        return one in self._lines

    def line_of(self, one: str) -> int | None:
        """Return the line of a row."""
        return self._lines.get(one)

    def _top(self) -> list[_Node]:
        kinds = TABS[self.tab]
        if kinds in (TABS["workspaces"], TABS["run files"]):
            return self._projects(kinds)
        nodes = [self._node(one) for one in self._usage.values() if one.place.kind in kinds]
        return self._with_sessions(nodes) if LocationKind.ROLLOUT in kinds else nodes

    def _with_sessions(self, nodes: list[_Node]) -> list[_Node]:
        """Put the session files of runs here below a row of their own."""
        ours = [node for node in nodes if node.state]
        if not ours:
            return nodes
        figures = _sum(node.figures for node in ours)
        name = f"{len(ours)} sessions of runs here, which count in the others"
        parent = _Node(SESSIONS, name, figures, opens=True, children=ours)
        return [parent, *(node for node in nodes if not node.state)]

    def _projects(self, kinds: Sequence[LocationKind]) -> list[_Node]:
        projects: dict[str, _Node] = {}
        for one in self._usage.values():
            if one.place.kind in kinds:
                name = one.place.project
                project = projects.setdefault(
                    name,
                    _Node(f"project:{name}", name or "(no run known)", FolderSize(), opens=True),
                )
                project.children.append(self._node(one))
        for project in projects.values():
            project.figures = _sum(node.figures for node in project.children)
            project.is_done = all(node.is_done for node in project.children)
            count = sum(bool(self.states.get(str(node.path))) for node in project.children)
            project.state = f"{count} with work nowhere else" if count else ""
        return list(projects.values())

    def _node(self, one: DiskUsage) -> _Node:
        place = one.place
        run = self._runs.get(place.run)
        entry = self._entries.get(place.name)
        title = run.spec.title if run else entry.title if entry else ""
        name = f"{place.run or place.name}  {title}" if title else place.name
        is_rollout = place.kind is LocationKind.ROLLOUT
        return _Node(
            f"place:{place.path}",
            name,
            one.figures,
            place.path,
            place.run,
            opens=not is_rollout and one.figures.entries > 1,
            is_done=one.done,
            error=one.error or "",
            state=place.state,
        )

    def _flat(self, nodes: list[_Node], depth: int) -> Iterator[DiskRow]:
        largest = max((self.bytes(node.figures) for node in nodes), default=0) or 1
        for node in sorted(nodes, key=self._rank, reverse=self.is_reversed):
            is_open = node.opens and node.id in self._open
            yield DiskRow(
                node.id,
                depth,
                node.name,
                node.figures,
                self.bytes(node.figures) / largest,
                node.path,
                node.run,
                node.opens,
                is_open,
                node.is_done,
                node.error,
                node.state,
            )
            if is_open:
                inner = node.children or [self._part(one) for one in self._in(node.path)]
                yield from self._flat(inner, depth + 1)

    def _in(self, path: Path | None) -> list[DiskUsage]:
        return self._inside.get(path, []) if path else []

    def _part(self, one: DiskUsage) -> _Node:
        place = one.place
        return _Node(
            f"place:{place.path}",
            place.name,
            one.figures,
            place.path,
            opens=one.figures.entries > 1,
        )

    def _rank(self, node: _Node) -> tuple[float | str, str]:
        match self.sort:
            case "size":
                return -self.bytes(node.figures), node.name
            case "can go":
                return -node.figures.rebuildable, node.name
            case "touched":
                return node.figures.newest or float("inf"), node.name
            case "ended":
                return self.ended(node) or float("inf"), node.name
            case "status":
                run = self._runs.get(node.run)
                return run.status if run else "", node.name
            case "git":
                return -self._weight(node), node.name
            case _:
                return 0.0, node.name

    def ended(self, one: DiskRow | _Node) -> float | None:
        """Return the time when a row's run ended, or was deleted, in seconds since 1970."""
        entry = self._entries.get(one.path.name) if one.path else None
        run = self._runs.get(one.run)
        return entry.at if entry else run.finished_at if run and one.path else None

    def _weight(self, node: _Node) -> float:
        """Return the amount of work that exists nowhere else, of a project in all workspaces."""
        if node.children:
            return sum(map(self._weight, node.children))
        found = self.states.get(str(node.path))
        if found is None or not found:
            return 0.0
        return 1000.0 * found.commits + found.files + found.unread + len(found.ignored) + 1


def _sum(all_figures: Iterable[FolderSize]) -> FolderSize:
    disk = apparent = rebuildable = entries = unread = 0
    newest = 0.0
    for one in all_figures:
        disk += one.disk
        apparent += one.apparent
        rebuildable += one.rebuildable
        entries += one.entries
        unread += one.unread
        newest = max(newest, one.newest)
    return FolderSize(disk, apparent, rebuildable, entries, newest, unread)

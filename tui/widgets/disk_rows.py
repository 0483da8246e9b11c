"""What takes room as rows: by project, run and folder, as far as they are unfolded. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.domain.model import Run
from engine.engine import Entry, Figures, PlaceKind, Usage

TABS: dict[str, tuple[PlaceKind, ...]] = {
    "workspaces": (PlaceKind.WORKSPACE,),
    "run files": (PlaceKind.FILES,),
    "database": (PlaceKind.DATABASE, PlaceKind.OTHER),
    "trash": (PlaceKind.TRASH,),
    "Codex": (PlaceKind.CODEX, PlaceKind.ROLLOUT),
}
SORTS = ("size", "can go", "age", "name")


@dataclass(frozen=True, slots=True)
class Row:
    """A line: a project, a run's place, or something inside one."""

    id: str
    depth: int
    name: str
    figures: Figures
    share: float
    """Its part of the largest of its siblings, from 0 to 1."""
    path: Path | None = None
    run: str = ""
    opens: bool = False
    is_open: bool = False
    is_done: bool = True
    error: str = ""


@dataclass(slots=True)
class _Node:
    id: str
    name: str
    figures: Figures
    path: Path | None = None
    run: str = ""
    opens: bool = False
    is_done: bool = True
    error: str = ""
    children: list[_Node] = field(default_factory=list["_Node"])


class DiskRows:
    """All that was measured, and the rows it makes in the tab that is shown."""

    def __init__(self) -> None:
        self.tab = next(iter(TABS))
        self.sort = SORTS[0]
        self.is_apparent = False
        """Whether sizes are those that the files say they have, not those on disk."""
        self.rows: list[Row] = []
        self._usage: dict[Path, Usage] = {}
        self._seen: set[Path] = set()
        self._inside: dict[Path, list[Usage]] = {}
        self._open: set[str] = set()
        self._runs: Mapping[str, Run] = {}
        self._entries: Mapping[str, Entry] = {}

    def begin(self, runs: Mapping[str, Run], entries: Iterable[Entry]) -> None:
        """Begin a new look; what the last one found stays until it is found again."""
        self._seen.clear()
        self._runs = runs
        self._entries = {entry.id: entry for entry in entries}

    def end(self) -> None:
        """End the look: what it did not find is gone."""
        self._usage = {path: self._usage[path] for path in self._usage if path in self._seen}
        self._inside.clear()

    def tell(self, one: Usage) -> None:
        """Take in what a place takes; what is known in whole is not shown in part again."""
        known = self._usage.get(one.place.path)
        self._seen.add(one.place.path)
        if one.done or known is None or not known.done:
            self._usage[one.place.path] = one

    def tell_inside(self, folder: Path, found: list[Usage]) -> None:
        """Take in what lies directly in a folder."""
        self._inside[folder] = found

    def knows_inside(self, folder: Path) -> bool:
        """Say whether a folder was looked into."""
        return folder in self._inside

    def entry(self, row: Row) -> Entry | None:
        """Give the trash's entry that a row stands for."""
        return self._entries.get(row.path.name) if row.path else None

    def workspaces_of(self, ids: Iterable[str]) -> list[str]:
        """Give the paths of the workspaces these rows stand for; a project stands for all of its.

        What belongs to no run is left alone.
        """
        wanted = set(ids)
        return [
            str(node.path)
            for project in self._projects((PlaceKind.WORKSPACE,))
            for node in project.children
            if node.run and wanted & {project.id, node.id}
        ]

    def entries_of(self, ids: Iterable[str]) -> list[Entry]:
        """Give the trash's entries that these rows stand for."""
        wanted = set(ids)
        return [one for row in self.rows if row.id in wanted and (one := self.entry(row))]

    def workspaces(self) -> list[tuple[str, str]]:
        """Give the workspaces that were found, and the run of each."""
        return [
            (str(path), one.place.run)
            for path, one in self._usage.items()
            if one.place.kind is PlaceKind.WORKSPACE and one.place.run
        ]

    def total(self) -> Figures:
        """Give what the tab comes to."""
        kinds = set(TABS[self.tab]) - {PlaceKind.ROLLOUT}  # these count in the sessions
        return _sum(one.figures for one in self._usage.values() if one.place.kind in kinds)

    def toggle(self, row_id: str, *, is_open: bool) -> None:
        """Unfold a row, or fold it."""
        (self._open.add if is_open else self._open.discard)(row_id)

    def bytes(self, figures: Figures) -> int:
        """Give the size that is shown."""
        return figures.apparent if self.is_apparent else figures.disk

    def arrange(self) -> None:
        """Make the rows anew from what is known."""
        self.rows = list(self._flat(self._top(), 0))

    def _top(self) -> list[_Node]:
        kinds = TABS[self.tab]
        if kinds in ((PlaceKind.WORKSPACE,), (PlaceKind.FILES,)):
            return self._projects(kinds)
        return [self._node(one) for one in self._usage.values() if one.place.kind in kinds]

    def _projects(self, kinds: Sequence[PlaceKind]) -> list[_Node]:
        projects: dict[str, _Node] = {}
        for one in self._usage.values():
            if one.place.kind in kinds:
                name = one.place.project
                project = projects.setdefault(
                    name, _Node(f"project:{name}", name or "(no run known)", Figures(), opens=True)
                )
                project.children.append(self._node(one))
        for project in projects.values():
            project.figures = _sum(node.figures for node in project.children)
            project.is_done = all(node.is_done for node in project.children)
        return list(projects.values())

    def _node(self, one: Usage) -> _Node:
        place = one.place
        run = self._runs.get(place.run)
        entry = self._entries.get(place.name)
        title = run.spec.title if run else entry.title if entry else ""
        name = f"{place.run or place.name}  {title}" if title else place.name
        is_rollout = place.kind is PlaceKind.ROLLOUT
        return _Node(
            f"place:{place.path}",
            name,
            one.figures,
            place.path,
            place.run,
            opens=not is_rollout and one.figures.entries > 1,
            is_done=one.done,
            error=one.error or "",
        )

    def _flat(self, nodes: list[_Node], depth: int) -> Iterator[Row]:
        largest = max((self.bytes(node.figures) for node in nodes), default=0) or 1
        for node in sorted(nodes, key=self._rank):
            is_open = node.opens and node.id in self._open
            yield Row(
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
            )
            if is_open:
                inner = node.children or [self._part(one) for one in self._in(node.path)]
                yield from self._flat(inner, depth + 1)

    def _in(self, path: Path | None) -> list[Usage]:
        return self._inside.get(path, []) if path else []

    def _part(self, one: Usage) -> _Node:
        place = one.place
        return _Node(
            f"place:{place.path}",
            place.name,
            one.figures,
            place.path,
            opens=one.figures.entries > 1,
        )

    def _rank(self, node: _Node) -> tuple[float, str]:
        keys = {
            "size": -self.bytes(node.figures),
            "can go": -node.figures.rebuildable,
            "age": node.figures.newest or float("inf"),
            "name": 0.0,
        }
        return keys[self.sort], node.name


def _sum(all_figures: Iterable[Figures]) -> Figures:
    disk = apparent = rebuildable = entries = unread = 0
    newest = 0.0
    for one in all_figures:
        disk += one.disk
        apparent += one.apparent
        rebuildable += one.rebuildable
        entries += one.entries
        unread += one.unread
        newest = max(newest, one.newest)
    return Figures(disk, apparent, rebuildable, entries, newest, unread)

"""The runs shown, in order and in groups, updated at the cost of the runs that changed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.domain.activity import elapsed_s
from engine.domain.attention import needs_you
from engine.domain.cost import RunCost, no_cost
from engine.domain.lifecycle import ACTIVE, FINISHED
from engine.domain.model import Run, Status
from tui.models.filters import narrows
from tui.models.list_options import Grouping, ListOptions, SortOrder, group_order, is_foldable
from tui.models.older_runs import OLDER, OlderRuns
from tui.models.run_standings import RunStandings

if TYPE_CHECKING:
    from tui.models.run_families import OwnKey, RunFamilies

TreeKey = tuple[Any, ...]
"""A key, after those of the runs above; the last part is the run's id."""
ENDED = frozenset({Status.SUCCEEDED, Status.FAILED, Status.INTERRUPTED})
"""Ends of runs that no user asked for."""


class _Place(NamedTuple):
    """The place of a run, and its share of the figures of its group."""

    group: str
    key: TreeKey
    status: Status
    percent: int
    needs_you: bool
    tokens: int
    took_s: float | None
    """The seconds it took, of one that has ended by itself."""
    created_at: float
    seq: int
    """The state of the run that this is the place of."""


@dataclass(slots=True, eq=False)
class RunGroup:
    """Runs under one heading, and their figures."""

    name: str
    keys: list[TreeKey] = field(default_factory=list[TreeKey])
    statuses: Counter[Status] = field(default_factory=Counter[Status])
    percents: int = 0
    """The sum of the percentages; a run that has ended counts as done."""
    needy: int = 0
    tokens: int = 0
    took_s: float = 0.0
    newest: float = 0.0
    """The time at which the newest run that ever was in the group was made."""

    @classmethod
    def of(cls, name: str, places: Sequence[_Place]) -> RunGroup:
        """Return a group of many runs: in a fifth of the time that one after the other takes."""
        _, keys, statuses, percents, needy, tokens, took_s, made, _ = zip(*places, strict=True)
        return cls(
            name,
            sorted(keys),
            Counter(statuses),
            sum(percents),
            sum(needy),
            sum(tokens),
            sum(filter(None, took_s)),
            max(0.0, max(made)),
        )

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def percent(self) -> int:
        """Return the average progress of the runs."""
        return self.percents // max(1, len(self.keys))

    @property
    def ended(self) -> int:
        """Return the number of runs that have ended by themselves."""
        return sum(self.statuses[status] for status in ENDED)

    @property
    def pass_rate(self) -> float | None:
        """Return the share of those that succeeded, 0 to 1; None while none has ended."""
        return self.statuses[Status.SUCCEEDED] / self.ended if self.ended else None

    @property
    def left_s(self) -> float | None:
        """Return about the seconds that are left at the present pace; None where unknown."""
        active = sum(self.statuses[status] for status in ACTIVE)
        left = active + self.statuses[Status.QUEUED]
        if not (active and self.ended):
            return None
        return (left - active / 2) * self.took_s / self.ended / active

    def add(self, other: RunGroup) -> None:
        """Add the runs of another part of the group."""
        is_after = other.keys[0] > self.keys[-1] if self.keys else True
        self.keys.extend(other.keys)
        if not is_after:
            self.keys.sort()
        self.statuses.update(other.statuses)
        self.percents += other.percents
        self.needy += other.needy
        self.tokens += other.tokens
        self.took_s += other.took_s
        self.newest = max(self.newest, other.newest)

    def count(self, place: _Place, by: int) -> None:
        """Add a run to the figures, or remove it."""
        self.statuses[place.status] += by
        self.percents += by * place.percent
        self.needy += by * place.needs_you
        self.tokens += by * place.tokens
        self.took_s += by * (place.took_s or 0.0)
        self.newest = max(self.newest, place.created_at)


class GroupedRuns:
    """Lines of a list: headings (a `RunGroup`) and runs (an id).

    `runs` are all runs as they are now; `update` names those that changed. Moving a run costs a
    few searches in sorted keys, however many runs there are.
    """

    def __init__(
        self,
        selection: ListOptions,
        runs: Mapping[str, Run],
        now: float = 0.0,
        folded: Iterable[str] = (OLDER,),
        cost: RunCost = no_cost,
        before: GroupedRuns | None = None,
        most: int | None = None,
        cursor: str | None = None,
    ) -> None:
        """Arrange all runs; with those arranged `before`, at the cost of what is different now.

        Of more than `most`, only so many are arranged, the latest and the one under the cursor:
        the others by `add_more`.
        """
        self.selection = selection
        self.runs = runs
        self.folded = set(folded)
        self._now, self._cost = now, cost
        self.is_part = before is not None and self._narrows(before)
        """True if all of its runs are among those arranged before."""
        self._is_wanted = selection.test()
        self._places: dict[str, _Place] = {}
        self._groups: dict[str, RunGroup] = {}
        self._order: list[RunGroup] = []
        self._starts: list[int] = []
        self._start_of: dict[str, int] = {}
        self._count = 0
        self._is_laid_out = False
        self._older = OlderRuns()
        self._standings = RunStandings()
        self._families: RunFamilies | None = None
        """Made with the first run that has a parent."""
        self._known: Mapping[str, _Place] = self._reusable(before) if before else {}
        ids = self._candidates(before)
        self._left = _split_off(ids, most, cursor)
        """The runs that are not arranged yet, the oldest first."""
        first = [runs[run_id] for run_id in ids]
        if selection.folds_older:
            self._older.load(self._key(run) for run in first if is_foldable(run))
        self._put_families(ids if self._left else runs)
        self._groups = {name: RunGroup.of(name, places) for name, places in self._put(first)}
        self._forget_before()

    def _reusable(self, before: GroupedRuns) -> Mapping[str, _Place]:
        """Return the places of runs that are the same in this order, where they still are."""
        new, old = self.selection, before.selection
        is_same = (new.sort, new.grouping) == (old.sort, old.grouping)
        # A cost changes with the prices, and what a run took with the time.
        is_fixed = new.sort not in (SortOrder.COST, SortOrder.ELAPSED)
        return before._places if is_same and is_fixed and not before._families else {}

    def _narrows(self, before: GroupedRuns) -> bool:
        """Return whether a word of the filter goes on.

        Those arranged before were kept current: a screen that comes back arranges its runs by the
        same filter.
        """
        new, old = self.selection, before.selection
        is_same = before.runs is self.runs and replace(new, text=old.text) == old
        return is_same and before.is_whole and narrows(old.text, new.text)

    def _candidates(self, before: GroupedRuns | None) -> list[str]:
        """Return the runs that may be wanted: of those before, where no other can be."""
        if before is None or not self.is_part:
            return list(self.runs)
        return [run_id for run_id in before._places if run_id in self.runs]

    def _put(self, runs: Iterable[Run]) -> Iterable[tuple[str, list[_Place]]]:
        """Place the runs that are wanted; return their places by group."""
        found: defaultdict[str, list[_Place]] = defaultdict(list)
        for run in runs:
            if self._is_wanted(run):
                place = self._places[run.id] = self._place(run)
                found[place.group].append(place)
        return found.items()

    # The rest of very many runs

    @property
    def is_whole(self) -> bool:
        """Return whether all runs are arranged."""
        return not self._left

    def awaits(self, run_id: str) -> bool:
        """Return whether a run is left to arrange, and may be shown then."""
        at = bisect_left(self._left, run_id)
        return self._left[at : at + 1] == [run_id] and run_id in self.runs

    def add_more(self, count: int) -> list[Run]:
        """Arrange some more of the runs that are left, the latest of them; return them."""
        ids = self._left[-count:]
        del self._left[-count:]
        runs = [run for one in ids if one not in self._places and (run := self.runs.get(one))]
        crossed = set[str]().union(*(self._fold_older(run.id) for run in runs))
        related = self._put_families((*ids, *crossed))
        for name, places in self._put(runs):
            self._group(name).add(RunGroup.of(name, places))
        for run_id in (crossed | related).difference(run.id for run in runs):
            self._update(run_id)
        self._forget_before()
        self._is_laid_out = False
        return runs

    def _forget_before(self) -> None:
        """Forget the places of runs before, as soon as all are arranged."""
        if self.is_whole:
            self._known = {}

    # What changes

    def update(self, ids: Iterable[str], now: float) -> bool:
        """Update runs to their present state; return whether lines came, went or moved."""
        self._now = now
        # Only this order depends on the time.
        is_timed = self.selection.sort is SortOrder.ELAPSED
        named = list(ids) if is_timed else self._standings.changed(self.runs, ids)
        crossed = set[str]().union(*map(self._fold_older, named)).difference(named)
        changed = (*named, *crossed)
        related = self._put_families(changed).difference(changed)
        moved = [self._update(run_id) for run_id in (*changed, *related)]
        if not any(moved):
            return False
        self._is_laid_out = False
        return True

    def fold(self, name: str) -> None:
        """Fold a group, or unfold it."""
        self.folded ^= {name}
        self._is_laid_out = False

    def _fold_older(self, run_id: str) -> set[str]:
        """Fold a run away or not; return others that changed sides by that."""
        if not self.selection.folds_older:
            return set()
        run = self.runs.get(run_id)
        key = self._key(run) if run and is_foldable(run) else None
        return self._older.put(run_id, key)

    def _put_families(self, ids: Iterable[str]) -> set[str]:
        """Put changed runs that have a family in their place there; return all that move by it."""
        known = [run for one in ids if (run := self.runs.get(one)) and run.spec.ancestors]
        if known and self._families is None:
            from tui.models.run_families import RunFamilies  # late: few homes have any

            self._families = RunFamilies(self.selection)
        if (families := self._families) is None:
            return set()
        members = {one for run in known for one in families.add(run)}
        members.update(one for one in ids if one in families)
        return families.put({run_id: self._own_key(run_id) for run_id in members})

    def _own_key(self, run_id: str) -> OwnKey | None:
        """Return the group of a run and its key there, without its family; None if not shown."""
        run = self.runs.get(run_id)
        if run is None or not self._is_wanted(run):
            return None
        return self._group_name(run), self.selection.key(run, self._now, self._cost)

    def _group_name(self, run: Run) -> str:
        return OLDER if run.id in self._older else self.selection.group(run)

    def _update(self, run_id: str) -> bool:
        run = self.runs.get(run_id)
        new = self._place(run) if run and self._is_wanted(run) else None
        old = self._places.get(run_id)
        if new == old:
            return False
        if new and old and new[:2] == old[:2]:
            self._places[run_id] = new
            group = self._groups[new.group]
            group.count(old, -1)
            group.count(new, 1)
            return False
        if old:
            self._take_out(run_id, old)
        if new:
            self._places[run_id] = new
            group = self._group(new.group)
            insort(group.keys, new.key)
            group.count(new, 1)
        return True

    def _take_out(self, run_id: str, place: _Place) -> None:
        del self._places[run_id]
        group = self._groups[place.group]
        del group.keys[bisect_left(group.keys, place.key)]
        group.count(place, -1)
        if not group.keys:
            del self._groups[place.group]

    def _known_place(self, run: Run) -> _Place | None:
        """Return the place that an ended run had in the same order, if it is as it was then."""
        place = self._known.get(run.id)
        is_same = place is not None and place.seq == run.seq and run.status in FINISHED
        return place if is_same else None

    def _key(self, run: Run) -> Any:  # noqa: ANN401  a key of the order, whose parts no one reads
        known = self._known_place(run)
        return known.key if known else self.selection.key(run, self._now, self._cost)

    def _place(self, run: Run) -> _Place:
        known = None if self._families else self._known_place(run)
        if known:
            group = self._group_name(run)
            return known if known.group == group else _Place(group, *known[1:])
        percent = 100 if run.status in FINISHED else run.percent
        key = self._families.key(run.id) if self._families else self._older.key(run.id)
        key = key or self.selection.key(run, self._now, self._cost)
        took_s = elapsed_s(run, self._now) if run.status in ENDED else None
        needy, made = needs_you(run), run.created_at
        group = self._group_name(run)
        used = run.used_tokens
        return _Place(group, key, run.status, percent, needy, used, took_s, made, run.seq)

    def _group(self, name: str) -> RunGroup:
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = RunGroup(name)
        return group

    # What is shown

    @property
    def has_headings(self) -> bool:
        """Return whether all runs stand under headings."""
        return self.selection.grouping is not Grouping.NONE

    @property
    def run_count(self) -> int:
        """Return the number of runs shown, those in folded groups included."""
        return len(self._places)

    def has_heading(self, group: str) -> bool:
        """Return whether the runs of a group stand under a heading."""
        return self.has_headings or group == OLDER

    def is_folded(self, group: str) -> bool:
        """Return whether only the heading of a group is shown."""
        return self.has_heading(group) and group in self.folded

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._places

    def __len__(self) -> int:
        self._lay_out()
        return self._count

    def __getitem__(self, line: int) -> RunGroup | str:
        """Return the group or the id on a line."""
        self._lay_out()
        place = bisect_right(self._starts, line) - 1
        group = self._order[place]
        offset = line - self._starts[place] - self.has_heading(group.name)
        return group if offset < 0 else self._id(group, offset)

    def ids(self) -> Iterator[str]:
        """Return the ids of all runs shown, in order, those in folded groups included."""
        self._lay_out()
        for group in self._order:
            yield from self.ids_of(group)

    def visible_ids(self) -> Iterator[str]:
        """Return the ids of all runs that have a line of their own, in order."""
        self._lay_out()
        for group in self._order:
            if not self.is_folded(group.name):
                yield from self.ids_of(group)

    def ids_of(self, group: RunGroup) -> Sequence[str]:
        """Return the ids of a group's runs, in order."""
        return list(self.each_of(group))

    def each_of(self, group: RunGroup) -> Iterator[str]:
        """Return the ids of a group's runs, in order, for those who may not want all."""
        return (
            key[-1] for key in (reversed(group.keys) if self.selection.is_reversed else group.keys)
        )

    def ids_at(self, line: int) -> Sequence[str]:
        """Return the run on a line, or the runs under the heading there."""
        found = self[line]
        return [found] if isinstance(found, str) else self.ids_of(found)

    def group_of(self, run_id: str) -> str:
        """Return the name of the group a shown run is in."""
        return self._places[run_id].group

    def depth_of(self, run_id: str) -> int:
        """Return how far a run stands below another one that is shown in its group."""
        return self._families.depth(run_id) if self._families else 0

    def line_of(self, run_id: str) -> int | None:
        """Return the line of a run, or of the heading of its folded group; None if not shown."""
        place = self._places.get(run_id)
        if place is None:
            return None
        if self.is_folded(place.group):
            return self.heading_of(place.group)
        keys = self._groups[place.group].keys
        offset = bisect_left(keys, place.key)
        if self.selection.is_reversed:
            offset = len(keys) - 1 - offset
        start = self.heading_of(place.group)
        return None if start is None else start + self.has_heading(place.group) + offset

    def heading_of(self, name: str) -> int | None:
        """Return the line a group begins on; None where there is no such group."""
        self._lay_out()
        return self._start_of.get(name)

    def _id(self, group: RunGroup, offset: int) -> str:
        keys = group.keys
        return keys[len(keys) - 1 - offset if self.selection.is_reversed else offset][-1]

    def _lay_out(self) -> None:
        """Sort the groups, and find the line on which each begins."""
        if self._is_laid_out:
            return
        grouping = self.selection.grouping
        self._order = sorted(
            self._groups.values(),
            key=lambda group: (
                group.name == OLDER and grouping is Grouping.NONE,
                group_order(grouping, group.name, group.newest, len(group)),
            ),
        )
        self._starts, at = [], 0
        for group in self._order:
            self._starts.append(at)
            at += self.has_heading(group.name)
            at += 0 if self.is_folded(group.name) else len(group)
        self._start_of = {
            group.name: start for group, start in zip(self._order, self._starts, strict=True)
        }
        self._count = at
        self._is_laid_out = True


def _split_off(ids: list[str], most: int | None, cursor: str | None) -> list[str]:
    """Leave at most so many ids, the latest and the cursor's; return the others, sorted."""
    if most is None or len(ids) <= most:
        return []
    ids.sort()  # an id begins with the time
    left = ids[:-most]
    del ids[:-most]
    if cursor and (at := bisect_left(left, cursor)) < len(left) and left[at] == cursor:
        ids.append(left.pop(at))
    return left

"""Open requests of all agents: equal ones are one group, the oldest group first."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from engine.domain.events import Event
from engine.domain.interaction import Decision, InputRequest, RequestAnswer, RequestPhase
from engine.domain.lifecycle import ACTIVE
from engine.domain.model import Run
from engine.domain.record import record


@record
class RequestRef:
    """A request of one run: its attempt, and the number of the request within it."""

    run: str
    attempt: int
    request: str
    raised_at: float = 0.0


@record
class RequestGroup:
    """Requests that are equal in all that they ask, as they were at one moment.

    `open` are those that wait for an answer, oldest first; `answered` those whose answer the
    agents have not got yet. Without either, the group is closed, and `end` is its last event.
    """

    key: str
    request: InputRequest
    since: float
    open: tuple[RequestRef, ...] = ()
    answered: tuple[RequestRef, ...] = ()
    end: InputRequest | None = None

    @property
    def is_closed(self) -> bool:
        """Return whether no agent waits for an answer or is about to get one."""
        return not self.open and not self.answered

    @property
    def refs(self) -> tuple[RequestRef, ...]:
        """Return all requests of the group."""
        return (*self.open, *self.answered)

    @property
    def run_count(self) -> int:
        """Return the number of runs that ask."""
        return len({ref.run for ref in self.open or self.answered})

    def answers(self, decision: Decision, text: str = "") -> list[tuple[str, RequestAnswer]]:
        """Return the answer to each open request, by run, to what the group shows."""
        digest = self.request.digest
        return [
            (ref.run, RequestAnswer(ref.attempt, ref.request, digest, decision, text))
            for ref in self.open
        ]


@dataclass(slots=True, eq=False)
class _Group:
    """A group that changes: its requests, and the phase of each."""

    key: str
    request: InputRequest
    since: float
    phases: dict[RequestRef, RequestPhase] = field(default_factory=dict[RequestRef, RequestPhase])
    end: InputRequest | None = None
    shown: RequestGroup | None = None

    def group(self) -> RequestGroup:
        """Return the group as it is now; the same object as long as nothing changes."""
        if self.shown is None:
            raised = RequestPhase.RAISED
            refs = sorted(self.phases, key=lambda ref: (ref.raised_at, ref.run))
            is_open = tuple(ref for ref in refs if self.phases[ref] is raised)
            answered = tuple(ref for ref in refs if self.phases[ref] is not raised)
            end = None if self.phases else self.end
            self.shown = RequestGroup(self.key, self.request, self.since, is_open, answered, end)
        return self.shown


class OpenRequests:
    """Groups of requests by line, kept current at the cost of the runs that changed.

    A group keeps its place as long as it exists: the oldest first, by its first request. The held
    group stays when it closes, so that no other moves to its line.
    """

    def __init__(self, runs: Mapping[str, Run]) -> None:
        self.runs = runs
        self.held: str | None = None
        """The key of the group that stays when it closes."""
        self._groups: dict[str, _Group] = {}
        self._order: list[tuple[float, str]] = []
        self._of_run: dict[str, dict[RequestRef, str]] = {}

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, line: int) -> RequestGroup:
        return self._groups[self._order[line][1]].group()

    def __iter__(self) -> Iterator[RequestGroup]:
        return (self._groups[key].group() for _, key in self._order)

    def get(self, key: str | None) -> RequestGroup | None:
        """Return a group by its key; None where there is none."""
        known = self._groups.get(key or "")
        return known.group() if known else None

    @property
    def open_count(self) -> int:
        """Return the number of groups that wait for an answer."""
        return sum(bool(known.group().open) for known in self._groups.values())

    # As lines that can be marked

    def ids_at(self, line: int) -> Sequence[str]:
        """Return the key of the group on a line."""
        return (self._order[line][1],)

    def visible_ids(self) -> Iterator[str]:
        """Return the keys of all groups that can be answered, in order."""
        return (key for _, key in self._order if self._groups[key].group().open)

    def __contains__(self, key: str, /) -> bool:
        known = self._groups.get(key)
        return known is not None and not known.group().is_closed

    def line_of(self, key: str, /) -> int | None:
        """Return the line of a group."""
        known = self._groups.get(key)
        return self._order.index((known.since, key)) if known else None

    # Changes

    def rebuild(self) -> None:
        """Read all runs again, and drop closed groups."""
        self._groups, self._order, self._of_run = {}, [], {}
        # No other run has open requests, and runs at rest would have to be decoded.
        self.update([run_id for run_id, run in self.runs.items() if run.status in ACTIVE])

    def update(self, ids: Iterable[str], events: Iterable[Event] = ()) -> bool:
        """Read runs again; return whether groups changed. `events` show how requests ended."""
        self._note_ends(events)
        changed = set[str]()
        for run_id in ids:
            changed |= self._update(run_id)
        for key in changed:
            self._groups[key].shown = None
        self._drop(key for key in changed if key != self.held)
        return bool(changed)

    def hold(self, key: str | None) -> bool:
        """Hold another group; return whether the one before was closed, and is dropped."""
        before, self.held = self.held, key
        return before != key and self._drop([before] if before else [])

    def _note_ends(self, events: Iterable[Event]) -> None:
        for event in events:
            body = event.body
            if isinstance(body, InputRequest) and body.phase is not RequestPhase.RAISED:
                for ref, key in self._of_run.get(event.run, {}).items():
                    if ref.request == body.request and not _is_less(body, self._groups[key].end):
                        self._groups[key].end = body

    def _update(self, run_id: str) -> set[str]:
        """Read a run again; return the keys of the groups that changed."""
        old, new = self._of_run.get(run_id, {}), dict[RequestRef, str]()
        changed = set[str]()
        run = self.runs.get(run_id)
        asks = run.input_requests if run and run.status in ACTIVE else ()
        for request in asks:
            assert run
            at = request.raised_at or 0.0
            ref = RequestRef(run_id, run.attempt, request.request, at)
            key = new[ref] = old.get(ref) or _key(ref, request)
            known = self._groups.get(key) or self._add(key, request, at)
            if at < known.since:  # runs are read in any order at first
                self._order.remove((known.since, key))
                known.since, known.request = at, request
                insort(self._order, (at, key))
            if known.phases.get(ref) != request.phase:
                known.phases[ref] = request.phase
                changed.add(key)
        for ref in old.keys() - new.keys():
            del self._groups[old[ref]].phases[ref]
            changed.add(old[ref])
        if new:
            self._of_run[run_id] = new
        else:
            self._of_run.pop(run_id, None)
        return changed

    def _add(self, key: str, request: InputRequest, since: float) -> _Group:
        known = self._groups[key] = _Group(key, request, since)
        insort(self._order, (since, key))
        return known

    def _drop(self, keys: Iterable[str]) -> bool:
        gone = [key for key in keys if key in self._groups and not self._groups[key].phases]
        for key in gone:
            self._order.remove((self._groups.pop(key).since, key))
        return bool(gone)


def _key(ref: RequestRef, request: InputRequest) -> str:
    """Return the key of equal requests; one without a digest is equal to no other."""
    return request.digest or f"{ref.run}:{ref.attempt}:{ref.request}"


def _is_less(body: InputRequest, known: InputRequest | None) -> bool:
    """Return whether the known end shows more: an applied answer shows no decision."""
    return body.phase is RequestPhase.APPLIED and known is not None

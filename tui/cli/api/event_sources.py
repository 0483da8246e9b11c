"""The events that a stream sends: those of one run, or those of all runs that match."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from engine.domain.errors import UserError
from engine.domain.events import Event, RunForgotten
from engine.domain.kinds import EventKind, EventSelector
from engine.domain.lifecycle import LIVE
from engine.domain.model import Run
from engine.domain.record import record

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort
    from tui.cli.api.event_feed import FeedItem

PAGE = 100
"""Events that a stream reads at a time."""


@record
class StoredPage:
    """Stored events with their numbers; the next page begins after `upto`."""

    events: list[tuple[int, Event]]
    upto: int
    is_last: bool


class EventSource(Protocol):
    """The events of a stream, each with a number that grows."""

    @property
    def runs(self) -> dict[str, Run]:
        """The runs whose live output belongs to the stream."""
        ...

    async def page(self, after: int) -> StoredPage:
        """Return the next stored events after a number."""
        ...

    def number(self, item: FeedItem) -> int | None:
        """Return the number of an event within the stream; None: it has none."""
        ...

    def accepts(self, item: FeedItem) -> bool:
        """Return whether an event belongs to the stream."""
        ...

    def ended(self) -> Run | None:
        """Return the run whose end is the end of the stream, if it has ended.

        All of its events are stored then.
        """
        ...

    def last_events(self, after: int) -> list[tuple[int, Event]]:
        """Return the events of a run that ended which are not stored."""
        ...


class RunEvents:
    """The events of one run; the number of each is its `seq`."""

    def __init__(self, engine: EnginePort, run: Run, types: Sequence[str] = ()) -> None:
        self._engine = engine
        self._found = run
        self._types = types

    @property
    def runs(self) -> dict[str, Run]:
        """The run alone."""
        return {self._found.id: self._run}

    @property
    def _run(self) -> Run:
        """The run as it is; the view may not have it yet."""
        view, found = self._engine.view, self._found
        known = view.runs[found.id] if found.id in view.runs or self._is_forgotten() else found
        return known if known.seq >= found.seq else found

    async def page(self, after: int) -> StoredPage:
        """Return the next stored events of the run."""
        found = await self._engine.events(
            self._found.id, after=after, limit=PAGE, kinds=self._types
        )
        upto = found[-1].seq if found else after
        return StoredPage([(event.seq, event) for event in found], upto, len(found) < PAGE)

    def number(self, item: FeedItem) -> int | None:
        """Return the event's place within the run."""
        is_of_run = item.event.run == self._found.id and item.number is not None
        return item.event.seq if is_of_run else None

    def accepts(self, item: FeedItem) -> bool:
        """Return whether an event is one of the run, and stored."""
        return self.number(item) is not None and _has_type(item.event, self._types)

    def ended(self) -> Run | None:
        """Return the run if it has ended or was forgotten."""
        run = self._run
        return None if run.status in LIVE and not self._is_forgotten() else run

    def last_events(self, after: int) -> list[tuple[int, Event]]:
        """Return the event that the run was forgotten, which is not stored."""
        run = self._run
        seq = run.seq + 1
        event = Event(run.id, seq, time.time(), run.attempt, RunForgotten())
        is_new = self._is_forgotten() and after < seq
        return [(seq, event)] if is_new and _has_type(event, self._types) else []

    def _is_forgotten(self) -> bool:
        return self._found.id in self._engine.view.forgotten


class RunLabels:
    """Project and batch of runs by id, also of those that the view does not have yet."""

    def __init__(self, engine: EnginePort) -> None:
        self._engine = engine
        self._others: dict[str, tuple[str, str | None]] = {}

    async def learn(self, events: Iterable[Event]) -> None:
        """Read the labels of runs that are not known yet."""
        for id in {event.run for event in events}:
            if id in self._engine.view.runs or id in self._others:
                continue
            try:
                spec = (await self._engine.find(id)).spec
            except UserError:
                continue  # it was forgotten in between, and its events with it
            self._others[id] = (spec.project, spec.batch)

    def of(self, run_id: str) -> tuple[str | None, str | None]:
        """Return the project and the batch of a run."""
        view = self._engine.view
        if run_id in view.runs or run_id in view.forgotten:
            try:
                spec = view.runs[run_id].spec
            except KeyError:  # forgotten before it was known here
                return self._others.get(run_id, (None, None))
            return spec.project, spec.batch
        return self._others.get(run_id, (None, None))


class HomeEvents:
    """The events of all runs, or of those of a project or batch, by their numbers in the home."""

    def __init__(
        self,
        engine: EnginePort,
        labels: RunLabels,
        *,
        project: str | None = None,
        batch: str | None = None,
        types: Sequence[str] = (),
    ) -> None:
        self._engine = engine
        self._labels = labels
        self._project, self._batch = project, batch
        self._types = types
        self._history = engine.history(None, kind_of(types))

    @property
    def runs(self) -> dict[str, Run]:
        """The live runs that match."""
        view = self._engine.view
        return {id: view.runs[id] for id in view.live if self._has(id)}

    async def page(self, after: int) -> StoredPage:
        """Return the next stored events that match."""
        found = await self._history.page(after=after, limit=PAGE)
        await self._labels.learn(event for _, event in found)
        matching = [(number, event) for number, event in found if self._has(event.run)]
        return StoredPage(matching, found[-1][0] if found else after, len(found) < PAGE)

    def number(self, item: FeedItem) -> int | None:
        """Return the event's number among those of all runs."""
        return item.number

    def accepts(self, item: FeedItem) -> bool:
        """Return whether an event matches."""
        return _has_type(item.event, self._types) and self._has(item.event.run)

    def ended(self) -> Run | None:
        """Return None: there is always a next run."""
        return None

    def last_events(self, after: int) -> list[tuple[int, Event]]:
        """Return nothing: other runs go on."""
        del after
        return []

    def _has(self, run_id: str) -> bool:
        if self._project is None and self._batch is None:
            return True
        project, batch = self._labels.of(run_id)
        return self._project in (None, project) and self._batch in (None, batch)


def kind_of(types: Sequence[str]) -> EventKind:
    """Return the choice of events of these types; of all where there are none."""
    return EventKind("types", "events of some types", tuple(map(EventSelector, types)))


def _has_type(event: Event, types: Sequence[str]) -> bool:
    return not types or event.body.type in types

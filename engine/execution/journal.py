"""Journal: the stream of all runs' events, in order, from all processes.

Events appended by this process are published at once; those of others are read from the database.
Both come out in the order of the database, each event once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from time import monotonic, time
from typing import TYPE_CHECKING

from engine.domain.batch import Batch, PlannedRun
from engine.domain.errors import UserError
from engine.domain.events import Body, Event
from engine.domain.model import AttemptRequest, Run, RunSpec
from engine.domain.projection import View
from engine.execution.faults import Faults
from engine.execution.run_records import RunRecords
from engine.store.appending import AppendRequest, Committed
from engine.store.reading import at_rest, pages
from engine.store.rebuilt import is_unreadable
from engine.store.store import Keep, Store
from engine.store.written import WriteSignal

if TYPE_CHECKING:
    from engine.domain.rule_answers import RulesOf
    from engine.domain.start_key import StartKey
    from engine.store.forgetting import Check

POLL_S = 0.1
SURELY_S = 5.0
"""After so long the database is read, whatever its log and its version look like."""
PAGE = 5000
Publish = Callable[[Sequence[Event], set[str]], None]


class Journal:
    """Journal that appends events, and keeps `view` and listeners current with all processes."""

    def __init__(
        self,
        store: Store,
        view: View,
        publish: Publish,
        changed: Callable[[], Awaitable[None]],
        faults: Faults | None = None,
        records: RunRecords | None = None,
    ) -> None:
        self._faults = faults or Faults()
        self._records = records
        self._store = store
        self._view = view
        view.rest = at_rest
        self._publish = publish
        self._changed = changed
        self._last_id: int | None = None
        self._last_forgotten = 0
        self._turn = asyncio.Lock()

    async def load(self) -> None:
        """Take in all runs as they are stored."""
        found = await self._store.forgotten()
        self._last_forgotten = found.last
        self._view.remove(found.runs, time())
        self._last_id = await self._store.last_id()
        async for page in pages(self._store):
            for run in page:
                self._put(run)

    async def follow(self) -> None:
        """Hand on what other processes append, for ever."""
        version, touched, read_at = 0, None, 0.0
        was_new = is_new = True
        with WriteSignal(self._store.log) as written:
            while True:
                try:
                    before, touched = touched, self._store.touched()
                    was_new, is_new = is_new, touched != before
                    # Once more after news: two changes within a tick of the clock look like one.
                    is_due = monotonic() - read_at >= SURELY_S
                    if is_due:
                        await self._store.check_damage()
                    if is_new or was_new or is_due:
                        now = await self._store.version()
                        if is_due or now != version:
                            with self._faults.guard("settings"):
                                # First: a pause holds what was queued after it.
                                await self._changed()
                            await self._catch_up()
                            self._faults.clear("database")
                            version, read_at = now, monotonic()
                except UserError as error:
                    self._faults.record("database", error)
                await asyncio.sleep(POLL_S)
                if not (is_new or was_new):
                    await written.wait(SURELY_S)

    async def create(
        self,
        spec: RunSpec,
        first: Sequence[Body] = (),
        keep: Keep | None = None,
        key: StartKey | None = None,
    ) -> Committed:
        """Add a queued run; `keep` writes its files before it can be seen."""
        done = await self._store.create(spec, first, keep, key)
        return await self._handed_on(await self._recorded(done))

    async def create_batch(
        self,
        swarm: Batch,
        planned: Sequence[PlannedRun],
        keep: Keep | None = None,
        key: StartKey | None = None,
    ) -> Committed:
        """Add a batch with all its runs; `keep` writes their files before they can be seen."""
        done = await self._store.create_batch(swarm, planned, keep, key)
        return await self._handed_on(await self._recorded(done))

    async def append(
        self, entries: Sequence[AppendRequest], settings: Mapping[str, str] | None = None
    ) -> Committed:
        """Append to runs and change settings, all or nothing."""
        done = await self._store.append(entries, settings)
        return await self._handed_on(await self._recorded(done, entries))

    async def change(
        self, run: str, decide: Callable[[Run], Sequence[Body]], ask: AttemptRequest | None = None
    ) -> Run:
        """Append what `decide` makes of the run as it is stored, and return the run.

        `ask` is for its next attempt.
        """
        return (await self.append([AppendRequest(run, decide=decide, ask=ask)])).runs[run]

    async def change_all(
        self, runs: Iterable[str], decide: Callable[[Run], Sequence[Body]]
    ) -> Committed:
        """Append what `decide` makes of each of the runs, as stored, in one step."""
        return await self.append([AppendRequest(run, decide=decide) for run in runs])

    async def answer_by_rules(self, runs: Sequence[str], others: RulesOf) -> Committed:
        """Append the answers of approval rules to the open requests of runs, in one step."""
        done = await self._store.answer_by_rules(runs, others)
        return await self._handed_on(await self._recorded(done))

    async def forget(
        self, runs: Sequence[str], check: Check, put_aside: Callable[[], None]
    ) -> None:
        """Remove runs with all that is stored of them, or none; see `Store.forget`."""
        await self._store.forget(runs, check, put_aside)
        if self._last_id is not None:
            await self._catch_up()

    async def _recorded(self, done: Committed, entries: Sequence[AppendRequest] = ()) -> Committed:
        """Store the changes in the runs' own folders, too, before they are published."""
        if self._records:
            with self._faults.guard("run records"):
                await self._records.keep(done, entries)
        return done

    async def _handed_on(self, done: Committed) -> Committed:
        if self._last_id is None or not done.events:
            return done
        async with self._turn:
            if done.first_id == self._last_id + 1:
                self._last_id = done.last_id
                changed: set[str] = set()
                for run in done.runs.values():
                    changed |= self._put(run)
                self._publish(done.events, changed)
            elif done.first_id > self._last_id:
                await self._read_on()
        return done

    async def _catch_up(self) -> None:
        async with self._turn:
            await self._read_on()
            await self._drop_forgotten()

    async def _drop_forgotten(self) -> None:
        """Remove the runs that any process has forgotten from the view, and announce it."""
        found = await self._store.forgotten(self._last_forgotten)
        self._last_forgotten = found.last
        if found.runs and (ends := self._view.remove(found.runs, time())):
            self._publish(ends, {event.run for event in ends})

    async def _read_on(self) -> None:
        assert self._last_id is not None
        while True:
            events, last_id = await self._store.events_between(self._last_id, PAGE)
            if not events:
                return
            known = self._view.runs
            unknown = {
                event.run
                for event in events
                # One that could not be read was rebuilt when these events were stored.
                if event.run not in known or is_unreadable(known[event.run])
            }
            changed = {event.run for event in events}
            if unknown:
                for run in await self._store.runs(ids=unknown):
                    changed |= self._put(run)
            self._last_id = last_id
            changed |= await self._apply(events)
            self._publish(events, changed)

    def _put(self, run: Run) -> set[str]:
        """Show a run as it is; what is wrong with one run keeps no other from being shown."""
        name = f"view of {run.id}"
        try:
            changed = self._view.put(run)
        except Exception as error:
            self._faults.record(name, error, run=run.id)
            return {run.id}
        self._faults.clear(name)
        return changed

    async def _apply(self, events: Sequence[Event]) -> set[str]:
        """Fold events in; those of a run that cannot be folded are read as the store has them."""
        try:
            return self._view.apply(events)
        except Exception as error:
            self._faults.record("view", error)
        by_run: dict[str, list[Event]] = {}
        for event in events:
            by_run.setdefault(event.run, []).append(event)
        changed: set[str] = set()
        for run_id, of_run in by_run.items():
            try:
                changed |= self._view.apply(of_run)
            except Exception:
                for run in await self._store.runs(ids=[run_id]):
                    changed |= self._put(run)
        self._faults.clear("view")
        return changed

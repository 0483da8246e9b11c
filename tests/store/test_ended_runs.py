"""Runs that ended: an engine that runs for weeks holds none of them for their next event."""

from __future__ import annotations

import gc

from support import spec

from engine.domain.events import Notice, StatusChanged
from engine.domain.model import Run, Status
from engine.store.appending import AppendRequest
from engine.store.store import Store


async def test_a_store_keeps_no_run_that_ended_and_appends_to_it_all_the_same(
    store: Store,
) -> None:
    ids = [next(iter((await store.create(spec(), ())).runs)) for _ in range(5)]
    for run in ids:
        await store.append([AppendRequest(run, [StatusChanged(Status.CANCELLED, Status.QUEUED)])])
        await store.append([AppendRequest(run, [Notice("info", "after its end")])])
    gc.collect()
    held = [one for one in gc.get_objects() if isinstance(one, Run) and one.id in ids]
    assert len(held) <= 1  # what the writer's thread did last
    assert [len(await store.events(run)) for run in ids] == [3] * 5

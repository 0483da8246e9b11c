"""Facts about all runs that the database answers without decoding them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from support import spec

from engine.domain.annotation import Annotation
from engine.domain.model import ForkOrigin, Workspace, WorkspaceKind
from engine.domain.push import BranchPushed
from engine.store import run_facts
from engine.store.appending import AppendRequest
from engine.store.run_facts import ForkedThreads
from engine.store.store import Store, open_store


async def _made(store: Store, **more: object) -> str:
    return next(iter((await store.create(spec(**more), [])).runs))


async def test_labels_and_pull_requests_are_found_beside_a_damaged_record(database: Path) -> None:
    async with open_store(database) as store:
        first = await _made(store, project="b")
        second = await _made(store, project="a")
        damaged = await _made(store, project="a")
        tagged = Annotation(tags=("later", "urgent"))
        pushed = BranchPushed("origin", "git@host:o/r", "swarm/x", "0" * 40)
        await store.append([AppendRequest(first, [tagged]), AppendRequest(second, [pushed])])
        with closing(sqlite3.connect(database)) as db, db:
            db.execute("UPDATE runs SET state = '{' WHERE id = ?", (damaged,))
        assert await run_facts.projects(store) == ["a", "b"]
        assert await run_facts.tags(store) == ["later", "urgent"]
        assert [run.id for run in await run_facts.with_pull_requests(store)] == [second]
        assert (await run_facts.forked_threads(store, ForkedThreads())).threads == frozenset()


async def test_threads_of_later_forks_are_added_to_those_that_are_known(database: Path) -> None:
    async with open_store(database) as store:
        known = await run_facts.forked_threads(store, ForkedThreads())
        for threads in (("t1", "t2"), ("t3",)):
            origin = ForkOrigin("r", Workspace("/w", WorkspaceKind.EMPTY), threads=threads)
            await _made(store, fork=origin)
            known = await run_facts.forked_threads(store, known)
            assert set(threads) <= known.threads
        assert known.threads == {"t1", "t2", "t3"}
        assert await run_facts.forked_threads(store, known) == known


async def test_runs_are_found_by_the_beginning_and_the_end_of_their_ids(database: Path) -> None:
    async with open_store(database) as store:
        ids = [await _made(store) for _ in range(3)]
        assert [run.id for run in await store.runs(like=ids[0])] == [ids[0]]
        assert [run.id for run in await store.runs(like=ids[1][-4:])] == [ids[1]]
        begun = await store.runs(like=ids[0][:4], limit=2)
        assert [run.id for run in begun] == [ids[2], ids[1]]

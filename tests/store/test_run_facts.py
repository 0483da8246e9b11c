"""Facts about all runs that the database answers without decoding them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from copy import copy
from pathlib import Path

from support import spec

from engine.domain.annotation import Annotation
from engine.domain.model import ForkOrigin, Status, Workspace, WorkspaceKind
from engine.domain.push import BranchPushed
from engine.domain.session_owner import owner_of
from engine.store import codec, run_facts
from engine.store.appending import AppendRequest
from engine.store.run_facts import ForkedThreads
from engine.store.session_owners import session_owners
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


async def test_labels_of_damaged_records_are_texts_or_left_out(database: Path) -> None:
    states = ('{"tags":null}', '{"tags":[null,5,["n"],"kept"]}', '{"tags":{"k":1}}', "[]", "")
    async with open_store(database) as store:
        ids = [await _made(store, project="a") for _ in states]
        with closing(sqlite3.connect(database)) as db, db:
            db.executemany("UPDATE runs SET state = ? WHERE id = ?", zip(states, ids, strict=True))
            db.execute("UPDATE runs SET project = x'ff00' WHERE id = ?", ids[:1])
        assert await run_facts.tags(store) == ["kept"]
        assert await run_facts.projects(store) == ["a"]


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


async def test_owners_of_sessions_are_what_their_whole_runs_are(database: Path) -> None:
    async with open_store(database) as store:
        origin = ForkOrigin("r", Workspace("/w", WorkspaceKind.EMPTY), threads=("t1", "t2"))
        places = (
            Workspace("/in/place", WorkspaceKind.IN_PLACE),
            Workspace("/a/worktree", WorkspaceKind.WORKTREE, host="node-1"),
            Workspace("/copy", WorkspaceKind.COPY),
            None,
        )
        ids = [await _made(store, fork=origin if place is None else None) for place in places]
        with closing(sqlite3.connect(database)) as db, db:
            for run, place in zip(await store.runs(ids=ids), reversed(places), strict=True):
                one = copy(run)
                one.workspace, one.status, one.finished_at = place, Status.SUCCEEDED, 12.5
                one.thread_id, one.thread_account = f"thread of {run.id}", "second"
                texts = (codec.state_text(one), run.id)
                db.execute("UPDATE runs SET status = 'succeeded', state = ? WHERE id = ?", texts)
        whole = await store.runs(ids=ids)
        assert {run.workspace for run in whole} == set(places)
        owners = await session_owners(store)
        assert owners == [owner_of(run) for run in sorted(whole, key=lambda run: run.id)]
        assert owners[-1].forked == ("t1", "t2")


async def test_a_damaged_run_and_one_of_a_newer_version_own_sessions(database: Path) -> None:
    async with open_store(database) as store:
        damaged, newer, plain = [await _made(store) for _ in range(3)]
        with closing(sqlite3.connect(database)) as db, db:
            db.execute("UPDATE runs SET state = '{' WHERE id = ?", (damaged,))
            change = "json_set(state, '$.status', 'dreaming', '$.thread_id', 't9')"
            db.execute(f"UPDATE runs SET state = {change} WHERE id = ?", (newer,))
        owners = {owner.id: owner for owner in await session_owners(store)}
        assert set(owners) == {damaged, newer, plain}
        assert owners[newer].thread_id == "t9"
        assert owners[newer].status == "dreaming"

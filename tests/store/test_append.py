"""Appending: all or nothing, once, and in an order on which all agree."""

from __future__ import annotations

import asyncio

import pytest
from support import HOSTILE, spec

from engine.domain.errors import UserError
from engine.domain.events import Notice, Raw, StatusChanged, Step
from engine.domain.model import Run, Status
from engine.domain.stamp import TransitionError
from engine.store.appending import AppendRequest, LostOwnership
from engine.store.store import Store

PREPARING, RUNNING = StatusChanged(Status.PREPARING), StatusChanged(Status.RUNNING)


def note(text: object) -> Notice:
    return Notice("info", str(text))


async def new_run(store: Store, *first: Notice) -> str:
    return next(iter((await store.create(spec(), first)).runs))


async def stored(store: Store, run: str) -> Run:
    (found,) = await store.runs(ids=[run])
    return found


async def notices(store: Store, run: str) -> list[str]:
    return [event.body.text for event in await store.events(run) if event.body.type == "notice"]


async def test_a_new_run_is_queued(store: Store) -> None:
    done = await store.create(spec(), [note("first")])
    (run,) = done.runs.values()
    assert run.status is Status.QUEUED
    assert await store.events(run.id) == done.events
    assert [event.seq for event in done.events] == [1, 2]
    assert await store.runs() == [run]


async def test_a_wrong_step_in_one_run_stores_nothing_of_any(store: Store) -> None:
    one, two = await new_run(store), await new_run(store)
    with pytest.raises(TransitionError):
        await store.append(
            [AppendRequest(one, [note("a")]), AppendRequest(two, [StatusChanged(Status.SUCCEEDED)])]
        )
    assert [run.seq for run in await store.runs()] == [1, 1]
    await store.append([AppendRequest(one, [note("b")])])
    assert await notices(store, one) == ["b"]


async def test_a_fault_while_deciding_stores_nothing(store: Store) -> None:
    run = await new_run(store)

    def fail(_: Run) -> list[Notice]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.append([AppendRequest(run, [note("a")]), AppendRequest(run, decide=fail)])
    assert await notices(store, run) == []


async def test_an_unknown_run_is_said_to_be_unknown(store: Store) -> None:
    run = await new_run(store)
    with pytest.raises(UserError) as caught:
        await store.append([AppendRequest(run, [note("a")]), AppendRequest("nobody", [note("b")])])
    assert caught.value.code == "RUN_NOT_FOUND"
    assert await notices(store, run) == []


async def test_several_entries_of_one_run_go_on_from_each_other(store: Store) -> None:
    run = await new_run(store)
    await store.append(
        [
            AppendRequest(run, [PREPARING]),
            AppendRequest(run, [note("a")]),
            AppendRequest(run, [RUNNING]),
        ]
    )
    assert [event.seq for event in await store.events(run)] == [1, 2, 3, 4]
    assert (await stored(store, run)).status is Status.RUNNING


async def test_a_large_batch_is_numbered_without_a_gap(store: Store) -> None:
    run = await new_run(store)
    done = await store.append([AppendRequest(run, [note(n) for n in range(1234)])])
    assert done.last_id - done.first_id + 1 == 1234
    assert await notices(store, run) == [str(n) for n in range(1234)]


async def test_any_number_of_events_and_runs_is_stored_whole(store: Store) -> None:
    runs = [await new_run(store) for _ in range(43)]
    counts = [1 + 37 * n % 41 for n in range(len(runs))]
    entries = [
        AppendRequest(run, [note(n) for n in range(count)], cursor=f"{count}")
        for run, count in zip(runs, counts, strict=True)
    ]
    done = await store.append(entries)
    stored, last_id = await store.events_between(done.first_id - 1, 5000)
    assert (stored, last_id) == (done.events, done.last_id)
    assert [await store.cursor(run, 1) for run in runs] == [f"{count}" for count in counts]
    assert {run.id: run.seq for run in await store.runs()} == {
        run: 1 + count for run, count in zip(runs, counts, strict=True)
    }


async def test_a_cursor_moves_with_its_events_or_not_at_all(store: Store) -> None:
    run = await new_run(store)
    await store.append([AppendRequest(run, [note("a")], cursor="1")])
    await store.append([AppendRequest(run, [note("b")], cursor="2", cursor_before="1")])
    with pytest.raises(LostOwnership):
        await store.append([AppendRequest(run, [note("b again")], cursor="2", cursor_before="1")])
    assert await notices(store, run) == ["a", "b"]
    assert await store.cursor(run, 1) == "2"
    with pytest.raises(TransitionError):
        await store.append([AppendRequest(run, [RUNNING], cursor="3", cursor_before="2")])
    assert await store.cursor(run, 1) == "2"


async def test_of_two_who_carry_one_attempt_only_one_gets_on(store: Store, other: Store) -> None:
    run = await new_run(store)
    for number in range(5):
        before = str(number - 1) if number else None
        entries = [
            (
                where,
                AppendRequest(
                    run, [note(f"{number} {name}")], cursor=str(number), cursor_before=before
                ),
            )
            for where, name in ((store, "one"), (other, "two"))
        ]
        results = await asyncio.gather(
            *(where.append([entry]) for where, entry in entries), return_exceptions=True
        )
        assert sum(isinstance(result, LostOwnership) for result in results) == 1
    assert [text.split()[0] for text in await notices(store, run)] == list("01234")


async def test_each_attempt_has_a_cursor_of_its_own(store: Store) -> None:
    run = await new_run(store)
    await store.append([AppendRequest(run, [PREPARING], cursor="old")])
    ways = [StatusChanged(Status.FAILED), StatusChanged(Status.QUEUED)]
    await store.append([AppendRequest(run, ways, cursor="new")])
    assert await store.cursor(run, 1) == "old"
    assert await store.cursor(run, 2) == "new"
    assert await store.cursor(run, 3) is None


async def test_two_stores_interleave_without_gap_or_double(store: Store, other: Store) -> None:
    run = await new_run(store)

    async def write(where: Store, name: str) -> None:
        for number in range(40):
            await where.append([AppendRequest(run, [note(f"{name} {number}")])])

    await asyncio.gather(write(store, "a"), write(other, "b"))
    events = await other.events(run)
    assert [event.seq for event in events] == list(range(1, 82))
    texts = await notices(store, run)
    for name in "ab":
        assert [text for text in texts if text[0] == name] == [f"{name} {n}" for n in range(40)]
    assert await stored(store, run) == await stored(other, run)
    assert (await stored(store, run)).seq == 81


async def test_what_is_decided_is_decided_on_what_is_stored(store: Store, other: Store) -> None:
    run = await new_run(store)

    def count(current: Run) -> list[Notice]:
        return [note(int(current.notice or 0) + 1)]

    places = [store, other] * 20
    await asyncio.gather(*(where.append([AppendRequest(run, decide=count)]) for where in places))
    assert await notices(store, run) == [str(n) for n in range(1, 41)]


async def test_a_setting_is_changed_as_it_is_stored(store: Store, other: Store) -> None:
    def count(value: str | None) -> str:
        return str(int(value or 0) + 1)

    places = [store, other] * 20
    await asyncio.gather(*(where.change_setting("count", count) for where in places))
    assert await other.settings() == {"count": "40"}
    await store.change_setting("count", lambda _: None)
    assert await other.settings() == {}


async def test_earlier_cursors_come_latest_first(store: Store) -> None:
    run = await new_run(store)
    await store.append([AppendRequest(run, [PREPARING], cursor="one")])
    for name in ("two", None, "four"):
        ways = [StatusChanged(Status.FAILED), StatusChanged(Status.QUEUED), PREPARING]
        await store.append([AppendRequest(run, ways, cursor=name)])
    assert await store.cursors(run, 5) == ["four", "two", "one"]
    assert await store.cursors(run, 3) == ["two", "one"]
    assert await store.cursors(run, 1) == []


async def test_all_read_the_events_of_all_runs_in_the_same_order(
    store: Store, other: Store
) -> None:
    runs = [await new_run(where) for where in (store, other, store)]
    writing = [
        where.append([AppendRequest(run, [note(n)]) for run in runs])
        for n, where in enumerate([store, other] * 10)
    ]
    await asyncio.gather(*writing)
    events, last_id = await store.events_between(0, 1000)
    assert (events, last_id) == await other.events_between(0, 1000)
    assert last_id == await other.last_id() == len(events) == 3 + 60
    pages, above = [], 0
    while page := (await store.events_between(above, 7))[0]:
        above = (await store.events_between(above, 7))[1]
        pages += page
    assert pages == events


async def test_a_commit_elsewhere_changes_the_version(store: Store, other: Store) -> None:
    before = await store.version()
    assert await store.version() == before
    await new_run(other)
    assert await store.version() != before


async def test_a_task_that_is_cut_off_leaves_no_transaction_behind(store: Store) -> None:
    run = await new_run(store)
    for turns in range(12):
        task = asyncio.create_task(store.append([AppendRequest(run, [note(f"cut {turns}")])]))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.append([AppendRequest(run, [note(f"whole {turns}")])])
    events = await store.events(run)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    whole = [text for text in await notices(store, run) if text.startswith("whole")]
    assert whole == [f"whole {turns}" for turns in range(12)]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:12]))
async def test_hostile_text_is_stored_and_read_back(store: Store, other: Store, text: str) -> None:
    made = spec(title=text, project=text)
    run = next(iter((await store.create(made, [])).runs))
    bodies = [
        note(text),
        Step("tool", "command", "completed", text, text, 0, text),
        Raw({text: [text]}),
    ]
    await store.append([AppendRequest(run, bodies)])
    for where in (store, other):
        _, *read = [event.body for event in await where.events(run)]
        back = text.encode("utf-8", "replace").decode()
        assert read[0].text == read[1].command == read[1].output == back
        assert read[2].data == {back: [back]}
        assert (await stored(where, run)).spec.title == back
        assert (await stored(where, run)).notice == back


async def test_events_are_paged_from_both_ends(store: Store) -> None:
    run = await new_run(store)
    await store.append([AppendRequest(run, [note(n) for n in range(2, 101)])])

    async def seqs(**page: int) -> list[int]:
        return [event.seq for event in await store.events(run, **page)]

    assert await seqs() == list(range(1, 101))
    assert await seqs(after=97) == [98, 99, 100]
    assert await seqs(after=10, limit=3) == [11, 12, 13]
    assert await seqs(before=10, limit=3) == [7, 8, 9]
    assert await seqs(before=3) == [1, 2]
    assert await seqs(before=1) == await seqs(after=100) == []
    assert await store.events("nobody") == []


async def test_runs_are_found_by_what_they_are(store: Store) -> None:
    made = [
        await store.create(spec(project=project, batch=batch), [])
        for project, batch in (("a", None), ("b", "x"), ("b", None))
    ]
    first, second, third = (next(iter(done.runs)) for done in made)
    await store.append([AppendRequest(second, [PREPARING])])

    async def ids(**query: object) -> list[str]:
        return [run.id for run in await store.runs(**query)]

    assert await ids() == [third, second, first]
    assert await ids(project="b") == [third, second]
    assert await ids(batch="x") == [second]
    assert await ids(statuses=["preparing"]) == [second]
    assert await ids(statuses=["queued"], project="b", limit=1) == [third]
    assert await ids(ids=[first, third]) == [third, first]
    assert await store.ids_like(third, 5) == [third]
    assert set(await store.ids_like("", 5)) == {first, second, third}
    assert await store.ids_like("~", 5) == []


async def test_a_question_that_is_no_text_is_refused(store: Store) -> None:
    with pytest.raises(UserError) as caught:
        await store.runs(project="\udc80")
    assert caught.value.code == "INPUT_INVALID"

"""The history searched: found by words, whatever they are; the index lags, and never lies."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import HOSTILE, spec

from engine.domain.errors import ErrorInfo, UserError
from engine.domain.events import ErrorRaised, FileChange, Notice, StatusChanged, Step, UsageCounted
from engine.domain.model import Status
from engine.domain.search import SearchResult, marked, words
from engine.search import HistorySearch
from engine.store.appending import AppendRequest
from engine.store.search import index_slice
from engine.store.store import Store, open_store

COMMAND = Step("tool", "command", "completed", command="pytest -q", output="3 passed in garden.py")


async def new_run(store: Store, prompt: str = "say hello", **more: object) -> str:
    return next(iter((await store.create(spec(prompt, **more), [])).runs))


async def find(store: Store, text: str, **more: object) -> SearchResult:
    return await HistorySearch(store).find(text, **more)


def places(found: SearchResult) -> list[tuple[str, int]]:
    return [(hit.what, hit.seq) for hit in found.hits]


def whole(database: Path) -> None:
    """Check that the index holds what the events say, no more and no less."""
    with closing(sqlite3.connect(database)) as db:
        for index in ("search_events", "search_prompts"):
            db.execute(f"INSERT INTO {index} ({index}, rank) VALUES ('integrity-check', 1)")


async def test_what_is_said_is_found_where_it_is_said(store: Store, database: Path) -> None:
    run = await new_run(store, "plant a tree", title="Garden")
    started = Step("tool", "command", "started", command="pytest -q")
    await store.append([
        AppendRequest(run, [
            started,
            COMMAND,
            Step("assistant", "message", "completed", "All trees are planted, naïve one."),
            Step("tool", "file_change", "completed", changes=(FileChange("src/oak.py", "added"),)),
            UsageCounted(1, 1, 1),
            Notice("warning", "the tree is silent"),
            ErrorRaised(ErrorInfo("AGENT_CRASHED", "Codex fell from a tree.", "Retry.", "")),
        ])
    ])  # fmt: skip
    assert places(await find(store, "plant")) == [("prompt", 1)]
    assert places(await find(store, "plant*")) == [("message", 4), ("prompt", 1)]
    assert places(await find(store, "PYTEST")) == [("command", 3)]  # its end, not its beginning
    assert places(await find(store, "naive")) == [("message", 4)]
    assert places(await find(store, "src/oak.py")) == [("file_change", 5)]
    assert places(await find(store, '"passed in"')) == [("command", 3)]
    assert not (await find(store, '"in passed"')).hits
    assert places(await find(store, "passed garden")) == [("command", 3)]
    assert places(await find(store, "tree")) == [("error", 8), ("notice", 7), ("prompt", 1)]
    assert (await find(store, "tree", limit=2)).more
    (hit,) = (await find(store, "gar", as_typed=True, limit=1)).hits
    assert (hit.run, hit.title, hit.status) == (run, "Garden", Status.QUEUED)
    assert [hit.text[start:end] for start, end in hit.marks] == ["garden"]
    whole(database)


async def test_only_of_a_project_or_a_status(store: Store) -> None:
    one = await new_run(store, "oak", project="park")
    two = await new_run(store, "oak", project="wood")
    await store.append([AppendRequest(two, [StatusChanged(Status.CANCELLED)])])
    assert [hit.run for hit in (await find(store, "oak")).hits] == [two, one]
    assert [hit.run for hit in (await find(store, "oak", project="park")).hits] == [one]
    ended = await find(store, "oak", statuses=[Status.CANCELLED, Status.FAILED])
    assert [hit.run for hit in ended.hits] == [two]


OPERATORS = [
    '"',
    "a AND",
    "NOT x",
    "said:x",
    "{a b}:c",
    "NEAR(a b)",
    "^a",
    "a*b*",
    "(",
    "-a",
    "a\x00b",
]


async def test_words_are_never_syntax(store: Store) -> None:
    run = await new_run(store, 'say NEAR(a b) AND {c}: "quoted" 100% [/red]')
    await store.append([AppendRequest(run, [Notice("info", text) for text in HOSTILE])])
    for text in (*OPERATORS, *HOSTILE, "'; DROP TABLE runs; --"):
        try:
            found = await find(store, text)
        except UserError as error:
            assert error.code == "INPUT_INVALID"
        else:
            assert all("\x1b" not in hit.text for hit in found.hits)
    assert places(await find(store, "NEAR(a b) AND {c}:")) == [("prompt", 1)]
    assert places(await find(store, '"quoted" 100% [/red]')) == [("prompt", 1)]


@given(st.text(max_size=60))
def test_anything_can_be_typed(text: str) -> None:
    try:
        assert words(text, as_typed=True)
    except UserError as error:
        assert error.code == "INPUT_INVALID"


@given(st.text(alphabet="ab \x02\x03\x1b[\n…", max_size=900))
def test_what_is_shown_of_a_place_is_short_and_harmless(raw: str) -> None:
    text, marks = marked(raw)
    assert len(text) <= 330 and not set(text) & set("\x1b\x02\x03\n")
    assert all(0 <= start <= end <= len(text) for start, end in marks)


async def test_of_a_long_output_the_beginning_and_the_end(store: Store) -> None:
    run = await new_run(store)
    output = f"first {'oak ' * 20_000} middle {'elm ' * 20_000} last"
    await store.append([AppendRequest(run, [Step("tool", "command", "completed", output=output)])])
    assert (await find(store, "first")).hits and (await find(store, "last")).hits
    assert not (await find(store, "middle")).hits


async def test_storing_does_not_index_and_an_answer_says_what_it_has_not_seen(
    store: Store, other: Store
) -> None:
    run = await new_run(store, "oak")
    await store.append([AppendRequest(run, [COMMAND] * 30)])
    assert await store.search_behind() == 32
    late = await find(store, "pytest", patience_s=0)
    assert (late.hits, late.behind) == ((), 32)
    found = await find(other, "pytest", limit=500)
    assert (len(found.hits), found.behind) == (30, 0)
    assert await store.search_behind() == 0


async def test_dropped_events_leave_the_index(store: Store, database: Path) -> None:
    run = await new_run(store, "plant")
    await store.append([AppendRequest(run, [Notice("info", f"oak {n}") for n in range(40)])])
    assert len((await find(store, "oak", limit=99)).hits) == 40
    await store.append(
        [AppendRequest(run, [Notice("info", "elm"), StatusChanged(Status.CANCELLED)])]
    )
    await store.drop_events(4e9, 10)  # some are in the index, some are not yet
    assert len((await find(store, "oak", limit=99)).hits) == 8
    assert places(await find(store, "elm")) == [("notice", 42)]
    assert places(await find(store, "plant")) == [("prompt", 1)]
    assert places(await find(store, "dropped")) == [("notice", 33)]
    whole(database)


def _index_and_die(path: Path, slices: int) -> None:
    import asyncio

    def index_and_die(db: sqlite3.Connection) -> None:
        index_slice(db)
        os._exit(9)  # with the slice not committed

    async def work() -> None:
        async with open_store(path) as store:
            for _ in range(slices):
                await store.index()
            await store._write(index_and_die)

    asyncio.run(work())


@pytest.mark.parametrize("slices", [0, 1])
async def test_a_kill_in_the_middle_loses_and_doubles_nothing(
    store: Store, database: Path, slices: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.store.search.SLICE_S", 1e-9)  # a chunk a slice
    run = await new_run(store, "oak")
    await store.append([AppendRequest(run, [Notice("info", f"elm {n}") for n in range(450)])])
    killed = multiprocessing.get_context("spawn").Process(
        target=_index_and_die, args=(database, slices)
    )
    killed.start()
    killed.join()
    assert killed.exitcode == 9
    assert len((await find(store, "elm", limit=999)).hits) == 450
    whole(database)

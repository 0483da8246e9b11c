"""Simulated runs from the queue to their end, as a user sees them."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import stat
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import (
    HOSTILE,
    LIMIT_S,
    Mode,
    becomes,
    fake_codex,
    of_type,
    played,
    settled,
    spec,
    statuses,
    supervising,
    texts,
    until,
)

from engine.config.paths import Paths
from engine.domain.errors import UserError, user_error
from engine.domain.lifecycle import ACTIVE, FINISHED
from engine.domain.model import Agent, Run, Stage, Status, Usage, WorkspaceKind, WorkspaceSpec
from engine.domain.projection import fold
from engine.domain.run_json import run_json
from engine.domain.text import printable
from engine.engine import Engine
from engine.store import connect
from engine.store.appending import AppendRequest, Committed

pytestmark = pytest.mark.both_modes

GOOD_WAY = [Status.QUEUED, Status.PREPARING, Status.RUNNING, Status.SUCCEEDED]
CAUSES = {
    "auth": "CODEX_AUTH_FAILED",
    "quota": "QUOTA_EXCEEDED",
    "overloaded": "API_OVERLOADED",
    "stream": "API_UNREACHABLE",
    "context": "CONTEXT_WINDOW_EXCEEDED",
    "something else": "AGENT_CRASHED",
}


async def test_a_run_goes_well(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await played(
            engine,
            "think hm",
            "plan look | write",
            "done 1",
            "write notes/a.txt hello",
            'command "pytest -q" output="2 passed"',
            "done 2",
            "usage input=100 cached=40 output=7",
            "say all done",
        )
        events = await engine.events(run.id)
        entries = await engine.workspaces.folder(run.id, "notes")
    assert run.status is Status.SUCCEEDED
    assert (run.exit_code, run.error, run.percent) == (0, None, 100)
    assert statuses(events) == GOOD_WAY
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.at for event in events] == sorted(event.at for event in events)
    percents = [body.percent for body in of_type(events, "progress")]
    assert percents == [0, 20, 30, 55, 80, 80, 100]
    assert [body.stage for body in of_type(events, "progress")][-2:] == [
        Stage.EXTRACTING_PATTERNS,
        Stage.COMPLETE,
    ]
    assert of_type(events, "progress")[-1].elapsed_s > 0
    assert run.usage == Usage(100, 40, 7, 0, 1)
    assert run.thread_id
    assert texts(events) == ["all done"]
    assert [entry.path for entry in entries] == ["notes/a.txt"]
    (artifact,) = of_type(events, "artifact")
    assert (paths.run(run.id) / artifact.path).read_text() == "all done"
    kinds = {body.kind for body in of_type(events, "step")}
    assert kinds == {"message", "command", "file_change"}


async def test_what_a_run_leaves_is_its_owners_only(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await played(engine)
        folder = paths.attempt(run.id, 1)
        for inner in (paths.home, paths.run(run.id), folder.path, Path(run.workspace.path)):
            assert stat.S_IMODE(inner.stat().st_mode) == 0o700
        for file in (paths.database, folder.prompt, folder.stdout, folder.stderr):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("cause", CAUSES)
async def test_a_failed_turn_says_why(paths: Paths, cause: str) -> None:
    async with supervising(paths) as engine:
        run = await played(engine, f"fail {cause}")
        events = await engine.events(run.id)
    assert (run.status, run.exit_code) == (Status.FAILED, 1)
    assert run.error
    assert run.error.code == run.reason == CAUSES[cause]
    assert [body.error for body in of_type(events, "error")] == [run.error]
    assert not of_type(events, "notice")


@pytest.mark.parametrize(
    ("end", "exit_code", "said"),
    [("exit 0", 0, "exit code 0"), ("exit 3", 3, "exit code 3"), ("crash", 101, "panicked at")],
)
async def test_without_a_completed_turn_a_run_has_failed(
    paths: Paths, end: str, exit_code: int, said: str, mode: Mode
) -> None:
    async with supervising(paths) as engine:
        run = await played(engine, "say hello", end)
    assert (run.status, run.exit_code) == (Status.FAILED, mode.exit_code(exit_code))
    assert run.error
    assert run.error.code == "AGENT_CRASHED"
    if mode is Mode.INTERACTIVE and end != "crash":
        said = f"the app-server ended by itself with {exit_code}"
    assert said in run.error.message


@pytest.mark.one_mode
async def test_a_completed_turn_with_a_bad_exit_code_has_failed(
    paths: Paths, tmp_path: Path
) -> None:
    fake = fake_codex(tmp_path, 'echo \'{"type":"turn.completed"}\'; echo no >&2; exit 5')
    async with supervising(paths) as engine:
        run = await played(engine, agent=Agent.CODEX, codex_bin=fake)
    assert (run.status, run.exit_code) == (Status.FAILED, 5)
    assert run.error
    assert run.error.code == "AGENT_CRASHED"


@pytest.mark.one_mode
async def test_a_codex_that_cannot_run_is_a_missing_codex(paths: Paths, tmp_path: Path) -> None:
    fake = tmp_path / "codex"
    fake.write_text("#!/nowhere/interpreter\n")
    fake.chmod(0o755)
    async with supervising(paths) as engine:
        with pytest.raises(UserError) as caught:  # checked before the run is queued
            await engine.start(spec(agent=Agent.CODEX, codex_bin=str(fake)))
        assert caught.value.code == "CODEX_CLI_MISSING"


async def test_warnings_reconnects_and_novelties_fail_nothing(paths: Paths, mode: Mode) -> None:
    async with supervising(paths) as engine:
        run = await played(
            engine, "speed 100", "warning careful", "reconnecting 2", "unknown", r"raw \xff {"
        )
        events = await engine.events(run.id)
    assert run.status is Status.SUCCEEDED
    assert [body.text.split()[0] for body in of_type(events, "notice")] == [
        "careful", "Reconnecting...", "Reconnecting...",
    ]  # fmt: skip
    raw = [body.data for body in of_type(events, "raw")]
    key, slash = ("method", "/") if mode is Mode.INTERACTIVE else ("type", ".")
    assert [data if isinstance(data, str) else data[key] for data in raw] == [
        f"simulated{slash}novelty", f"item{slash}completed", "\ufffd {",
    ]  # fmt: skip


async def test_every_line_arrives_once_and_in_order(paths: Paths) -> None:
    async with supervising(paths) as engine:
        heard = []
        batches = engine.batches(0)
        run = await engine.start(spec("numbered 300", "flood 3000", "bigline 300000", "rawcut cut"))
        async with asyncio.timeout(LIMIT_S):
            while not engine.view.runs[run.id].finished_at:
                heard += (await anext(batches)).events
        events = await engine.events(run.id)
    assert heard == events
    numbers = [f"n {n}" for n in range(1, 301)]
    floods = [f"flood {n}" for n in range(1, 3001)]
    said = [text.strip("x").strip() for text in texts(events)]
    assert said[:3300] == numbers + floods
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


async def test_what_was_seen_live_is_what_is_stored(paths: Paths) -> None:
    async with supervising(paths) as engine:
        for script in (("default",), ("fail auth",), ("plan a | b", "done 1", "crash")):
            await engine.start(spec("speed 1000", *script))
        await settled(engine)
        live = dict(engine.view.runs)
    async with Engine.open(paths) as engine:
        assert engine.view.runs == live
        for run in live.values():
            made = Run(run.id, run.spec, run.created_at)
            assert fold(made, await engine.events(run.id)) == run
            assert run_json(run, 1e10)["status"] in FINISHED


@pytest.mark.parametrize("text", HOSTILE[:-2], ids=lambda text: ascii(text[:12]))
async def test_hostile_text_goes_through_as_data(paths: Paths, text: str) -> None:
    escaped = text.encode("unicode_escape").decode()
    shown = spec("say before", f"say x{escaped}", f'write "f{text.strip()}" x', "say after")
    shown = replace(shown, title=text, project=text, prompt=f"{text}\n{shown.prompt}")
    async with supervising(paths) as engine:
        run = await engine.start(shown)
        await settled(engine)
        run = engine.view.runs[run.id]
        events = await engine.events(run.id)
    # The limits of copies are added, and when an interactive agent asks.
    added = {"preparation": shown.preparation, "approvals": shown.approvals}
    assert replace(run.spec, **added) == shown
    assert run.status in (Status.SUCCEEDED, Status.FAILED)
    assert Path(run.workspace.path).is_relative_to(paths.home / "workspaces")
    for body in of_type(events, "step"):
        for said in (body.text, *(change.path for change in body.changes or ())):
            assert said == printable(said)


async def test_a_copy_is_worked_on_and_the_source_is_not(paths: Paths, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "kept.txt").write_text("old")
    wish = WorkspaceSpec(WorkspaceKind.COPY, str(source))
    async with supervising(paths) as engine:
        run = await played(engine, "write kept.txt new", "write more.txt x", workspace=wish)
    work = Path(run.workspace.path)
    assert run.workspace.source == str(source)
    assert (work / "kept.txt").read_text() == "new\n"
    assert (source / "kept.txt").read_text() == "old"
    assert not (source / "more.txt").exists()


async def test_children_that_the_agent_left_behind_are_ended_and_told(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await played(engine, "child new-session ignore-term", "child")
        events = await engine.events(run.id)
    assert run.status is Status.SUCCEEDED
    (notice,) = of_type(events, "notice")
    assert re.fullmatch(
        r"ended 2 processes that the agent left behind: \S+ \(\d+\), \S+ \(\d+\)", notice.text
    )


# What costs nothing


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"prompt": " \n"}, "INPUT_INVALID"),
        ({"prompt": "no \udc80 text"}, "INPUT_INVALID"),
        ({"title": "\ud800"}, "INPUT_INVALID"),
        ({"agent": Agent.CODEX, "codex_bin": "/nowhere/codex"}, "CODEX_CLI_MISSING"),
        ({"workspace": WorkspaceSpec(WorkspaceKind.COPY, "/nowhere")}, "SOURCE_NOT_FOUND"),
        ({"workspace": WorkspaceSpec(WorkspaceKind.COPY, "/")}, "WORKSPACE_UNSAFE"),
    ],
)
@pytest.mark.one_mode
async def test_a_mistake_costs_no_row_and_no_folder(paths: Paths, wish: dict, code: str) -> None:
    async with supervising(paths) as engine:
        with pytest.raises(UserError) as caught:
            await engine.start(replace(spec(), **wish))
        assert caught.value.code == code
        assert await engine.runs() == []
    assert {path.name for path in paths.home.iterdir()} <= {
        "swarm.db", "swarm.db-wal", "swarm.db-shm", "supervisor.lock", "database-made", "reserve",
        "reserve-opening",
    }  # fmt: skip


# The queue


async def test_no_more_run_at_a_time_than_there_are_slots(paths: Paths) -> None:
    async with supervising(paths, slots=2) as engine:
        batches = engine.batches(0)
        ids = [(await engine.start(spec("speed 10", "wait 0.5"))).id for _ in range(6)]
        active: set[str] = set()
        most, order = 0, []
        async with asyncio.timeout(LIMIT_S):
            while engine.view.live:
                for event in (await anext(batches)).events:
                    if event.body.type != "status":
                        continue
                    if event.body.status in ACTIVE:
                        active.add(event.run)
                        order += [event.run] if event.body.status is Status.PREPARING else []
                    active -= {event.run} if event.body.status in FINISHED else set()
                    most = max(most, len(active))
    assert most == 2
    assert order == ids


async def test_a_queued_run_knows_its_place(paths: Paths) -> None:
    async with supervising(paths, slots=1) as engine:
        first = await engine.start(spec("hang"))
        await until(engine, lambda: engine.view.runs[first.id].status is Status.RUNNING)
        second, third = [await engine.start(spec()) for _ in range(2)]
        assert [engine.position(run.id) for run in (first, second, third)] == [None, 1, 2]
        await engine.cancel(second.id)
        assert engine.position(third.id) == 1
        await engine.cancel(first.id)
        await settled(engine)
        assert engine.view.runs[third.id].status is Status.SUCCEEDED


async def test_more_slots_let_more_run(paths: Paths) -> None:
    async with supervising(paths, slots=1) as engine:
        runs = [(await engine.start(spec("hang"))).id for _ in range(2)]
        await until(engine, lambda: engine.view.runs[runs[0]].status is Status.RUNNING)
        await engine.set_slots(2)
        await until(engine, lambda: engine.view.runs[runs[1]].status is Status.RUNNING)
        for run in runs:
            await engine.cancel(run, kill=True)
        await settled(engine)


# Again


async def test_a_retry_is_the_next_attempt_in_the_same_workspace(paths: Paths) -> None:
    lines = ("attempt 1", "write a.txt one", "usage input=10 output=1", "fail overloaded",
             "attempt 2+", "append a.txt two", "usage input=5 output=1", "end")  # fmt: skip
    async with supervising(paths) as engine:
        first = await played(engine, *lines)
        assert (first.status, first.attempt, first.error.code) == (
            Status.FAILED, 1, "API_OVERLOADED",
        )  # fmt: skip
        await engine.retry(first.id)
        await settled(engine)
        second = engine.view.runs[first.id]
        events = await engine.events(first.id)
    assert (second.status, second.attempt, second.error) == (Status.SUCCEEDED, 2, None)
    assert second.workspace == first.workspace
    assert (Path(second.workspace.path) / "a.txt").read_text() == "one\ntwo\n"
    assert [event.attempt for event in events] == sorted(event.attempt for event in events)
    again = [b.percent for b in of_type((e for e in events if e.attempt == 2), "progress")]
    assert again[0] == 20  # the workspace was there
    assert again == sorted(again)
    assert paths.attempt(first.id, 1).stdout.is_file()
    assert paths.attempt(first.id, 2).stdout.is_file()


async def test_a_retry_needs_the_source_no_more(paths: Paths, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    wish = WorkspaceSpec(WorkspaceKind.COPY, str(source))
    async with supervising(paths) as engine:
        run = await played(engine, "attempt 1", "exit 1", "attempt 2+", "say on", workspace=wish)
        source.rmdir()
        await engine.retry(run.id)
        await settled(engine)
        assert engine.view.runs[run.id].status is Status.SUCCEEDED


async def test_only_what_has_ended_can_be_retried(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("hang"))
        with pytest.raises(UserError) as caught:
            await engine.retry(run.id)
        assert caught.value.code == "RUN_NOT_RETRYABLE"
        await until(engine, lambda: engine.view.runs[run.id].status is Status.RUNNING)
        await engine.cancel(run.id)
        await settled(engine)
        await engine.retry(run.id)
        await engine.cancel(run.id, kill=True)
        await settled(engine)
        assert engine.view.runs[run.id].attempt == 2


# Found by name


@pytest.mark.one_mode
async def test_a_run_is_found_by_any_unique_prefix(paths: Paths) -> None:
    async with Engine.open(paths) as engine:
        with pytest.raises(UserError) as caught:
            await engine.find("@last")
        assert caught.value.code == "RUN_NOT_FOUND"
        runs = [await engine.start(spec()) for _ in range(3)]
        assert await engine.find("@last") == runs[-1]
        assert await engine.find(runs[0].id) == runs[0]
        assert [run.id for run in await engine.runs()] == [run.id for run in runs[::-1]]
        with pytest.raises(UserError) as caught:
            await engine.find(runs[0].id[:1])
        assert caught.value.code == "RUN_AMBIGUOUS"
        assert all(run.id in caught.value.message for run in runs)
        for name in ("", "nobody", "%", "*", "~", "\udc80", "\x1b[31m", "x" * 5000, "../.."):
            with pytest.raises(UserError) as caught:
                await engine.find(name)
            assert caught.value.code == "RUN_NOT_FOUND"
            assert "\x1b" not in caught.value.message
            assert len(caught.value.message) < 200


# A database that is locked for a while


async def test_a_locked_database_holds_a_run_up_and_harms_it_not(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connect, "BUSY_TIMEOUT_MS", 10)

    async with Engine.open(paths) as asking:
        run = await asking.start(spec("numbered 20", "wait 0.2", "say end"))
    with closing(sqlite3.connect(paths.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with supervising(paths) as engine:
            await becomes(lambda: caplog.records)
            other.execute("COMMIT")
            await until(engine, lambda: engine.view.runs[run.id].status is Status.RUNNING)
            caplog.clear()
            other.execute("BEGIN IMMEDIATE")
            await becomes(lambda: len(caplog.records) > 1)
            other.execute("COMMIT")
            await settled(engine)
            events = await engine.events(run.id)
    assert statuses(events) == GOOD_WAY
    assert texts(events) == [*(f"n {n}" for n in range(1, 21)), "end"]


@pytest.mark.one_mode
async def test_a_database_locked_at_the_end_turns_no_success_into_a_failure(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with supervising(paths) as engine:
        append = engine._store.append
        refused: list[str] = []

        async def locked_once(entries: Sequence[AppendRequest], *more: Any) -> Committed:
            for entry in entries:
                ends = any(getattr(b, "status", "") is Status.SUCCEEDED for b in entry.bodies)
                if ends and not refused:
                    refused.append(entry.run)
                    raise user_error("DATABASE_LOCKED")
            return await append(entries, *more)

        monkeypatch.setattr(engine._store, "append", locked_once)
        run = await played(engine)
        assert refused == [run.id]
        assert run.status is Status.SUCCEEDED
        assert statuses(await engine.events(run.id)) == GOOD_WAY

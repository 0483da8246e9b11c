"""Accounts: a full one holds only its own runs, and a run goes on under the next in its thread."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from support import of_type, played, quick, settled, spec, statuses, supervising, texts, until

from engine.agents.codex import limit_resets
from engine.agents.codex.account_settings import AccountHome, AccountName, AccountSettings
from engine.agents.codex.settings import CodexSettings
from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.model import Run, Status
from engine.domain.queue import paused
from engine.domain.reasons import WaitingFor
from engine.domain.usage import UsageGroup, UsageQuery
from engine.engine import Engine

pytestmark = pytest.mark.both_modes

USAGE = "usage input=100 cached=40 output=10"
LIMIT = "fail You’ve hit your usage limit. Try again later."
FULL = ("account default", "say one", USAGE, LIMIT, "end")
MOVED = (*FULL, "account work", USAGE, "say two", "end")


def with_accounts(*names: str, on_limit: str = "next") -> dict[str, Any]:
    """Return settings with accounts of these names."""
    accounts = tuple(
        AccountSettings(AccountName(name), AccountHome(f"/nowhere/{name}")) for name in names
    )
    return {"accounts": accounts, "codex": CodexSettings(on_limit=on_limit)}  # pyright: ignore[reportArgumentType]  a literal


@pytest.fixture(autouse=True)
def _long_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit_resets, "UNKNOWN_S", 3600.0)


async def chosen(engine: Engine, run: Run) -> list[str]:
    return [one.account for one in of_type(await engine.events(run.id), "account")]


async def test_at_a_limit_the_thread_goes_on_under_the_next_account(paths: Paths) -> None:
    async with supervising(paths, **with_accounts("work")) as engine:
        run = await played(engine, *MOVED)
        events = await engine.events(run.id)
        report = await engine.usage.report(UsageQuery(UsageGroup.ACCOUNT))
        assert not paused(engine.pause, 0.0)
    assert (run.status, run.attempt, run.account) == (Status.SUCCEEDED, 2, "work")
    assert texts(events) == ["one", "two"]
    (choice,) = of_type(events, "account")
    assert (choice.account, choice.reason) == ("work", "the account default has no room")
    homes = [paths.agent_home("simulated"), paths.agent_home("simulated-work")]
    files = [next(home.rglob(f"rollout-*-{run.thread_id}.jsonl")) for home in homes]
    before, after = (file.read_bytes() for file in files)
    assert files[0].relative_to(homes[0]) == files[1].relative_to(homes[1])
    assert after.startswith(before)
    assert files[1].stat().st_mode & 0o777 == 0o600
    assert (run.usage.input, run.usage.cached, run.usage.output) == (200, 80, 20)
    used = {row.key: row.usage.input for row in report.rows}
    assert used == {"simulated": 100, "work": 100}


async def test_a_new_run_starts_under_the_first_account_with_room(paths: Paths) -> None:
    async with supervising(paths, **with_accounts("work", "spare")) as engine:
        await played(engine, *MOVED)
        second = await played(engine, "say hello")
        named = await played(engine, "say hello", account="spare")
        assert await chosen(engine, second) == ["work"]
        assert await chosen(engine, named) == ["spare"]


async def test_a_run_that_names_its_account_waits_for_it(paths: Paths) -> None:
    async with supervising(paths, **with_accounts("work")) as engine:
        run = await engine.start(spec("account work", LIMIT, "end", account="work"))
        await until(engine, lambda: engine.view.runs[run.id].limit_hits)
        other = await played(engine, "say hello")
        assert other.status is Status.SUCCEEDED
        assert engine.view.runs[run.id].status is Status.QUEUED
        assert engine.view.runs[run.id].account == "work"
        assert engine.pause
        assert not paused(engine.pause, 0.0)
        await engine.cancel(run.id)


async def test_with_wait_a_full_account_holds_its_own_runs_alone(paths: Paths) -> None:
    async with supervising(paths, **with_accounts("work", on_limit="wait")) as engine:
        run = await engine.start(spec(*FULL))
        await until(engine, lambda: engine.view.runs[run.id].limit_hits)
        waiting = await engine.start(spec("say hello"))
        other = await played(engine, "say hello", account="work")
        assert other.status is Status.SUCCEEDED
        assert {engine.view.runs[one.id].status for one in (run, waiting)} == {Status.QUEUED}
        await engine.set_pause(None)  # the user has bought more
        await until(engine, lambda: engine.view.runs[waiting.id].finished_at)
        await engine.cancel(run.id)


async def test_the_queue_pauses_where_no_account_has_room(paths: Paths) -> None:
    script = (*FULL, "account work", "limits primary=100 resets_in=600", LIMIT, "end")
    async with supervising(paths, **with_accounts("work")) as engine:
        run = await engine.start(spec(*script))
        await until(engine, lambda: engine.pause and engine.pause.until)
        pause = engine.pause
        assert pause
        assert pause.waiting_for is WaitingFor.LIMIT
        assert "no account has room: the first is work" in pause.reason
        assert {one.account for one in pause.accounts} == {"default", "work"}
        assert pause.until == min(one.until or 0 for one in pause.accounts)
        assert await chosen(engine, run) == ["work"]
        await engine.cancel(run.id)


async def test_a_fork_starts_under_the_account_of_its_thread(paths: Paths) -> None:
    script = (
        *("attempt 1", "say one", LIMIT, "end"),
        *("attempt 2", "say three", "end"),
    )
    async with supervising(paths, **with_accounts("work")) as engine:
        run = await engine.start(spec(*script))
        await until(engine, lambda: engine.view.runs[run.id].limit_hits == 2)
        await engine.set_pause(None)
        await until(engine, lambda: engine.view.runs[run.id].finished_at)
        done = engine.view.runs[run.id]
        said = texts(await engine.events(run.id))
        fork = await engine.forks.fork(run.id, "sim: say four")
        await settled(engine)
        forked = engine.view.runs[fork.id]
    assert said == ["one", "one", "three"]
    assert (done.status, done.account) == (Status.SUCCEEDED, "work")
    assert (forked.status, forked.account) == (Status.SUCCEEDED, "work")


async def test_an_account_that_is_unknown_is_refused_and_fails_a_queued_run(paths: Paths) -> None:
    async with Engine.open(paths, quick(**with_accounts("work"))) as engine:
        with pytest.raises(UserError) as caught:
            await engine.start(spec("say hello", account="wrok"))
        assert caught.value.code == "ACCOUNT_UNKNOWN"
        run = await engine.start(spec("say hello", account="work"))
    async with supervising(paths) as engine:
        await until(engine, lambda: engine.view.runs[run.id].finished_at)
        found = engine.view.runs[run.id]
    assert found.status is Status.FAILED
    assert found.error
    assert found.error.code == "ACCOUNT_UNKNOWN"
    assert "work" in found.error.message


async def test_a_supervisor_that_ends_between_limit_and_move_loses_nothing(paths: Paths) -> None:
    async with supervising(paths, **with_accounts("work")) as engine:
        run = await engine.start(spec(*MOVED))
        await until(engine, lambda: engine.view.runs[run.id].limit_hits)
    async with supervising(paths, **with_accounts("work")) as engine:
        await until(engine, lambda: engine.view.runs[run.id].finished_at)
        done = engine.view.runs[run.id]
        events = await engine.events(run.id)
    assert (done.status, done.account, done.usage.input) == (Status.SUCCEEDED, "work", 200)
    assert texts(events) == ["one", "two"]
    assert statuses(events).count(Status.QUEUED) == 2


async def test_a_thread_that_went_on_differently_is_not_overwritten(paths: Paths) -> None:
    async with supervising(paths, slots=1, **with_accounts("work")) as engine:
        await engine.set_pause(None)
        run = await engine.start(spec(*MOVED))
        await until(engine, lambda: engine.view.runs[run.id].thread_id)
        thread = engine.view.runs[run.id].thread_id
        file = await asyncio.to_thread(_written, paths, thread)
        await until(engine, lambda: engine.view.runs[run.id].finished_at)
        done = engine.view.runs[run.id]
    assert file.read_text() == "another\n"
    assert done.error
    assert done.error.code == "ACCOUNT_THREAD_DIFFERS"


def _written(paths: Paths, thread: str | None) -> Path:
    homes = [paths.agent_home("simulated"), paths.agent_home("simulated-work")]
    source = next(homes[0].rglob(f"rollout-*-{thread}.jsonl"))
    file = homes[1] / source.relative_to(homes[0])
    file.parent.mkdir(parents=True)
    file.write_text("another\n")
    return file

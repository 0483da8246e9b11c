"""The queue at work: who starts when, what holds it, and who may change that from where."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from support import LIMIT_S, becomes, played, quick, settled, spec, supervising, texts, until

from engine import login_check
from engine.batches.service import BatchPlan
from engine.config.paths import Paths
from engine.config.settings import QueueSettings, WatchdogSettings
from engine.domain.batch import Batch, PlannedRun
from engine.domain.errors import UserError
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Agent, Pause, Run, Status
from engine.domain.reasons import WaitingFor
from engine.engine import Engine
from engine.execution import scheduler

pytestmark = pytest.mark.both_modes

SEEN_S = 0.5
"""How soon every engine of a home is to see what another one did."""
MARGIN_S = 10.0
"""What a test adds to that: these machines do much else."""


async def starts(engine: Engine) -> dict[str, float]:
    """When each run's first attempt began, in that order."""
    found: dict[str, float] = {}
    for run in engine.view.runs.values():
        for event in await engine.events(run.id):
            if getattr(event.body, "status", "") == "preparing":
                found.setdefault(run.spec.title, event.at)
    return dict(sorted(found.items(), key=lambda pair: pair[1]))


async def filled(paths: Paths, *wishes: dict) -> None:
    """Queue these before anybody supervises."""
    async with Engine.open(paths, quick(), follow=False) as engine:
        for number, wish in enumerate(wishes):
            lines = wish.pop("lines", ("say hello",))
            await engine.start(spec(*lines, **{"title": str(number), **wish}))


# Order


async def test_priorities_then_age(paths: Paths) -> None:
    await filled(paths, {}, {}, {"priority": 5}, {"priority": -5}, {"priority": 5})
    async with supervising(paths, slots=1) as engine:
        await settled(engine)
        assert list(await starts(engine)) == ["2", "4", "0", "1", "3"]


@pytest.mark.one_mode
async def test_starts_are_spread(paths: Paths) -> None:
    await filled(paths, *({} for _ in range(4)))
    async with supervising(paths, queue=QueueSettings(stagger_s=0.3)) as engine:
        await settled(engine)
        began = list((await starts(engine)).values())
    gaps = [later - earlier for earlier, later in pairwise(began)]
    assert min(gaps) >= 0.3 * 0.8 - 0.02


async def test_a_cap_per_project(paths: Paths) -> None:
    one = {"project": "one", "lines": ("wait 0.3",)}
    await filled(paths, one | {}, one | {}, one | {}, {"project": "two"})
    most = 0
    async with supervising(paths, queue=QueueSettings(stagger_s=0, per_project=1)) as engine:
        batches = engine.batches(0)
        async with asyncio.timeout(LIMIT_S):
            while engine.view.live:
                active = [run for run in engine.view.active() if run.spec.project == "one"]
                most = max(most, len(active))
                await anext(batches)
        assert list(await starts(engine))[:2] == ["0", "3"]
    assert most == 1


async def test_one_after_the_other(paths: Paths) -> None:
    async with supervising(paths) as engine:
        first = await engine.start(spec("wait 0.3", title="first"))
        second = await engine.start(spec("say x", title="second", after=(first.id,)))
        third = await engine.start(spec("say x", title="third", after=(second.id,)))
        assert [engine.position(run.id) for run in (second, third)] == [1, 2]
        await settled(engine)
        assert list(await starts(engine)) == ["first", "second", "third"]
        assert engine.view.runs[third.id].status is Status.SUCCEEDED


async def test_what_waits_in_vain_leaves_the_queue(paths: Paths) -> None:
    async with supervising(paths) as engine:
        first = await engine.start(spec("wait 0.2", "fail something odd"))
        second = await engine.start(spec(after=(first.id,)))
        third = await engine.start(spec(after=(second.id,)))
        await settled(engine)
        for run, cause in ((second, first), (third, second)):
            gone = engine.view.runs[run.id]
            assert gone.status is Status.CANCELLED
            assert cause.id in gone.reason
            assert gone.workspace is None


async def test_a_start_time(paths: Paths) -> None:
    at = time.time() + 1.2
    await filled(paths, {"not_before": at}, {})
    async with supervising(paths, slots=1) as engine:
        await settled(engine)
        began = await starts(engine)
    assert list(began) == ["1", "0"]
    assert at <= began["0"] < at + 1.5 + MARGIN_S


# From another engine


@pytest.mark.one_mode
async def test_slots_are_changed_live_from_another_engine(paths: Paths) -> None:
    async with supervising(paths, slots=1) as engine, Engine.open(paths, quick()) as other:
        runs = [await other.start(spec("hang")) for _ in range(4)]
        for slots in (1, 3, 2):
            await other.set_slots(slots)
            most = max(slots, len(engine.view.active()))
            await until(engine, lambda slots=slots: engine.slots == slots)
            await until(engine, lambda most=most: len(engine.view.active()) == most)
        assert len(engine.view.active()) == 3  # fewer slots end nobody
        active = {run.id for run in engine.view.active()}
        (waiting,) = [run for run in runs if run.id not in active]
        await other.cancel(sorted(active)[0], kill=True)
        await until(engine, lambda: len(engine.view.active()) == 2)
        assert engine.view.runs[waiting.id].status is Status.QUEUED
        for run in runs:
            if engine.view.runs[run.id].status not in FINISHED:
                await other.cancel(run.id, kill=True)
        await settled(engine)
    for slots in (0, -1, 100_000):
        async with Engine.open(paths, quick(), follow=False) as other:
            with pytest.raises(UserError) as caught:
                await other.set_slots(slots)
            assert caught.value.code == "INPUT_INVALID"
            assert other.slots == 2


async def seen(engine: Engine, holds: Callable[[], object]) -> float:
    """How long it takes until `holds`."""
    started = time.monotonic()
    await until(engine, holds)
    return time.monotonic() - started


@pytest.mark.one_mode
async def test_a_pause_is_seen_everywhere_within_half_a_second(paths: Paths) -> None:
    asked = Pause("asked by the user")
    async with (
        supervising(paths) as engine,
        Engine.open(paths, quick()) as watching,
        Engine.open(paths, quick(), follow=False) as command,
    ):
        await command.set_pause(asked)
        for one in (engine, watching):
            assert await seen(one, lambda one=one: one.pause == asked) < SEEN_S + MARGIN_S
        run = await command.start(spec())
        await until(engine, lambda: run.id in engine.view.runs)
        await command.set_pause(None)
        assert await seen(watching, lambda: watching.pause is None) < SEEN_S + MARGIN_S
        await settled(engine)
        assert engine.view.runs[run.id].status is Status.SUCCEEDED


async def test_a_pause_starts_nothing_and_stops_nothing(paths: Paths) -> None:
    async with supervising(paths) as engine:
        busy = await engine.start(spec("numbered 60 every=0.02"))
        await until(engine, lambda: engine.view.runs[busy.id].status is Status.RUNNING)
        await engine.set_pause(Pause("asked"))
        run = await engine.start(spec())
        await until(engine, lambda: engine.view.runs[busy.id].finished_at)
        await asyncio.sleep(1.2)  # longer than the scheduler's own tick: nothing is to happen
        assert engine.view.runs[busy.id].status is Status.SUCCEEDED
        assert engine.view.runs[run.id].status is Status.QUEUED
        await engine.set_pause(None)
        await settled(engine)


@pytest.mark.one_mode
async def test_two_engines_and_commands_on_one_home(paths: Paths) -> None:
    async with supervising(paths, slots=3) as one, supervising(paths, slots=3) as two:
        assert (one.supervises, two.supervises) == (True, False)

        async def commands(count: int) -> list[Run]:
            made: list[Run] = []
            for _ in range(count):
                async with Engine.open(paths, quick(), follow=False) as command:
                    made.append(await command.start(spec("numbered 10 every=0.01")))
            return made

        made = [run for some in await asyncio.gather(commands(8), commands(7)) for run in some]
        held = await two.start(spec("hang"))
        await until(two, lambda: two.view.runs[held.id].status is Status.RUNNING)
        await two.cancel(held.id)
        await settled(one)
        await until(two, lambda: not two.view.live)
        assert one.view.runs == two.view.runs
        assert len({run.id for run in made}) == 15
        for run in made:
            assert one.view.runs[run.id].status is Status.SUCCEEDED
        assert one.view.runs[held.id].status is Status.CANCELLED


# The login


FAKE = """#!/bin/sh
echo "$1" >> "$0.calls"
if [ "$1" = login ]; then exit 1; fi
if [ "$1" = doctor ]; then cat "$0.doctor"; exit 0; fi
cat >/dev/null
%s
"""
GOOD = """echo '{"type":"turn.completed"}'"""
REFUSED = """echo '{"type":"turn.failed","error":{"message":"unexpected status 401 Unauthorized"}}'
exit 1"""
NO_LOGIN = '{"checks":{"auth.credentials":{"status":"fail","summary":"none found"}}}'
NO_CONFIG = '{"checks":{"config.load":{"status":"fail","summary":"config could not be loaded"}}}'


class Fake:
    """Something called as Codex is, that records its calls."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "fake"
        self.doctor("{}")
        self.does(GOOD)

    def does(self, text: str) -> None:
        self.path.write_text(FAKE % text)
        self.path.chmod(0o755)

    def doctor(self, says: str) -> None:
        Path(f"{self.path}.doctor").write_text(says)

    def calls(self) -> list[str]:
        path = Path(f"{self.path}.calls")
        return path.read_text().split() if path.exists() else []

    def wish(self) -> dict:
        return {"agent": Agent.CODEX, "codex_bin": str(self.path)}


@pytest.fixture
def codex(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    # On a busy machine the answer may take longer than a user would wait for it.
    monkeypatch.setattr(login_check, "PATIENCE_S", 60.0)
    return Fake(tmp_path)


@pytest.mark.one_mode
async def test_the_login_is_checked_once_before_the_first_codex(paths: Paths, codex: Fake) -> None:
    async with supervising(paths, slots=4) as engine:
        await played(engine)
        assert codex.calls() == []  # the simulated agent needs none
        runs = [await engine.start(spec(**codex.wish())) for _ in range(6)]
        await settled(engine)
        # Once for the requests, and once before the first start.
        assert codex.calls() == ["login", "doctor"] * 2 + ["exec"] * 6
        assert {engine.view.runs[run.id].status for run in runs} == {Status.SUCCEEDED}
        await engine.set_pause(Pause("asked"))
        run = await engine.start(spec(**codex.wish()))
        await becomes(lambda: not engine._supervision.scheduler._logged_in)
        await engine.set_pause(None)
        await settled(engine)
        assert codex.calls()[10:] == ["login", "doctor", "exec"]  # once more after a pause
        assert engine.view.runs[run.id].status is Status.SUCCEEDED


@pytest.mark.parametrize(
    ("says", "code"), [(NO_LOGIN, "CODEX_AUTH_REQUIRED"), (NO_CONFIG, "CODEX_CONFIG_INVALID")]
)
@pytest.mark.one_mode
async def test_without_a_login_a_run_fails_before_anything_is_started(
    paths: Paths, codex: Fake, says: str, code: str
) -> None:
    async with supervising(paths) as engine:
        await engine.set_pause(Pause("asked"))
        runs = [await engine.start(spec(**codex.wish())) for _ in range(3)]
        codex.doctor(says)  # the login is lost after the runs were created
        await engine.set_pause(None)
        await until(engine, lambda: engine.pause)  # the rest of the queue is not burnt
        first, second, third = (engine.view.runs[run.id] for run in runs)
        for run in (first, second):
            assert (run.status, run.error.code) == (Status.FAILED, code)
            assert run.workspace is None
        assert third.status is Status.QUEUED
        assert "exec" not in codex.calls()
        codex.doctor("{}")
        await engine.set_pause(None)
        await settled(engine)
        assert engine.view.runs[third.id].status is Status.SUCCEEDED


@pytest.mark.parametrize(
    ("says", "code"), [(NO_LOGIN, "CODEX_AUTH_REQUIRED"), (NO_CONFIG, "CODEX_CONFIG_INVALID")]
)
@pytest.mark.one_mode
async def test_without_a_login_no_run_is_created_or_queued_again(
    paths: Paths, codex: Fake, says: str, code: str
) -> None:
    async with supervising(paths) as engine:
        ended = await played(engine, **codex.wish())
    codex.doctor(says)
    async with supervising(paths) as engine:
        planned = PlannedRun(spec(**codex.wish()))
        for request in (
            lambda: engine.start(spec(**codex.wish())),
            lambda: engine.retry(ended.id),
            lambda: engine.resume(ended.id, "More"),
            lambda: engine.swarms.start(BatchPlan(Batch("", "night"), (planned, planned))),
        ):
            with pytest.raises(UserError) as caught:
                await request()
            assert caught.value.code == code
        assert [run.status for run in await engine.runs()] == [Status.SUCCEEDED]
        simulated = await played(engine)  # a simulated run needs no login
        assert (simulated.status, simulated.error) == (Status.SUCCEEDED, None)


@pytest.mark.one_mode
async def test_a_missing_interpreter_of_codex_is_reported_before_a_run_is_created(
    paths: Paths, codex: Fake
) -> None:
    codex.path.write_text("#!/usr/bin/env no-such-interpreter\n")
    async with supervising(paths) as engine:
        with pytest.raises(UserError) as caught:
            await engine.start(spec(**codex.wish()))
        assert caught.value.code == "CODEX_CLI_MISSING"
        assert await engine.runs() == []


@pytest.mark.parametrize("refusal", [WaitingFor.LOGIN, WaitingFor.LIMIT])
async def test_a_pause_for_codex_holds_no_simulated_run(
    paths: Paths, codex: Fake, refusal: WaitingFor
) -> None:
    async with supervising(paths, slots=1) as engine:
        held = Pause("refused", waiting_for=refusal, agent=Agent.CODEX)
        await engine.set_pause(held)
        waiting = await engine.start(spec(**codex.wish()))
        assert (await played(engine)).status is Status.SUCCEEDED
        assert engine.pause == held
        assert engine.view.runs[waiting.id].status is Status.QUEUED
        await engine.set_pause(None)
        await settled(engine)
        assert engine.view.runs[waiting.id].status is Status.SUCCEEDED


@pytest.mark.one_mode
async def test_two_refused_logins_in_a_row_pause_the_queue(paths: Paths, codex: Fake) -> None:
    codex.does(REFUSED)
    async with supervising(paths, slots=1) as engine:
        runs = [await engine.start(spec(**codex.wish())) for _ in range(5)]
        await until(engine, lambda: engine.pause)
        words = "2 runs in a row were refused the login"
        assert engine.pause == Pause(
            words, waiting_for=WaitingFor.LOGIN, agent=Agent.CODEX, account=""
        )
        ends = [engine.view.runs[run.id].status.value for run in runs]
        assert ends == ["failed", "failed", "queued", "queued", "queued"]
        codex.does(GOOD)
        await engine.set_pause(None)
        await settled(engine)
        ends = [engine.view.runs[run.id].status.value for run in runs]
        assert ends[2:] == ["succeeded"] * 3


@pytest.mark.one_mode
async def test_the_pause_comes_with_the_second_refusal_and_not_with_a_later_start(
    paths: Paths, codex: Fake
) -> None:
    codex.does(REFUSED)
    async with supervising(paths, slots=1) as engine:
        for _ in range(2):
            await played(engine, **codex.wish())
        await until(engine, lambda: engine.pause)
        await engine.set_pause(None)
        codex.does(GOOD)
        assert (await played(engine, **codex.wish())).status is Status.SUCCEEDED
        assert engine.pause is None


@pytest.mark.one_mode
async def test_a_success_in_between_forgives_a_refused_login(paths: Paths, codex: Fake) -> None:
    async with supervising(paths, slots=1) as engine:
        for does in (REFUSED, GOOD, REFUSED):
            codex.does(does)
            await played(engine, **codex.wish())
        codex.does(GOOD)
        assert (await played(engine, **codex.wish())).status is Status.SUCCEEDED
        assert engine.pause is None


@pytest.mark.one_mode
async def test_a_codex_of_one_run_that_cannot_run_is_that_run_s_affair(
    paths: Paths, codex: Fake, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\n")
    broken.chmod(0o755)
    async with supervising(paths, slots=1) as engine:
        await engine.set_pause(Pause("asked"))
        bad = await engine.start(spec(agent=Agent.CODEX, codex_bin=str(broken)))
        good = await engine.start(spec(**codex.wish()))
        broken.write_text("#!/nowhere/interpreter\n")
        await engine.set_pause(None)
        await settled(engine)
        assert engine.view.runs[bad.id].error.code == "CODEX_CLI_MISSING"
        assert engine.view.runs[good.id].status is Status.SUCCEEDED
        assert engine.pause is None


# The watchdog at work


@pytest.fixture
def watchful(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict]:
    """Settings under which a run is stalled after a quarter of a second."""
    monkeypatch.setattr(scheduler, "LOOK_S", 0.05)

    def settings(action: str) -> dict:
        watchdog = WatchdogSettings(silent_s=0.25, first_event_s=1.0, action=action)  # type: ignore[arg-type]  a parameter of the test
        return {"watchdog": watchdog, "grace_s": 1.0}

    return settings


async def test_a_stall_is_noticed_once(paths: Paths, watchful: Callable[[str], dict]) -> None:
    async with supervising(paths, **watchful("notice")) as engine:
        run = await engine.start(spec("say ready", "hang"))
        await until(engine, lambda: engine.view.runs[run.id].stalled)
        assert engine.view.runs[run.id].stalled.startswith("stalled: silent for 0:0")
        await asyncio.sleep(0.6)  # it is looked at ten times more
        assert engine.view.runs[run.id].status is Status.RUNNING
        notices = [e for e in await engine.events(run.id) if e.body.type == "notice"]
        assert len(notices) == 1
        await engine.cancel(run.id, kill=True)
        await settled(engine)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("say ready", "hang"), "silent for"),
        (('command "make" takes=60',), "running `make` for"),
        (("network",), "waiting for network for"),
        (("say ready", "ignore-term", "hang"), "silent for"),
    ],
)
async def test_a_stall_can_fail_a_run(
    paths: Paths, watchful: Callable[[str], dict], lines: tuple[str, ...], reason: str
) -> None:
    async with supervising(paths, **watchful("fail")) as engine:
        run = await played(engine, *lines)
    assert (run.status, run.error.code, run.attempt) == (Status.FAILED, "RUN_STALLED", 1)
    assert reason in run.error.message


@pytest.mark.one_mode
async def test_no_first_event_is_a_reason_of_its_own(
    paths: Paths, codex: Fake, watchful: Callable[[str], dict]
) -> None:
    codex.does("exec sleep 300")
    async with supervising(paths, **watchful("fail")) as engine:
        run = await played(engine, **codex.wish())
    assert run.error.code == "RUN_STALLED"
    assert "no first event for 0:01" in run.error.message


async def test_a_stalled_run_can_be_resumed(
    paths: Paths, watchful: Callable[[str], dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.execution.outcome.BACKOFF_S", 0.01)
    async with supervising(paths, **watchful("resume")) as engine:
        run = await played(engine, "attempt 1+", "end", "attempt 1", "say one", "hang", "end",
                           "attempt 2", "say two")  # fmt: skip
        threads = [
            event.body.details["thread_id"]
            for event in await engine.events(run.id)
            if event.body.type == "progress" and "thread_id" in (event.body.details or {})
        ]
    assert (run.status, run.attempt, run.retries_used) == (Status.SUCCEEDED, 2, 1)
    assert len(threads) == 2
    assert len(set(threads)) == 1


async def test_a_time_limit_ends_a_run(paths: Paths, watchful: Callable[[str], dict]) -> None:
    async with supervising(paths, **watchful("notice")) as engine:
        run = await played(engine, "say one", "child new-session", "hang", timeout_s=0.6)
        left = await engine.doctor.orphans()
    assert (run.status, run.error.code) == (Status.FAILED, "RUN_TIMED_OUT")
    assert run.exit_code == 143
    assert left == []


@pytest.mark.one_mode
async def test_what_is_said_while_being_stopped_changes_no_verdict(
    paths: Paths, codex: Fake, watchful: Callable[[str], dict]
) -> None:
    item = {"type": "agent_message", "text": "bye"}
    Path(f"{codex.path}.said").write_text(json.dumps({"type": "item.completed", "item": item}))
    codex.does("""trap 'cat "$0.said"; sleep 0.3; exit 1' TERM; while :; do sleep 0.05; done""")
    async with supervising(paths, **watchful("fail")) as engine:
        run = await played(engine, **codex.wish())
        said = texts(await engine.events(run.id))
    assert said == ["bye"]
    assert run.error.code == "RUN_STALLED"


async def test_the_next_engine_knows_why_the_last_one_was_ending_a_run(
    paths: Paths, watchful: Callable[[str], dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = {**watchful("notice"), "grace_s": LIMIT_S}
    async with supervising(paths, **patient) as engine:
        run = await engine.start(spec("ignore-term", "say one", "hang", timeout_s=LIMIT_S))
        batches = engine.batches(0)
        while not texts(await engine.events(run.id)):
            await anext(batches)
        monkeypatch.setattr("engine.execution.watchdog.elapsed_s", lambda run, now: LIMIT_S + 1)
        await becomes(lambda: engine._supervision.scheduler._run_tasks.get(run.id))
        carried = engine._supervision.scheduler._run_tasks[run.id]
        await becomes(lambda: carried._supervisor)
        carrying = carried._supervisor
        await becomes(lambda: carrying._following and carrying._following.verdict)
        await becomes(lambda: not carrying._following.moved)  # it is stored
    async with supervising(paths, grace_s=0.2) as engine:
        await settled(engine)
        ended = engine.view.runs[run.id]
    assert (ended.status, ended.error.code) == (Status.FAILED, "RUN_TIMED_OUT")
    assert ended.exit_code == 137


async def test_a_token_budget_is_kept(
    paths: Paths, watchful: Callable[[str], dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.execution.follower.POLL_S", 0.05)
    count = "usage input=600 output=10"
    async with supervising(paths, **watchful("notice")) as engine:
        run = await played(engine, count, count, "hang", budget_tokens=1000)
    assert (run.status, run.error.code) == (Status.FAILED, "BUDGET_EXCEEDED")
    assert "1220 tokens" in run.error.message
    assert run.usage.input == 1200

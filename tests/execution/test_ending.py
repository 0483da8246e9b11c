"""What follows an attempt's end: which causes are tried again, when, and with what."""

# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
# pyright: reportOptionalOperand=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from engine.agents.base import AttemptOutcome
from engine.agents.codex.reader import CodexReader
from engine.agents.codex.translation import CodexState
from engine.config.paths import Paths
from engine.config.settings import WatchdogSettings
from engine.domain.errors import CATALOGUE, user_error
from engine.domain.events import ErrorRaised, Notice, Progressed, StatusChanged
from engine.domain.model import AttemptRequest, LimitWindow, Run, RunSpec, Status
from engine.domain.reasons import Cause, WaitingFor
from engine.domain.requests import GO_ON
from engine.domain.stamp import stamp
from engine.execution.executor import AttemptFile, AttemptRef, ProcessEnd
from engine.execution.local.executor import LocalExecutor
from engine.execution.outcome import (
    BACKOFF_MAX_S,
    BACKOFF_S,
    STALL_RESUMES,
    NextStep,
    attempt_outcome,
    decide,
    next_request,
)
from engine.execution.output_tail import read_tail

NOW = 1000.0
LIMITS = {"USAGE_LIMIT_REACHED", "RATE_LIMITED"}
RETRIED = {"API_OVERLOADED", "API_UNREACHABLE", "NODE_LOST"}
AGAIN = AttemptRequest(GO_ON, resume=True)
SPEC = RunSpec(prompt="do it", title="a title", project="a project", retries=3)


def run(*, used: int = 0, retries: int = 3, hits: int = 0) -> Run:
    made = Run("a", replace(SPEC, retries=retries), 0.0, Status.RUNNING, started_at=NOW - 60, seq=9)
    made.retries_used, made.limit_hits = used, hits
    return made


def after(code: str | None, of: Run, action: str = "notice", exit_code: int | None = 1) -> NextStep:
    error = user_error(code) if code else None
    settings = WatchdogSettings(action=action)  # type: ignore[arg-type]  a parameter of the test
    came = decide(of, AttemptOutcome.of(error), exit_code, settings, NOW, AGAIN)
    stamp(of, came.bodies, NOW)  # the lifecycle allows it
    return came


def reader(state: CodexState) -> CodexReader:
    return CodexReader(state, "/w", None)


def last(came: NextStep) -> StatusChanged:
    body = came.bodies[-1]
    assert isinstance(body, StatusChanged)
    return body


def test_success() -> None:
    came = after(None, run(), exit_code=0)
    done, status = came.bodies
    assert isinstance(done, Progressed)
    assert (done.percent, done.elapsed_s) == (100, 60.0)
    assert status == StatusChanged(Status.SUCCEEDED, exit_code=0)
    assert (came.ask, came.pause) == (None, None)


@pytest.mark.parametrize("code", sorted(CATALOGUE.keys() - LIMITS - RETRIED - {"RUN_INTERRUPTED"}))
@pytest.mark.parametrize("action", ["notice", "fail"])
def test_what_cannot_pass_fails_at_once(code: str, action: str) -> None:
    came = after(code, run(), action)
    assert came.bodies == [
        ErrorRaised(user_error(code).info),
        StatusChanged(Status.FAILED, reason=code, exit_code=1, cause=Cause.ERROR),
    ]
    assert (came.ask, came.pause) == (None, None)


def test_what_vanished_was_interrupted() -> None:
    came = after("RUN_INTERRUPTED", run(), exit_code=None)
    assert last(came) == StatusChanged(
        Status.INTERRUPTED, reason="RUN_INTERRUPTED", cause=Cause.ERROR
    )
    assert came.ask is None


@pytest.mark.parametrize("code", sorted(RETRIED))
def test_what_can_pass_is_tried_again_as_often_as_asked(code: str) -> None:
    for used in range(3):
        came = after(code, run(used=used))
        told, queued = came.bodies
        assert isinstance(told, Notice)
        assert "Trying again in" in told.text
        assert queued.status is Status.QUEUED
        assert queued.cause is Cause.AUTOMATIC_RETRY
        assert queued.reason == f"automatic retry {used + 1} after {code}"
        over = AttemptRequest(run().spec.prompt, fresh=True)
        assert came.ask == (over if CATALOGUE[code].starts_over else AGAIN)
        assert came.pause is None
    assert last(after(code, run(used=3))).status is Status.FAILED
    assert last(after(code, run(retries=0))).status is Status.FAILED


def test_the_wait_doubles_is_bounded_and_is_not_the_same_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wait(used: int) -> float:
        queued = last(after("API_OVERLOADED", run(used=used, retries=10**6)))
        assert queued.not_before is not None
        return queued.not_before - NOW

    for used in (*range(12), 5000, 10**5):
        middle = min(BACKOFF_S * 2 ** min(used, 20), BACKOFF_MAX_S)
        assert 0.75 * middle <= wait(used) <= 1.25 * middle
    assert len({wait(3) for _ in range(20)}) > 1
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    assert wait(10) == BACKOFF_MAX_S * 1.25


@pytest.mark.parametrize("code", sorted(LIMITS))
def test_a_limit_pauses_all_and_uses_up_no_retry(code: str) -> None:
    for limited in (run(), run(used=3), run(retries=0), run(hits=50)):
        came = after(code, limited)
        told, queued = came.bodies
        assert isinstance(told, Notice)
        assert queued.status is Status.QUEUED
        assert (queued.cause, came.pause.waiting_for) == (Cause.LIMIT, WaitingFor.LIMIT)
        assert queued.reason == f"waiting for the limit to reset: {code}"
        assert came.ask == AGAIN
        assert came.pause
        assert came.pause.until == queued.not_before > NOW
        assert code in came.pause.reason
        _, then = stamp(limited, came.bodies, NOW)
        assert (then.retries_used, then.limit_hits) == (
            limited.retries_used,
            limited.limit_hits + 1,
        )


def test_a_limit_ends_when_its_window_does() -> None:
    limited = run()
    limited.limits = (LimitWindow("primary", 100.0, 300, NOW + 50),)
    came = after("USAGE_LIMIT_REACHED", limited)
    assert came.pause
    assert NOW + 50 <= (came.pause.until or 0) < NOW + 60


def test_a_stall_is_resumed_where_the_settings_say_so_a_few_times() -> None:
    for used in range(STALL_RESUMES):
        came = after("RUN_STALLED", run(used=used, retries=0), "resume", 143)
        assert last(came).status is Status.QUEUED
        assert came.ask == AGAIN
    assert last(after("RUN_STALLED", run(used=STALL_RESUMES), "resume")).status is Status.FAILED


# With what another attempt goes on


def test_it_goes_on_in_the_thread_that_heard_the_task() -> None:
    for ask in (
        None,
        AttemptRequest("x"),
        AttemptRequest("x", fresh=True),
        AttemptRequest("x", resume=True),
    ):
        assert next_request(ask, can_continue=True) == AGAIN


def test_it_says_again_what_no_thread_heard() -> None:
    assert next_request(None, can_continue=False) is None
    for ask in (AttemptRequest("x", fresh=True), AttemptRequest("x", resume=True)):
        assert next_request(ask, can_continue=False) == replace(ask, fresh=False)


def test_a_thread_heard_the_task_once_a_turn_has_begun() -> None:
    assert reader(CodexState(thread_id="t", turn="started")).can_continue
    for state in (CodexState(), CodexState(thread_id="t"), CodexState(turn="started")):
        assert not reader(state).can_continue


# Why it failed


@pytest.mark.parametrize(
    ("exit_code", "turn", "stderr", "last_error", "code"),
    [
        (0, "completed", "", "", None),
        (0, "completed", "noise", "Reconnecting... 1/5 (x)", None),
        (0, "", "", "", "AGENT_CRASHED"),
        (0, "started", "", "", "AGENT_CRASHED"),
        (1, "completed", "", "", "AGENT_CRASHED"),
        (None, "completed", "", "", "RUN_INTERRUPTED"),
        (None, "started", "", "stream disconnected", "RUN_INTERRUPTED"),
        (137, "started", "", "", "AGENT_CRASHED"),
        (143, "started", "", "Reconnecting... waiting for network (x)", "API_UNREACHABLE"),
        (127, "", "sh: codex: not found", "", "CODEX_CLI_MISSING"),
        (1, "", "Error loading config.toml:\nx:3:8", "", "CODEX_CONFIG_INVALID"),
        (1, "", "no rollout found for thread id x", "", "THREAD_NOT_FOUND"),
        (1, "failed", "Not logged in", "", "API_OVERLOADED"),
    ],
)
def test_the_cause(
    exit_code: int | None, turn: str, stderr: str, last_error: str, code: str | None
) -> None:
    state = CodexState(turn=turn, last_error=last_error, failure="We’re experiencing high demand")
    error = attempt_outcome(ProcessEnd(exit_code), reader(state), stderr).error
    assert (error.code if error else None) == code


async def test_a_missing_stderr_and_a_long_one_are_no_trouble(paths: Paths) -> None:
    executor, ref = LocalExecutor(paths), AttemptRef("run", 1)
    path = paths.attempt("run", 1).stderr
    path.parent.mkdir(parents=True)
    stderr = await read_tail(executor, ref, AttemptFile.STDERR)
    missing = attempt_outcome(ProcessEnd(1), reader(CodexState()), stderr).error
    assert missing
    assert missing.code == "AGENT_CRASHED"
    path.write_bytes(b"x" * 10_000_000 + b"\xff\x1b[31m the end")
    stderr = await read_tail(executor, ref, AttemptFile.STDERR)
    long = attempt_outcome(ProcessEnd(1), reader(CodexState()), stderr).error
    assert long
    assert len(long.message) < 1000
    assert long.message.endswith("the end")
    assert "\x1b" not in long.message


def test_a_run_in_which_no_command_could_start_has_failed() -> None:
    bwrap = b"bwrap: Creating new namespace failed"
    it = reader(CodexState())

    def done(output: bytes, code: int) -> None:
        status = b"failed" if code else b"completed"
        item = (
            b'{"id":"i","type":"command_execution","command":"true","status":"%s",'
            b'"exit_code":%d,"aggregated_output":"%s"}' % (status, code, output)
        )
        it.read([b'{"type":"item.completed","item":%s}' % item])

    def error() -> str | None:
        found = attempt_outcome(ProcessEnd(0), it, "")
        return found.error.code if found.error else None

    it.read([b'{"type":"turn.completed"}'])
    assert error() is None
    done(bwrap, 1)
    assert error() == "SANDBOX_UNUSABLE"
    done(b"bwrap: is what this prints", 0)
    assert error() is None

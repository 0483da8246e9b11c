"""The verify command: it decides, and what it says goes back to the agent."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator

import pytest
from support import becomes, of_type, settled, spec, statuses, supervising

from engine.config.paths import Paths
from engine.domain.events import Event
from engine.domain.model import Run, Status
from engine.engine import Engine
from engine.execution import outcome
from engine.execution.local import orphans
from engine.execution.local.process_marks import mark, marked

pytestmark = pytest.mark.both_modes

SUPERVISE = """
import asyncio, sys
from pathlib import Path

from engine.engine import Engine
from engine.config.paths import Paths

async def main():
    paths = Paths(Path(sys.argv[1]), Path(sys.argv[2]))
    async with Engine.open(paths, supervise=True):
        await asyncio.sleep(600)

asyncio.run(main())
"""
S = Status


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "BACKOFF_S", 0.01)


@pytest.fixture(autouse=True)
def _nothing_left_of_checks(paths: Paths) -> Iterator[None]:
    yield
    for folder in paths.home.glob("runs/*/attempt-*/verify"):
        for pid in marked(os.path.realpath(folder)):
            os.kill(pid, signal.SIGKILL)


async def ran(engine: Engine, *lines: str, **more: object) -> tuple[Run, list[Event]]:
    run = await engine.start(spec(*lines, **more))
    await settled(engine)
    return engine.view.runs[run.id], await engine.events(run.id)


def check_pids(paths: Paths, run: Run, attempt: int = 1) -> list[int]:
    return marked(mark(paths.attempt(run.id, attempt).verify))


async def test_it_runs_in_the_workspace_after_the_agent_and_decides(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run, events = await ran(engine, "write a.txt hello", verify="cat a.txt; echo x >later")
        assert statuses(events)[-3:] == [S.RUNNING, S.VERIFYING, S.SUCCEEDED]
        assert (run.exit_code, run.percent, run.error) == (0, 100, None)
        assert [(body.stage, body.message) for body in of_type(events, "progress")][-3:] == [
            ("verifying", "running `cat a.txt; echo x >later`"),
            ("extracting_patterns", "learning"),
            ("complete", "complete"),
        ]
        assert of_type(events, "artifact")[-1].path == "attempt-1/verify/output.log"
        log = paths.attempt(run.id, 1).verify.stdout.read_text()
        assert log == "$ cat a.txt; echo x >later\nhello\n"
        # What it writes is none of the agent's work.
        assert run.changes.files == 1


async def test_a_failed_check_fails_the_run_with_its_last_words(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run, events = await ran(
            engine, verify="seq 5000; printf '\\033[31mno\\033[0m\\a\\n'; exit 3"
        )
        assert (run.status, run.reason) == (S.FAILED, "VERIFY_FAILED")
        assert run.error
        assert "failed with exit 3" in run.error.message and run.error.message.endswith("no\ufffd")
        assert "\x1b" not in run.error.message and len(run.error.message) < 1200
        assert statuses(events)[-2:] == [S.VERIFYING, S.FAILED]
        assert run.exit_code == 0


async def test_nothing_is_checked_where_the_agent_failed(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run, events = await ran(engine, "fail nope", verify="true")
        assert S.VERIFYING not in statuses(events)
        assert run.status is S.FAILED and not paths.attempt(run.id, 1).verify.path.exists()


async def test_what_it_says_goes_back_to_the_thread_until_it_passes(paths: Paths) -> None:
    check = "echo 'AssertionError: 1 != 2'; echo x >>n; test $(wc -l <n) -ge 3"
    async with supervising(paths) as engine:
        run, events = await ran(engine, verify=check, retries=5)
        assert (run.status, run.attempt, run.retries_used) == (S.SUCCEEDED, 3, 2)
        prompts = [paths.attempt(run.id, n).prompt.read_text() for n in (1, 2, 3)]
        assert prompts[0] == run.spec.prompt
        for prompt in prompts[1:]:
            assert prompt.startswith("The check failed: `echo 'AssertionError: 1")
            assert f"\n    {check}\n" in prompt
            assert "\n    AssertionError: 1 != 2\n" in prompt
        assert (
            len(
                {
                    body.details["thread_id"]
                    for body in of_type(events, "progress")
                    if (body.details or {}).get("thread_id")
                }
            )
            == 1
        )
        told = [body.text for body in of_type(events, "notice") if "check failed" in body.text]
        assert len(told) == 2


async def test_when_the_retries_are_used_up_it_has_failed(paths: Paths) -> None:
    loud = "head -c 300000 /dev/zero | tr '\\0' x; echo; false"
    async with supervising(paths) as engine:
        run, _ = await ran(engine, verify=loud, retries=1)
        assert (run.status, run.reason, run.attempt) == (S.FAILED, "VERIFY_FAILED", 2)
        assert len(paths.attempt(run.id, 2).prompt.read_text()) < 10_000
        # Asked to try once more, the agent hears it, too.
        await engine.retry(run.id)
        await settled(engine)
        assert paths.attempt(run.id, 3).prompt.read_text().startswith("The check failed: ")


async def test_it_has_a_limit_and_leaves_nothing_behind(paths: Paths) -> None:
    async with supervising(paths, grace_s=0.2) as engine:
        run, _ = await ran(engine, verify="sleep 600", verify_limit_s=0.3)
        assert run.error and run.error.code == "VERIFY_FAILED" and "limit" in run.error.message
        assert check_pids(paths, run) == []
        run, events = await ran(engine, verify="setsid sleep 600 & true")
        assert run.status is S.SUCCEEDED and check_pids(paths, run) == []
        told = [body.text for body in of_type(events, "notice")]
        assert "ended 1 process the check left behind" in told


@pytest.mark.parametrize("kill", [False, True])
async def test_a_cancel_ends_it(paths: Paths, kill: bool) -> None:
    stubborn = "trap '' TERM; echo up >up; setsid sleep 600 & sleep 600; sleep 600"
    async with supervising(paths, grace_s=600 if kill else 0.2) as engine:
        run = await engine.start(spec(verify=stubborn))
        await becomes(lambda: [*paths.home.glob("workspaces/*/*/up")])
        await engine.cancel(run.id, kill=kill)
        await settled(engine)
        assert statuses(await engine.events(run.id))[-3:] == [
            S.VERIFYING,
            S.CANCELLING,
            S.CANCELLED,
        ]
        assert check_pids(paths, run) == []


@pytest.mark.parametrize("how", ["goes on", "is cancelled", "vanished"])
async def test_it_outlives_its_engine(paths: Paths, how: str) -> None:
    """The engine is killed in the middle; the next one goes on, ends it, or does it again."""
    check = "echo x >>begun; while ! test -f go; do sleep 0.05; done"
    async with Engine.open(paths) as engine:
        run = await engine.start(spec(verify=check))
    words = [sys.executable, "-c", SUPERVISE, str(paths.home), str(paths.config)]
    engine_process = await asyncio.create_subprocess_exec(*words)
    folder = paths.workspace(run.spec.project, run.id)
    await becomes((folder / "begun").exists)
    engine_process.kill()
    await engine_process.wait()
    assert check_pids(paths, run)
    if how == "vanished":
        await orphans.end(paths, (await orphans.find(paths))[0], 0)
        paths.attempt(run.id, 1).verify.exit.unlink(missing_ok=True)
    if how != "is cancelled":
        (folder / "go").touch()
    async with supervising(paths, grace_s=0.2) as engine:
        if how == "is cancelled":
            await engine.cancel(run.id)
        await settled(engine)
        run = engine.view.runs[run.id]
    assert (run.status, run.error) == (S.CANCELLED if how == "is cancelled" else S.SUCCEEDED, None)
    assert check_pids(paths, run) == []
    assert (folder / "begun").read_text().count("x") == (2 if how == "vanished" else 1)

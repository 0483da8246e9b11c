"""Twenty interactive runs of the real Codex at once, all asking the same: answered in bulk."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from bridge_run import escalated
from house import House, bodies, task
from loopback import LoopbackServer, message
from support import settled, until

from engine.domain.interaction import Decision, RequestAnswer
from engine.domain.model import Run, Status
from engine.execution.local.process_marks import marked

RUNS = 20


def approved(run: Run) -> tuple[str, RequestAnswer]:
    """Return the approval of what a run asks for."""
    (request,) = run.unanswered
    answer = RequestAnswer(run.attempt, request.request, request.digest, Decision.APPROVE)
    return run.id, answer


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_twenty_runs_that_ask_the_same_are_answered_at_once(
    house: House, server: LoopbackServer, lab: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wish = escalated("echo $((6 * 7)) >>answer.txt", "May I compute it?")
    prompt = server.script("a", [wish, message("Forty-two.")])
    started = time.monotonic()
    async with house.engine(slots=RUNS) as engine:
        for number in range(RUNS):
            await engine.start(task(f"{prompt} {number}", interactive=True))
        await until(engine, lambda: all(run.unanswered for run in engine.view.runs.values()))
        waiting = list(engine.view.runs.values())
        # All ask the same, in other folders: one row of the inbox.
        assert len({run.unanswered[0].digest for run in waiting}) == 1
        asked_s = time.monotonic() - started
        done = await engine.answer_all([approved(run) for run in waiting])
        assert all(isinstance(one, Run) for one in done)
        await settled(engine)
        runs = list(engine.view.runs.values())
        for run in runs:
            await bodies(engine, run)  # numbered without a gap
        assert await engine.doctor.orphans() == []
    took_s = time.monotonic() - started
    with capsys.disabled():
        print(f"\n{RUNS} interactive runs: all asked after {asked_s:.1f} s, ended {took_s:.1f} s")
    assert [run.status for run in runs] == [Status.SUCCEEDED] * RUNS
    for run in runs:
        assert (run.attempt, run.input_requests) == (1, ())
        assert run.workspace
        assert (Path(run.workspace.path) / "answer.txt").read_text() == "42\n"
        assert marked(os.path.realpath(house.attempt(run).path)) == []
    assert len({run.thread_id for run in runs}) == RUNS

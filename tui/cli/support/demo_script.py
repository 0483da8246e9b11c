"""The demo: a throw-away repository, simulated runs in it, and what a user would do to them."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from engine.domain.batch import Batch, PlannedRun
from engine.domain.errors import UserError, user_error
from engine.domain.interaction import Decision, RequestAnswer
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Agent, Run, RunSpec, Status, WorkspaceKind, WorkspaceSpec
from engine.engine import BatchPlan
from engine.ports.engine import EnginePort
from engine.system.environment import own_environment
from engine.system.short_command import output
from tui.cli.support.demo_scenes import (
    BATCH,
    COPIES,
    CRASHING,
    ENDLESS,
    FILES,
    PROJECT,
    REFUSED,
    SCENES,
    DemoRun,
)
from tui.models.draft import Draft, FormChoices

SCRIPT_VARIABLE = "SIMULATED_SCRIPT"
"""The variable from which a simulated agent takes its script, so that the prompt stays readable."""
BEFORE_BATCH = 5
"""Runs that are queued before the batch."""
_TIMES = re.compile(r"(takes=|wait )(\d+(?:\.\d+)?)")
_GIT = ("git", "-c", "user.name=Demo", "-c", "user.email=demo@localhost", "-c", "gc.auto=0")


def repository_of(home: Path) -> Path:
    """Return the folder of the demo's repository: beside the home, where changes may be applied."""
    return home.with_name(PROJECT)


def form_choices(engine: EnginePort) -> FormChoices:
    """Return what the form of a new run begins with: a simulated run in the demo's repository."""
    folder = str(repository_of(engine.paths.home))
    return Draft(agent=Agent.SIMULATED, kind=WorkspaceKind.WORKTREE, folder=folder).choices()


async def start(engine: EnginePort, pace: float = 1.0) -> dict[str, DemoRun]:
    """Create the repository, start all runs, and return their scenes by the ids of the runs.

    At a `pace` of 2 everything takes half the time.
    """
    source = repository_of(engine.paths.home)
    await _create_repository(source)
    started: dict[str, DemoRun] = {}
    for number, scene in enumerate(SCENES):
        if number == BEFORE_BATCH:
            planned = tuple(PlannedRun(_spec(copy, source, pace)) for copy in COPIES)
            _, runs = await engine.swarms.start(BatchPlan(Batch("", BATCH), planned))
            started |= {run.id: copy for run, copy in zip(runs, COPIES, strict=True)}
        started[(await engine.start(_spec(scene, source, pace))).id] = scene
    return started


async def _create_repository(folder: Path) -> None:
    if folder.exists():  # after a fault of the script
        return
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Begin"]):
        code, _ = await output([*_GIT, "-C", str(folder), *words], own_environment())
        if code:
            raise user_error("INTERNAL", f"`git {words[0]}` failed for the demo's repository.")


def _spec(scene: DemoRun, source: Path, pace: float) -> RunSpec:
    script = _TIMES.sub(lambda found: f"{found[1]}{float(found[2]) / pace:.2f}", scene.script)
    return RunSpec(
        prompt=scene.prompt,
        title=scene.title,
        project=PROJECT,
        agent=Agent.SIMULATED,
        workspace=WorkspaceSpec(WorkspaceKind.WORKTREE, str(source)),
        env={SCRIPT_VARIABLE: script},
        verify=scene.verify,
        interactive=scene.asks,
    )


async def direct(engine: EnginePort, scenes: dict[str, DemoRun], *, is_alone: bool = True) -> None:
    """Do what a user would: retry the run that crashed.

    `is_alone`: no user is there. It then also cancels the run that never ends, and approves the
    requests of the agents.
    """
    runs = {scene.title: run_id for run_id, scene in scenes.items()}
    acts = {runs[CRASHING]: lambda: engine.retry(runs[CRASHING])}
    if is_alone:
        acts[runs[REFUSED]] = lambda: engine.cancel(runs[ENDLESS])
    asking = {run_id for run_id, scene in scenes.items() if scene.asks and is_alone}
    batches = engine.batches()
    while acts or asking:
        await _approve(engine, asking)
        for run_id in list(acts):
            status = engine.view.runs[run_id].status
            if status in FINISHED:
                act = acts.pop(run_id)
                if status is Status.FAILED:
                    with suppress(UserError):  # done before a fault here
                        await act()
        if acts or asking:
            await anext(batches)


async def _approve(engine: EnginePort, asking: set[str]) -> None:
    """Approve what these runs ask for, and remove those that do not ask any more."""
    for run in [engine.view.runs[run_id] for run_id in asking]:
        for request in run.unanswered:
            approved = RequestAnswer(run.attempt, request.request, request.digest, Decision.APPROVE)
            with suppress(UserError):  # answered before a fault here
                await engine.answer(run.id, approved)
        if run.unanswered or run.status in FINISHED:
            asking.remove(run.id)


def faults(runs: dict[str, Run], scenes: dict[str, DemoRun]) -> list[str]:
    """Return the runs that did not end as scripted, each in a line."""
    found: list[str] = []
    for run_id, scene in scenes.items():
        run = runs[run_id]
        is_so = (run.status, run.attempt, run.error.code if run.error else None)
        should_be = (scene.ends, scene.attempts, scene.error)
        if is_so != should_be:
            found.append(f"{scene.title}: {_words(*is_so)} instead of {_words(*should_be)}")
    return found


def _words(status: Status, attempt: int, error: str | None) -> str:
    return f"{status}{f' ({error})' if error else ''} in attempt {attempt}"

"""One run rebuilt from its folder: from its record where there is one, and from its output."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePath

import msgspec

from engine.agents.base import AttemptEnd, OutcomeKind
from engine.agents.profiles import profile_for_prompt
from engine.agents.registry import agent_of
from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.events import (
    Body,
    CheckpointTaken,
    Event,
    Notice,
    Progressed,
    StatusChanged,
    UsageCounted,
)
from engine.domain.interaction import RunMode
from engine.domain.lifecycle import FINISHED
from engine.domain.model import (
    LOCAL,
    Agent,
    AttemptRequest,
    Run,
    RunSpec,
    Stage,
    Status,
    Usage,
)
from engine.domain.stamp import stamp
from engine.domain.text import one_line
from engine.execution import run_records
from engine.execution.attempt_cursor import AttemptCursor, cursor_text
from engine.execution.executor import AttemptRef, Executor, OutputChunk, RecordedAttempt
from engine.execution.executors import Executors
from engine.execution.stages.agent import first_cursor
from engine.workspaces.checkpoints.checkpoint_refs import BASELINE, REFS

TITLE = 60
STARTED = frozenset({Status.RUNNING, Status.VERIFYING, Status.CANCELLING})
"""An attempt in one of these has, or had, a process."""
WORDS = "rebuilt from the run's folder: the times of its events are not known"


@dataclass
class RebuiltRun:
    """A run with its events, as they go into a new database."""

    run: Run
    asks: dict[int, AttemptRequest]
    events: list[Event] = field(default_factory=list[Event])
    cursors: dict[int, str] = field(default_factory=dict[int, str])


async def rebuild(folder: Path, paths: Paths, executors: Executors) -> RebuiltRun | None:
    """Rebuild the run whose folder this is; None where it holds nothing of one."""
    known = await asyncio.to_thread(run_records.read, folder)
    found = known or await _guessed(folder, executors.of_host(LOCAL))
    if found is None or not found[0].id or paths.run(found[0].id) != folder:
        return None
    made = RebuiltRun(*found)
    run = made.run
    executor = _executor_of(run, executors)
    recorded: Sequence[RecordedAttempt] = ()
    try:
        recorded = await executor.recorded_attempts(run.id) if executor else ()
    except UserError as error:
        if not (error.entry.waits_for_node or error.code == "NODE_LOST"):
            raise
        executor = None  # its output stays on the node
    attempts = [one.number for one in recorded]
    last = max([run.attempt, *attempts])
    if last > run.attempt:  # the record of the last attempt is lost, or was never written
        run = made.run = replace(run, attempt=last, status=Status.INTERRUPTED)
    earlier: list[str] = []
    for n in range(1, last + 1):
        is_live = n == last and run.status not in FINISHED
        _begin(made, n)
        if executor and n in attempts:
            await _read_output(made, n, executor, earlier, is_live=is_live)
    if made.run.usage == Usage():  # it has no record: its output has the tokens
        counts = [one.body for one in made.events if isinstance(one.body, UsageCounted)]
        made.run = replace(made.run, usage=counts[-1].usage if counts else Usage())
    events, made.run = stamp(made.run, [Notice("warning", WORDS)], made.run.last_event_at)
    made.events += events
    return made


def _executor_of(run: Run, executors: Executors) -> Executor | None:
    """Return the executor of a run; None where its machine is not known: its output is lost."""
    try:
        return executors.of_run(run)
    except UserError:
        return None


def _begin(made: RebuiltRun, n: int) -> None:
    """Add how an attempt began."""
    run = made.run
    bodies: list[Body] = [StatusChanged(Status.QUEUED)]
    is_begun = n < run.attempt or run.status is not Status.QUEUED
    if is_begun:
        bodies.append(StatusChanged(Status.PREPARING, Status.QUEUED))
    if is_begun and n == 1 and run.workspace:
        details = asdict(run.workspace)
        bodies.append(Progressed(Stage.WORKSPACE_CLONED, "workspace ready", 20, details))
    if is_begun and n == 1 and run.baseline:
        bodies.append(CheckpointTaken(BASELINE, Status.PREPARING.value, f"{REFS}/{BASELINE}"))
    _add(made, n, bodies)


def _add(made: RebuiltRun, n: int, bodies: Sequence[Body], *, fold: bool = False) -> None:
    """Add events; `fold` those that the run as it is recorded does not know of."""
    run, seq = made.run, len(made.events)
    if fold:
        events, made.run = stamp(replace(run, seq=seq, attempt=n), bodies, run.last_event_at)
    else:
        at = max(run.created_at, 0.0)
        events = [Event(run.id, seq + i, at, n, body) for i, body in enumerate(bodies, start=1)]
        made.run = replace(run, seq=seq + len(bodies))
    made.events += events


async def _read_output(
    made: RebuiltRun, n: int, executor: Executor, earlier: list[str], *, is_live: bool
) -> None:
    """Add the events of an attempt's output, and its end."""
    run = replace(made.run, mode=_mode_of(made, n))
    ask = made.asks.get(n) if n > 1 else None
    cursor = first_cursor(run if n > 1 else replace(run, usage=Usage()), ask, earlier)
    if not is_live or run.status in STARTED:
        _add(made, n, [StatusChanged(Status.RUNNING, Status.PREPARING)])
    root = run.workspace.path if run.workspace else ""
    reader = agent_of(run.spec.agent).reader(bytes(cursor.agent), root, home=None)
    bodies: list[Body] = []
    offset = 0
    async for chunk in _output(executor, AttemptRef(run.id, n)):
        bodies += reader.read(chunk.lines)
        offset = chunk.offset
        if chunk.rest and not is_live:
            bodies += reader.read([chunk.rest])
            offset += len(chunk.rest)
    text = cursor_text(AttemptCursor(msgspec.Raw(reader.state()), offset))
    _add(made, n, bodies, fold=is_live)
    earlier.insert(0, text)
    made.cursors[n] = text
    if n == run.attempt and run.status in FINISHED:
        end = StatusChanged(run.status, Status.RUNNING, run.reason, run.exit_code, cause=run.cause)
        _add(made, n, [end])


def _mode_of(made: RebuiltRun, n: int) -> RunMode | None:
    """Return the mode of an attempt where it is not the one that was requested for the run."""
    modes = (made.asks[m].mode for m in range(n, 0, -1) if m in made.asks)
    return next((mode for mode in modes if mode), None)


async def _output(executor: Executor, ref: AttemptRef) -> AsyncIterator[OutputChunk]:
    """Yield the recorded output of an attempt; the last chunk has no lines."""
    chunk = await executor.recorded_output(ref, 0)
    yield chunk
    while chunk.lines:
        chunk = await executor.recorded_output(ref, chunk.offset)
        yield chunk


# A folder without a record: a version before this one made it, or the record is damaged.


async def _guessed(
    folder: Path, executor: Executor
) -> tuple[Run, dict[int, AttemptRequest]] | None:
    """Return a run without a record, from the files of its attempts."""
    attempts = await executor.recorded_attempts(folder.name)
    if not attempts:
        return None
    first, last = attempts[0], attempts[-1]
    prompt = first.prompt.decode("utf-8", "replace") or "(the prompt is lost)"
    workspace = await executor.workspaces.find(folder.name)
    project = PurePath(workspace.path).parent.name if workspace else "recovered"
    title = one_line(prompt, TITLE) or folder.name
    agent = Agent(profile_for_prompt(prompt).name)
    run = Run(folder.name, RunSpec(prompt, title, project, agent=agent), first.began_at)
    status = Status.INTERRUPTED
    if last.is_alive:
        status = Status.RUNNING
    elif last.exit_code is not None:
        is_done = last.exit_code == 0 and await _reports_success(run, last.number, executor)
        status = Status.SUCCEEDED if is_done else Status.FAILED
    ended_at = None if status is Status.RUNNING else last.ended_at or run.created_at
    stores = [*(folder / "checkpoints").glob("*.git")]
    return (
        replace(
            run,
            status=status,
            attempt=last.number,
            started_at=run.created_at,
            queued_at=run.created_at,
            finished_at=ended_at,
            last_event_at=ended_at or run.created_at,
            last_sign_at=ended_at or run.created_at,
            workspace=workspace,
            baseline=bool(stores),
            exit_code=last.exit_code,
        ),
        {},
    )


async def _reports_success(run: Run, attempt: int, executor: Executor) -> bool:
    """Return whether the output of an attempt that ended with exit code 0 reports success."""
    agent = agent_of(run.spec.agent)
    reader = agent.reader(agent.first_state(None, Usage(), ()), "", home=None)
    async for chunk in _output(executor, AttemptRef(run.id, attempt)):
        reader.read([*chunk.lines, chunk.rest] if chunk.rest else chunk.lines)
    return reader.outcome(AttemptEnd(0)).kind is OutcomeKind.SUCCESS

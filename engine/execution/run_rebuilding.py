"""One run rebuilt from its folder: from its record where there is one, and from its output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from pathlib import Path

import msgspec

from engine.agents.base import AttemptEnd, OutcomeKind
from engine.agents.profiles import profile_for_prompt
from engine.agents.registry import agent_of
from engine.config import workspace_roots
from engine.config.paths import AttemptFolder, Paths
from engine.domain.events import Body, CheckpointTaken, Event, Notice, Progressed, StatusChanged
from engine.domain.lifecycle import FINISHED
from engine.domain.model import (
    Agent,
    AttemptRequest,
    Run,
    RunSpec,
    Stage,
    Status,
    Usage,
    Workspace,
    WorkspaceKind,
)
from engine.domain.stamp import stamp
from engine.domain.text import one_line
from engine.execution import run_records
from engine.execution.attempt_cursor import AttemptCursor, cursor_text
from engine.execution.local.process_marks import mark, marked
from engine.execution.stages.agent import first_cursor
from engine.system.files import LineReader, read_regular
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


def rebuild(folder: Path, paths: Paths) -> RebuiltRun | None:
    """Rebuild the run whose folder this is; None where it holds nothing of one."""
    found = run_records.read(folder) or _guessed(folder, paths)
    if found is None or not found[0].id or paths.run(found[0].id) != folder:
        return None
    made = RebuiltRun(*found)
    run = made.run
    last = max([run.attempt, *_attempts(folder)])
    if last > run.attempt:  # the record of the last attempt is lost, or was never written
        run = made.run = replace(run, attempt=last, status=Status.INTERRUPTED)
    earlier: list[str] = []
    for n in range(1, last + 1):
        is_live = n == last and run.status not in FINISHED
        _begin(made, n)
        if (paths.attempt(run.id, n).path).is_dir():
            _read_output(made, n, paths.attempt(run.id, n), earlier, is_live=is_live)
    events, made.run = stamp(made.run, [Notice("warning", WORDS)], made.run.last_event_at)
    made.events += events
    return made


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


def _read_output(
    made: RebuiltRun, n: int, folder: AttemptFolder, earlier: list[str], *, is_live: bool
) -> None:
    """Add the events of an attempt's output, and its end."""
    run = made.run
    ask = made.asks.get(n) if n > 1 else None
    cursor = first_cursor(run if n > 1 else replace(run, usage=Usage()), ask, earlier)
    if not is_live or run.status in STARTED:
        _add(made, n, [StatusChanged(Status.RUNNING, Status.PREPARING)])
    root = run.workspace.path if run.workspace else ""
    reader = agent_of(run.spec.agent).reader(bytes(cursor.agent), root, home=None)
    spool = LineReader(folder.stdout, 0)
    bodies: list[Body] = []
    try:
        is_behind = True
        while is_behind:
            bodies += reader.read(spool.lines())
            is_behind = spool.behind
        if not is_live and (rest := spool.rest()):
            bodies += reader.read([rest])
    finally:
        spool.close()
    text = cursor_text(AttemptCursor(msgspec.Raw(reader.state()), spool.offset))
    _add(made, n, bodies, fold=is_live)
    earlier.insert(0, text)
    made.cursors[n] = text
    if n == run.attempt and run.status in FINISHED:
        end = StatusChanged(run.status, Status.RUNNING, run.reason, run.exit_code, cause=run.cause)
        _add(made, n, [end])


# A folder without a record: a version before this one made it, or the record is damaged.


def _guessed(folder: Path, paths: Paths) -> tuple[Run, dict[int, AttemptRequest]] | None:
    """Return a run without a record, from its files."""
    attempts = _attempts(folder)
    if not attempts:
        return None
    first = paths.attempt(folder.name, min(attempts))
    prompt = _text(first.prompt) or "(the prompt is lost)"
    workspace = workspace_of(folder.name, paths)
    project = Path(workspace.path).parent.name if workspace else "recovered"
    title = one_line(prompt, TITLE) or folder.name
    agent = Agent(profile_for_prompt(prompt).name)
    run = Run(folder.name, RunSpec(prompt, title, project, agent=agent), _made_at(first.path))
    last = paths.attempt(folder.name, max(attempts))
    code = _text(last.exit).strip()
    status = Status.INTERRUPTED
    if marked(mark(last)):
        status = Status.RUNNING
    elif code.isascii() and code.isdigit():
        is_done = code == "0" and _reports_success(run, last.stdout)
        status = Status.SUCCEEDED if is_done else Status.FAILED
    ended_at = None if status is Status.RUNNING else _made_at(last.exit) or run.created_at
    stores = [*(folder / "checkpoints").glob("*.git")]
    return (
        replace(
            run,
            status=status,
            attempt=max(attempts),
            started_at=run.created_at,
            queued_at=run.created_at,
            finished_at=ended_at,
            last_event_at=ended_at or run.created_at,
            last_sign_at=ended_at or run.created_at,
            workspace=workspace,
            baseline=bool(stores),
            exit_code=int(code) if code.isascii() and code.isdigit() else None,
        ),
        {},
    )


def _reports_success(run: Run, stdout: Path) -> bool:
    """Return whether the output of an attempt that ended with exit code 0 reports success."""
    agent = agent_of(run.spec.agent)
    reader = agent.reader(agent.first_state(None, Usage(), ()), "", home=None)
    reader.read(_text(stdout).encode("utf-8", "replace").split(b"\n"))
    return reader.outcome(AttemptEnd(0)).kind is OutcomeKind.SUCCESS


def _attempts(folder: Path) -> list[int]:
    numbers = (path.name.removeprefix("attempt-") for path in folder.glob("attempt-*"))
    return [int(number) for number in numbers if number.isascii() and number.isdigit()]


def workspace_of(run: str, paths: Paths) -> Workspace | None:
    """Return the workspace that carries the id of a run. Blocking."""
    found = (root.glob(f"*/{run}*") for root in workspace_roots.known(paths.home))
    for path in chain.from_iterable(found):
        if path.is_dir():
            kind = WorkspaceKind.WORKTREE if (path / ".git").is_file() else WorkspaceKind.COPY
            branch = _branch(path) if kind is WorkspaceKind.WORKTREE else None
            return Workspace(str(path), kind, branch=branch)
    return None


def _branch(workspace: Path) -> str | None:
    """Return the branch that a worktree has checked out, from its git directory."""
    named = _text(workspace / ".git").removeprefix("gitdir:").strip()
    head = _text(workspace / named / "HEAD").strip() if named else ""
    branch = head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else ""
    # Every pattern of the settings has the id of the run, which is the name of the folder.
    return branch if workspace.name in branch and branch.isprintable() else None


def _text(path: Path) -> str:
    try:
        return read_regular(path).decode("utf-8", "replace")
    except OSError:
        return ""


def _made_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0

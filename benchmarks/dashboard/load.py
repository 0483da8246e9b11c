"""Homes full of runs, and the events that live ones produce: made without an agent."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import count, cycle, islice
from pathlib import Path

from engine.domain.events import (
    Body,
    ChangesMeasured,
    FileChange,
    PlanChanged,
    Progressed,
    StatusChanged,
    Step,
    UsageCounted,
)
from engine.domain.model import PlanItem, RunSpec, Stage, Status, WorkspaceKind, WorkspaceSpec
from engine.store.appending import AppendRequest
from engine.store.store import open_store

STEPS = 10
CYCLE = 90
"""Text that a run prints over and over: made once, so that making it is not measured."""
AT_ONCE = 100
"""Runs that are filled in one transaction."""
OUTPUT = "collected 412 items\n" + "tests/test_parser.py ........................ [ 23%]\n" * 4


def title(number: int) -> str:
    """Return the title of a run: one that no other text on the screen contains."""
    return f"Task-{number:04}"


def bodies(run: int) -> Iterator[Body]:
    """Return what an agent does, for ever: mostly commands with output, now and then the rest."""
    for number in count(1):
        command = f"pytest -q tests/part_{run}/test_{number % 97}.py"
        yield Step("tool", "command", "started", command, command=command)
        yield Step(
            "tool", "command", "completed", command, command=command, exit_code=0, output=OUTPUT
        )
        match number % 20:
            case 3:
                yield Step("assistant", "message", "completed", f"Part {number} is next. " * 4)
            case 7:
                change = FileChange(f"src/part_{number % 31}.py", "modified")
                yield Step("tool", "file_change", "completed", "edit", changes=(change,))
            case 11:
                yield UsageCounted(1000 * number, 400 * number, 60 * number, 272_000)
            case 13:
                yield ChangesMeasured(number % 40, 7 * number, 2 * number)
            case 17:
                done = number // 20 % (STEPS + 1)
                items = tuple(PlanItem(f"Step {n} of it", n < done) for n in range(STEPS))
                yield PlanChanged(items)
            case _:
                pass


def _begun(workspace: str | None) -> list[Body]:
    details = {"path": workspace, "kind": "in-place"} if workspace else None
    return [
        StatusChanged(Status.PREPARING),
        Progressed(Stage.WORKSPACE_CLONED, "workspace ready", 20, details),
        StatusChanged(Status.RUNNING),
        Progressed(Stage.EXECUTING, "executing", 30),
    ]


def _ended(number: int) -> list[Body]:
    if number % 9 == 4:
        return [StatusChanged(Status.FAILED, reason="exit code 1", exit_code=1)]
    return [
        ChangesMeasured(number % 40, 7 * number, 2 * number),
        StatusChanged(Status.SUCCEEDED, exit_code=0),
    ]


async def fill(
    home: Path, runs: int, *, live: bool, events: int = 20, workspace: str | None = None
) -> None:
    """Add so many runs to a home, each with some events behind it."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    kind = WorkspaceKind.IN_PLACE if workspace else WorkspaceKind.EMPTY
    async with open_store(home / "swarm.db") as store:
        if not live:  # what ended a moment ago has an age in seconds, which goes on
            store._clock = lambda: time.time() - 3600  # pyright: ignore[reportPrivateUsage]  a clock in the past
        entries: list[AppendRequest] = []
        for number in range(runs):
            spec = RunSpec(
                f"{title(number)}: fix the defect there. " * 10,
                title(number),
                f"project-{number % 7}",
                workspace=WorkspaceSpec(kind, workspace),
            )
            made = await store.create(spec, ())
            (run,) = made.runs
            said = bodies(number)
            done = [*_begun(workspace), *(next(said) for _ in range(events))]
            entries.append(AppendRequest(run, done if live else [*done, *_ended(number)]))
            if len(entries) == AT_ONCE or number == runs - 1:
                await store.append(entries)
                entries.clear()


class Stream:
    """Events of live runs at a steady rate, a share of them at each call."""

    def __init__(self, runs: Sequence[str], rate: float) -> None:
        self._said = [
            (run, cycle(islice(bodies(number), CYCLE))) for number, run in enumerate(sorted(runs))
        ]
        self._rate = rate
        self._began = time.monotonic()
        self.total = 0

    def due(self) -> dict[str, list[Body]]:
        """Return what has become due since the last call, run by run."""
        wanted = int((time.monotonic() - self._began) * self._rate) - self.total
        self.total += wanted
        every, more = divmod(wanted, len(self._said))
        self._said = [*self._said[more:], *self._said[:more]]
        first = len(self._said) - more
        return {
            run: list(islice(said, many))
            for place, (run, said) in enumerate(self._said)
            if (many := every + (place >= first))
        }

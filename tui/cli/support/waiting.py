"""Waiting of queued runs, and the queue itself as text and as JSON."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.domain.activity import activity, paused_words
from engine.domain.lifecycle import ACTIVE, LIVE
from engine.domain.model import Pause, Run, Status
from engine.domain.projection import View
from engine.domain.queue import pause_of, paused, unfinished
from engine.domain.record import record
from engine.domain.run_json import pause_json, run_json
from tui.cli.support import output

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort


@record
class QueueWait:
    """Reasons why a queued run waits: its place, from 1, other runs, a pause of the queue."""

    position: int
    after: tuple[str, ...] = ()
    pause: Pause | None = None


def of_view(view: View, pause: Pause | None, now: float) -> dict[str, QueueWait]:
    """Return the reasons why each queued run waits."""
    return {
        run.id: QueueWait(place, tuple(unfinished(view, run)), pause_of(run, pause, now))
        for place, run in enumerate(view.queue(), start=1)
    }


async def of_store(engine: EnginePort) -> dict[str, QueueWait]:
    """Return the reasons why each queued run waits, straight from the store."""
    view = View(await engine.runs(statuses=[Status.QUEUED]))
    before = {name for run in view.runs.values() for name in run.spec.after}
    for name in before - view.runs.keys():
        view.put(await engine.find(name))
    return of_view(view, engine.pause, time.time())


def doing(run: Run, now: float, wait: QueueWait | None) -> str:
    """Return the activity of a run, or what it waits for."""
    if wait is None:
        return activity(run, now)
    return activity(run, now, wait.position, after=wait.after, pause=wait.pause)


def told_json(run: Run, now: float, waits: Mapping[str, QueueWait]) -> dict[str, Any]:
    """Return a run as the JSON object of the contract."""
    wait = waits.get(run.id)
    if wait is None:
        return run_json(run, now)
    return run_json(run, now, wait.position, after=wait.after, pause=wait.pause)


def pause_note(engine: EnginePort, now: float) -> str:
    """Return that the queue is paused, if it is, why, and until when."""
    return paused_words(engine.pause, now) if engine.pause and paused(engine.pause, now) else ""


async def tell_queue(engine: EnginePort, *, as_json: bool) -> None:
    """Print how the queue stands."""
    runs = await engine.runs(statuses=LIVE)
    now, active = time.time(), sum(run.status in ACTIVE for run in runs)
    queued = len(runs) - active
    if as_json:
        pause = engine.pause if paused(engine.pause, now) else None
        figures = {"slots": engine.slots, "active": active, "queued": queued}
        output.say_json({"pause": pause_json(pause), **figures})
        return
    state = pause_note(engine, now) or "the queue goes on"
    output.say(f"{state} · {queued} queued · {active} active · {engine.slots} slots")

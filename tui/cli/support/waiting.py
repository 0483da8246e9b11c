"""Waiting of queued runs, and the queue itself as text and as JSON."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from engine.domain.account_choice import held_in
from engine.domain.activity import activity, held_words, is_hold, paused_words
from engine.domain.errors import UserError
from engine.domain.lifecycle import ACTIVE, LIVE
from engine.domain.model import Pause, Run, Status
from engine.domain.placement import NodePlaces, node_hold
from engine.domain.projection import View
from engine.domain.queue import hold_of, pause_of, paused, present_holds, unfinished
from engine.domain.record import record
from engine.domain.run_json import pause_json, run_json
from engine.domain.text import one_line
from engine.domain.usage import DEFAULT_ACCOUNT
from tui.cli.support import output

if TYPE_CHECKING:
    from engine.domain.cost import RunCost
    from engine.ports.engine import EnginePort
    from engine.ports.run_list import RunListPort

PAUSE_REASON = "paused by the user"
PAUSE_CHARACTERS = 200


@record
class QueueWait:
    """Reasons why a queued run waits: its place, from 1, other runs, a pause of the queue."""

    position: int
    after: tuple[str, ...] = ()
    pause: Pause | None = None


def of_view(view: View, engine: RunListPort, now: float) -> dict[str, QueueWait]:
    """Return the reasons why each queued run waits."""
    pause, holds = engine.pause, engine.queue_pace.holds(now)

    def places() -> NodePlaces:
        return engine.cluster.places

    def wait(place: int, run: Run) -> QueueWait:
        held = pause_of(run, pause, now) or hold_of(run, holds) or node_hold(view, run, places)
        return QueueWait(place, tuple(unfinished(view, run)), held)

    return {run.id: wait(place, run) for place, run in enumerate(view.queue(), start=1)}


async def of_store(engine: RunListPort) -> dict[str, QueueWait]:
    """Return the reasons why each queued run waits, straight from the store."""
    view = View(await engine.runs(statuses=[Status.QUEUED]))
    before = {name for run in view.runs.values() for name in run.spec.after}
    for name in before - view.runs.keys():
        with suppress(UserError):  # it was forgotten
            view.put(await engine.find(name))
    return of_view(view, engine, time.time())


def doing(run: Run, now: float, wait: QueueWait | None) -> str:
    """Return the activity of a run, or what it waits for."""
    if wait is None:
        return activity(run, now)
    return activity(run, now, wait.position, after=wait.after, pause=wait.pause)


def told_json(
    run: Run, now: float, waits: Mapping[str, QueueWait], cost: RunCost
) -> dict[str, Any]:
    """Return a run as the JSON object of the contract."""
    wait = waits.get(run.id)
    if wait is None:
        return run_json(run, now, cost=cost)
    return run_json(run, now, wait.position, after=wait.after, pause=wait.pause, cost=cost)


def pause_note(engine: RunListPort, now: float) -> str:
    """Return that the queue is paused, if it is, why, and until when."""
    return paused_words(engine.pause, now) if engine.pause and paused(engine.pause, now) else ""


def hold_notes(engine: EnginePort, view: View, now: float) -> list[str]:
    """Return why accounts start no run at the moment, of those that a queued run would use."""
    holds = present_holds(view, engine.queue_pace.holds(now))
    return list(dict.fromkeys(hold_note(hold, now) for hold in holds))


def hold_note(hold: Pause, now: float) -> str:
    """Return why an account starts no run at the moment, as a sentence."""
    words = paused_words(hold, now)
    return f"the queue {words}" if is_hold(hold) else words


def pause_of_user(reason: str = "", until: float | None = None) -> Pause:
    """Return a pause that the user asked for; until an end (seconds since 1970), or `unpause`."""
    return Pause(one_line(reason, PAUSE_CHARACTERS) or PAUSE_REASON, until)


async def queue_json(engine: EnginePort) -> dict[str, Any]:
    """Return the state of the queue as the JSON object of the contract."""
    from engine.domain.usage_json import window_json  # late: it can write tables, too

    runs, now = await engine.runs(statuses=LIVE), time.time()
    active = sum(run.status in ACTIVE for run in runs)
    return {
        "pause": pause_json(engine.pause if paused(engine.pause, now) else None),
        "held_accounts": [pause_json(one) for one in held_in(engine.pause, now)],
        "holds": [pause_json(hold) for hold in engine.queue_pace.holds(now).values()],
        "slots": engine.slots,
        "active": active,
        "queued": len(runs) - active,
        "limits": [window_json(cycle) for cycle in await engine.usage.limits()],
    }


async def tell_queue(engine: EnginePort, *, as_json: bool) -> None:
    """Print how the queue stands."""
    if as_json:
        output.say_json(await queue_json(engine))
        return
    runs = await engine.runs(statuses=LIVE)
    now, active = time.time(), sum(run.status in ACTIVE for run in runs)
    queued = len(runs) - active
    holds = engine.queue_pace.holds(now).values()
    # Runs of the others go on under another account.
    held = [hold_note(hold, now) for hold in holds if not hold.can_move]
    state = pause_note(engine, now) or "; ".join(dict.fromkeys(held)) or "the queue goes on"
    for one in held_in(engine.pause, now):
        output.say(paused_words(one, now))
    for hold in holds:
        if hold.can_move:
            words = held_words(hold, now).removeprefix(f"account {hold.account}: ")
            own = f"the account {hold.account or DEFAULT_ACCOUNT} waits: {words}"
            output.say(own if is_hold(hold) else paused_words(hold, now))
    output.say(f"{state} · {queued} queued · {active} active · {engine.slots} slots")
    if limits := await engine.usage.limits():
        from tui.formatting.limit_cycles import forecast_lines

        for line in forecast_lines(limits, now):
            output.say(line)

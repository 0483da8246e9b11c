"""Order of the queue: the next run to start, and what the others wait for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import field

from engine.domain.account import account_name
from engine.domain.account_choice import AccountRules, account_hold, choose_account, holds
from engine.domain.hosts import host_of
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Pause, Run, Status
from engine.domain.placement import NodePlaces, place_of
from engine.domain.projection import View
from engine.domain.reasons import Cause
from engine.domain.record import record

CLOCK_SLACK_S = 60.0


@record
class QueueRules:
    """The rules of the queue: at most `slots` active runs here, `per_project` of one project.

    Each node has slots of its own. Parents of runs that have not ended do not count: see
    `slots_taken`.
    """

    slots: int
    per_project: int | None = None
    pause: Pause | None = None
    holds: Mapping[str, Pause] | None = None
    """Accounts that may start no run at the moment, to keep a reserve or to spread starts."""
    accounts: Mapping[str, AccountRules] = field(default_factory=dict[str, AccountRules])
    """The accounts of agents that have several."""
    nodes: NodePlaces = NodePlaces()
    """The places on the nodes of the cluster."""

    def account_of(self, run: Run, now: float) -> tuple[str, str] | None:
        """Return the account of a run's next attempt and the reason; None: it waits for one."""
        rules = self.accounts.get(run.spec.agent) or AccountRules()
        closed = () if ignores_pace(run) else self.holds or ()
        return choose_account(run, rules, self.pause, now, closed)


@record
class NextRun:
    """The run to start next, with the machine on which there is a place for it."""

    run: Run
    host: str


def next_run(view: View, rules: QueueRules, now: float, ending: int = 0) -> NextRun | None:
    """Return the queued run that may start at `now`, the first in order; None if none may.

    `ending` runs still take slots here although they have ended.
    """
    taking = slots_taken(view)
    here = sum(not rules.nodes.is_node(host_of(run)) for run in taking)
    is_full_here = here + ending >= rules.slots
    if is_full_here and not any(rules.nodes.free.values()):
        return None
    busy = Counter(run.spec.project for run in taking)
    for run in view.queue():
        full = rules.per_project is not None and busy[run.spec.project] >= rules.per_project
        if full or waits(view, run, now) or pause_of(run, rules.pause, now):
            continue
        host = place_of(view, run, rules.nodes, is_full_here=is_full_here)
        if host and rules.account_of(run, now):
            return NextRun(run, host)
    return None


def slots_taken(view: View) -> list[Run]:
    """Return the active runs that take a slot: those without a child that has not ended.

    A parent usually waits for its children. If it kept its slot meanwhile, parents could take all
    slots, and their children would never start.
    """
    parents = {view.runs[run_id].spec.parent for run_id in view.live}
    return [run for run in view.active() if run.id not in parents]


def hold_of(run: Run, holds: Mapping[str, Pause]) -> Pause | None:
    """Return the hold of the account that a queued run would use; None where it ignores holds."""
    hold = None if ignores_pace(run) else holds.get(account_name(run))
    return hold if hold and (run.spec.account or not hold.can_move) else None


def present_holds(view: View, holds: Mapping[str, Pause]) -> list[Pause]:
    """Return the holds that keep a queued run from its start."""
    queue = view.queue() if holds else ()
    found = {hold.account: hold for run in queue if (hold := hold_of(run, holds))}
    return list(found.values())


def ignores_pace(run: Run) -> bool:
    """Return whether the user lets a run start although its account is held."""
    return run.spec.ignore_pace or run.ignores_pace


def paused(pause: Pause | None, now: float) -> bool:
    """Return whether a pause holds at `now`."""
    return holds(pause, now)


def pause_of(run: Run, pause: Pause | None, now: float) -> Pause | None:
    """Return the pause if it holds this run at `now`: one may concern an agent or an account."""
    if pause and paused(pause, now) and pause.agent in (None, run.spec.agent):
        return pause
    return account_hold(run, pause, now)


def waits(view: View, run: Run, now: float) -> bool:
    """Return whether a queued run waits for a time or for other runs, not only for a slot."""
    # A limit holds all by its pause: who ends that, holding credits, need not wait for the reset.
    # A clock that stands before the run was put back was itself put back: it may take days to come.
    free = run.cause is Cause.LIMIT or now < run.last_event_at - CLOCK_SLACK_S
    own = 0.0 if free else run.not_before or 0.0
    return now < max(own, run.spec.not_before or 0.0) or bool(unfinished(view, run))


def unfinished(view: View, run: Run) -> list[str]:
    """Return the runs that this one waits for and that have not succeeded yet."""
    before = (view.runs.get(run_id) for run_id in run.spec.after)
    return [other.id for other in before if other and other.status is not Status.SUCCEEDED]


def hopeless(view: View, run: Run) -> str | None:
    """Return the run that this one cannot wait for: it ended without success, or is missing.

    One that was forgotten is not waited for.
    """
    for run_id in run.spec.after:
        if run_id in view.forgotten:
            continue
        other = view.runs.get(run_id)
        if other is None or (other.status in FINISHED and other.status is not Status.SUCCEEDED):
            return run_id
    return None


def dependents(view: View, runs: Collection[str]) -> list[Run]:
    """Return the queued runs that wait for these, directly or through others, in queue order.

    They are cancelled when what they wait for ends without success.
    """
    lost, queued = set(runs), [run for run in view.queue() if run.spec.after]
    while found := {run.id for run in queued if lost.intersection(run.spec.after)} - lost:
        lost |= found
    return [run for run in queued if run.id in lost and run.id not in runs]

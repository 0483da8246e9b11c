"""Watchdog: runs without a sign of life, over their time or their budget, with the reason."""

from __future__ import annotations

from dataclasses import asdict

import msgspec

from engine.config.settings import WatchdogSettings
from engine.domain.activity import asked_s, clock, elapsed_s
from engine.domain.budget import over_words
from engine.domain.errors import UserError, user_error
from engine.domain.model import Run, Stage
from engine.domain.projection import NETWORK_WAIT
from engine.domain.reasons import Occupation

STALLED = "stalled: "
UNTAKEN_S = 30.0
"""An agent takes an answer at once."""
COMMAND_FACTOR = 3
"""A command may work in silence; it is pointed out after this many times `silent_s`."""


def of_run(run: Run, settings: WatchdogSettings) -> WatchdogSettings:
    """Return the watchdog settings of a run: the settings, and its own overrides."""
    wish = {name: value for name, value in asdict(run.spec.watchdog).items() if value is not None}
    return msgspec.structs.replace(settings, **wish) if wish else settings


def is_quiet(run: Run, now: float, settings: WatchdogSettings) -> bool:
    """Return whether the run was silent for so long that its processes are checked."""
    if run.unanswered:
        return False
    return now - run.last_sign_at > settings.silent_s / 2


def is_odd(run: Run, now: float, settings: WatchdogSettings) -> bool:
    """Return whether the run is to be looked at more closely: mostly it is not."""
    stalled = stall(run, now, settings, idle=False)
    is_over = bool(stalled) or verdict(run, now, settings, stalled) is not None
    return is_over or is_quiet(run, now, settings)


def stall(run: Run, now: float, settings: WatchdogSettings, *, idle: bool) -> str:
    """Return why the run looks stalled at `now`; empty if it does not.

    `idle`: its processes used no processor time since the last look. To wait for the user is no
    stall.
    """
    if run.answered_since is not None and now - run.answered_since > UNTAKEN_S:
        return _stall_text("an answer was not taken", now - run.answered_since, long=True)
    if run.unanswered:
        return ""
    if run.stage is not Stage.EXECUTING:
        waited_s = now - run.doing_since  # since the agent was started: not the workspace's making
        return _stall_text("no first event", waited_s, waited_s > settings.first_event_s)
    busy_s, silent_s = now - run.doing_since, now - run.last_sign_at
    if run.occupation is Occupation.NETWORK:
        return _stall_text(NETWORK_WAIT, busy_s, busy_s > settings.silent_s)
    if run.occupation is Occupation.WAIT:
        return ""  # at most for as long as the agent asked: it ends such a wait itself
    if run.open_items:
        long = busy_s > settings.silent_s * COMMAND_FACTOR
        return _stall_text(run.doing, busy_s, long, idle=idle)
    return _stall_text("silent", silent_s, silent_s > settings.silent_s, idle=idle)


def _stall_text(what: str, for_s: float, long: bool, *, idle: bool = False) -> str:
    if not long:
        return ""
    return f"{STALLED}{what} for {clock(for_s)}{', using no processor time' if idle else ''}"


def verdict(run: Run, now: float, settings: WatchdogSettings, stalled: str) -> UserError | None:
    """Return the error for which the run must be ended at `now`: time, tokens, or the watchdog."""
    spec = run.spec
    if spec.timeout_s is not None and elapsed_s(run, now) - asked_s(run, now) > spec.timeout_s:
        limit = clock(spec.timeout_s)
        return user_error("RUN_TIMED_OUT", f"The run reached its time limit of {limit}.")
    used = run.usage.input + run.usage.output
    if spec.budget and spec.budget.is_tokens and used > spec.budget.amount:
        return user_error("BUDGET_EXCEEDED", f"The run {over_words(used, spec.budget)}.")
    if stalled and settings.action != "notice":
        return user_error("RUN_STALLED", f"The run was {stalled}.")
    return None

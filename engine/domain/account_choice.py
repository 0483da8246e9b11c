"""The account that the next attempt of a run starts under, and the accounts that hold their runs.

An account without room is held: its hold is a `Pause` of its own, kept inside that of the queue.
The queue itself pauses only when every account of an agent is held.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from engine.domain.account import own_account
from engine.domain.model import Pause, Run
from engine.domain.reasons import WaitingFor
from engine.domain.record import record
from engine.domain.usage import DEFAULT_ACCOUNT

_AUTOMATIC = (WaitingFor.LIMIT, WaitingFor.LOGIN)


@record
class AccountRules:
    """The accounts of one agent in the order of use."""

    names: tuple[str, ...] = (DEFAULT_ACCOUNT,)
    can_move: bool = False
    """True if runs go on under another account where theirs has no room."""

    @property
    def has_several(self) -> bool:
        """Return whether there is more than the default one."""
        return len(self.names) > 1


def holds(pause: Pause | None, now: float) -> bool:
    """Return whether a pause, or a hold of an account, is in force."""
    return pause is not None and (pause.until is None or now < pause.until)


def held_in(pause: Pause | None, now: float) -> tuple[Pause, ...]:
    """Return the holds of accounts that are in force."""
    return tuple(one for one in (pause.accounts if pause else ()) if holds(one, now))


def held_accounts(pause: Pause | None, agent: str, now: float) -> dict[str, Pause]:
    """Return the holds of an agent's accounts that are in force, by account."""
    held = (one for one in held_in(pause, now) if one.agent == agent)
    return {one.account: one for one in held if one.account}


def choose_account(
    run: Run, rules: AccountRules, pause: Pause | None, now: float, closed: Iterable[str] = ()
) -> tuple[str, str] | None:
    """Return the account of the next attempt and the reason in words; None: the run waits.

    An account that the run names is kept. A thread stays where it is as long as there is room.
    `closed` are accounts that start nothing, to keep a reserve or to spread starts.
    """
    own = own_account(run.spec.agent)
    full = {*held_accounts(pause, run.spec.agent, now)}
    full |= {DEFAULT_ACCOUNT if name == own else name for name in closed}
    if named := run.spec.account:
        return None if named in full else (named, "the run names it")
    present, has_thread = _present(run)
    if not rules.can_move:
        return None if present in full else (present, "the run has used it before")
    order = (present, *rules.names) if has_thread else rules.names
    chosen = next((name for name in order if name not in full), None)
    if chosen is None:
        return None
    if present != chosen and present in full:
        return chosen, f"the account {present} has no room"
    return chosen, "it is the first with room"


def _present(run: Run) -> tuple[str, bool]:
    """Return the account whose home has the run's thread, and whether it has a thread."""
    fork = run.spec.fork
    if run.thread_id is None and fork and fork.thread:
        return run.account or fork.account or DEFAULT_ACCOUNT, True
    return run.account or DEFAULT_ACCOUNT, run.thread_id is not None


def account_hold(run: Run, pause: Pause | None, now: float) -> Pause | None:
    """Return the hold of an account that a queued run waits for; None if it waits for none."""
    if pause is None or not pause.accounts:
        return None
    hold = held_accounts(pause, run.spec.agent, now).get(run.spec.account or _present(run)[0])
    return hold if hold and (run.spec.account or not hold.can_move) else None


def with_hold(known: Pause | None, hold: Pause, rules: AccountRules, now: float) -> Pause:
    """Return the pause of the queue with the hold of one more account."""
    before = held_accounts(known, hold.agent or "", now).get(hold.account or "")
    if before and before.until and hold.until:
        hold = max(before, hold, key=lambda one: one.until or 0.0)
    hold = replace(hold, can_move=rules.can_move)
    others = tuple(
        one for one in held_in(known, now) if (one.agent, one.account) != (hold.agent, hold.account)
    )
    return _paused(known, (*others, hold), hold.agent or "", rules, now)


def without_ended(known: Pause, now: float) -> Pause | None:
    """Return a pause without what has ended of it; None: nothing is left."""
    left = held_in(known, now)
    if holds(known, now):
        return replace(known, accounts=left)
    return _only(left)


def without_automatic(known: Pause | None, now: float) -> Pause | None:
    """Return what is left when the user lets the queue go on.

    A pause of the user's ends alone. Otherwise the holds of accounts end, too: the user may have
    bought more room, or logged in.
    """
    if known is None or not holds(known, now) or known.waiting_for is not WaitingFor.USER:
        return None
    return _only(held_in(known, now))


def of_queue(pause: Pause | None) -> Pause | None:
    """Return a pause; None where it holds nothing but some accounts."""
    return None if pause and pause.accounts and pause.until == 0.0 else pause


def _only(accounts: Sequence[Pause]) -> Pause | None:
    """Return a pause that holds nothing but these accounts."""
    return Pause("", 0.0, accounts=tuple(accounts)) if accounts else None


def merged(known: Pause | None, pause: Pause | None, now: float) -> Pause | None:
    """Return the pause of the queue where an automatic one begins, or ends (None).

    One that the user asked for stays as it is, and so do the holds of accounts.
    """
    accounts = held_in(known, now)
    main = known and (None if known.accounts and not holds(known, now) else known)
    if main and (main.until is None or (pause is None and holds(main, now))):
        pause = main
    elif pause and pause.until and main and main.until:
        pause = max(pause, main, key=lambda held: held.until or 0.0)
    return replace(pause, accounts=accounts) if pause else _only(accounts)


def _paused(
    known: Pause | None, accounts: tuple[Pause, ...], agent: str, rules: AccountRules, now: float
) -> Pause:
    is_own = known and known.waiting_for in _AUTOMATIC and known.agent == agent
    if known and holds(known, now) and not is_own:
        return replace(known, accounts=accounts)
    held = [one for one in accounts if one.agent == agent]
    if not {one.account for one in held} >= set(rules.names):
        return Pause("", 0.0, accounts=accounts)
    first = min(held, key=lambda one: float("inf") if one.until is None else one.until)
    reason = f"no account has room: the first is {first.account}, {first.reason}"
    return Pause(reason, first.until, first.waiting_for, agent, accounts=accounts)

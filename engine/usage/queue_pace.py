"""The pace of one home's queue: the holds of its accounts, from what agents reported last."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.domain.events import Event, LimitsSeen
from engine.domain.model import LimitWindow, Pause, Run
from engine.domain.queue import CLOCK_SLACK_S, hold_of
from engine.domain.usage import LimitSample
from engine.store.usage_ledger import account_of

if TYPE_CHECKING:
    from engine.config.settings import QueueSettings
    from engine.store.store import Store
    from engine.usage.pace import WindowKind


class QueuePace:
    """Holds of the queue by account; a decision takes as long as there are accounts."""

    def __init__(self, settings: QueueSettings, store: Store, accounts: Sequence[str] = ()) -> None:
        self._settings = settings
        self._store = store
        self._accounts = accounts
        """The accounts that runs go on under where theirs has no room; empty: they wait."""
        self._windows: dict[tuple[str, WindowKind], list[LimitSample]] = {}
        self.is_on = settings.has_pace or bool(accounts)
        """True if the settings hold anything."""

    async def load(self) -> None:
        """Read the windows that were reported last, where the settings ask for them."""
        if self.is_on:
            self._windows.clear()
            # A report from the future is one of a clock that was put back since.
            found = await self._store.usage.latest_samples(time.time() + CLOCK_SLACK_S)
            self._add(sorted(found, key=lambda one: one.at))

    def notify(self, events: Iterable[Event], runs: Mapping[str, Run]) -> None:
        """Take over the windows that agents reported."""
        if not self.is_on:
            return
        for event in events:
            if isinstance(event.body, LimitsSeen) and event.run in runs:
                self._add(_samples(runs[event.run], event.at, event.body.windows))

    def _add(self, samples: Iterable[LimitSample]) -> None:
        """Replace the windows of each kind that a report names by those of the report.

        An agent may rename a window: by its kind it is found again.
        """
        from engine.domain.limit_names import is_of_plan  # most settings hold nothing
        from engine.usage.pace import kind_of

        for sample in samples:
            if not is_of_plan(sample.name):
                continue  # which models it is for is unknown
            known = self._windows.setdefault((sample.account, kind_of(sample)), [])
            if known and known[0].at != sample.at:
                known.clear()
            known.append(sample)

    def holds(self, now: float) -> dict[str, Pause]:
        """Return the hold of each account that may start no run at `now`."""
        if not self.is_on:
            return {}
        from engine.usage.pace import find_hold

        by_account: dict[str, list[LimitSample]] = {}
        for (account, _), samples in self._windows.items():
            by_account.setdefault(account, []).extend(samples)
        moves = bool(self._accounts)
        found = {
            name: find_hold(self._settings, windows, now, moves=moves)
            for name, windows in by_account.items()
        }
        holds = {name: hold for name, hold in found.items() if hold}
        if all(name in holds for name in self._accounts):
            return holds
        own = self._accounts  # simulated runs, for instance, have an account of their own
        return {name: replace(hold, can_move=name in own) for name, hold in holds.items()}

    def hold_of(self, run: Run, now: float) -> Pause | None:
        """Return the hold of a queued run at `now`; None where it may start."""
        return hold_of(run, self.holds(now)) if self.is_on else None


def _samples(run: Run, at: float, windows: Iterable[LimitWindow]) -> list[LimitSample]:
    account = account_of(run)
    return [
        LimitSample(account, it.name, at, it.used_percent, it.window_minutes, it.resets_at)
        for it in windows
    ]

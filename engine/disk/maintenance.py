"""Background disk maintenance, run by the supervising engine at low priority."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from engine.config.settings import Config
from engine.disk.cleanup_plan import HOUR_S, CleanupFilter, CleanupItem, CleanupPlan
from engine.disk.service import COUNTED, Disk
from engine.domain.errors import UserError
from engine.execution.base_refs import release_unused
from engine.store.standing import bases_unused
from engine.store.store import Store
from engine.store.usage_ledger import SAMPLES_KEPT_S
from engine.system.clock import Clock

FIRST_S = 20.0
EVERY_S = 3600.0
DELIVERED_S, MESSAGES_S = 7 * 86_400.0, 30 * 86_400.0
"""Times for which messages are kept that all receivers have got, and all others."""
AUTO = "automatic clean-up"
_log = logging.getLogger(__name__)


class Maintenance:
    """Maintenance: repairs and empties the trash, measures, cleans up by the settings."""

    def __init__(
        self,
        disk: Disk,
        store: Store,
        config: Config,
        is_idle: Callable[[], bool],
        clock: Clock | None = None,
        finish_forgotten: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._disk = disk
        self._finish_forgotten = finish_forgotten
        self._store = store
        self._settings = config.cleanup
        self._is_idle = is_idle
        self._clock = clock or Clock()

    async def run(self) -> None:
        """Do it every hour, until cancelled."""
        await asyncio.sleep(FIRST_S)
        while True:
            await self.once()
            await asyncio.sleep(EVERY_S)

    async def once(self) -> None:
        """Do all of it; what fails is written down, and the rest is done.

        Nothing expires while the clock is not trusted: a wrong date must not delete anything.
        """
        if self._store.reserve:
            await asyncio.to_thread(self._store.reserve.keep)
        expiring = (self.clean, self.drop_events, self._drop_messages)
        if not self._clock.is_trusted:
            _log.warning("upkeep: the clock was moved far forward; nothing expires for one day")
            expiring = ()
        forgotten = (self._finish_forgotten,) if self._finish_forgotten else ()
        steps = (*forgotten, self._store.settle_usage, self._tend, self._release_bases)
        for step in (*steps, *expiring, self._measure):
            try:
                await step()
            except UserError as error:
                _log.warning("upkeep: %s", error.message)
            except Exception:
                _log.exception("upkeep failed")

    async def _tend(self) -> None:
        await self._disk.tend(expire=self._clock.is_trusted)

    async def _release_bases(self) -> None:
        await release_unused(await bases_unused(self._store))

    async def clean(self) -> int:
        """Clean up by `cleanup.auto`; return the number of workspaces moved to the trash.

        First those that ended long enough ago; where that is not enough for the budget, the
        oldest. Never work that is nowhere else, and never the newest of a project.
        """
        if not self._settings.auto:
            return 0
        wish = CleanupFilter(
            older_than_s=self._settings.older_than, keep=self._settings.keep, here_only=True
        )
        count = await self._clean(await self._disk.plan(wish), wish, AUTO)
        over = await self._measure() - self._settings.budget
        if over <= 0:
            return count
        wish = CleanupFilter(older_than_s=HOUR_S, keep=self._settings.keep, here_only=True)
        plan = await self._disk.plan(wish)
        oldest = CleanupPlan(tuple(_enough(plan, over)))
        return count + await self._clean(oldest, wish, f"{AUTO}, more than cleanup.budget is used")

    async def _measure(self) -> int:
        return await self._disk.measure(kinds=COUNTED)

    async def _clean(self, plan: CleanupPlan, wish: CleanupFilter, why: str) -> int:
        report = await self._disk.clean(plan, wish, why=why)
        for one in report.cleaned:
            if one.failure:
                _log.warning("%s: the run %s stays: %s", AUTO, one.item.run, one.failure.message)
        return sum(one.failure is None for one in report.cleaned)

    async def _drop_messages(self) -> None:
        now = time.time()
        await self._store.deliveries.drop(now - DELIVERED_S, now - MESSAGES_S)
        await self._store.drop_samples(now - SAMPLES_KEPT_S)

    async def drop_events(self) -> int:
        """Drop old events by `cleanup.events_days`; return their number."""
        dropped: dict[str, int] = {}
        if self._settings.events_days is not None:
            before = time.time() - self._settings.events_days * 86_400
            dropped = await self._store.drop_events(before)
        await self._store.shrink(self._disk.free(), self._is_idle)
        return sum(dropped.values())


def _enough(plan: CleanupPlan, bytes_over: int) -> list[CleanupItem]:
    """Return the oldest items of a plan that together free `bytes_over`."""
    going: list[CleanupItem] = []
    for item in sorted(plan.take, key=lambda item: item.run):
        if bytes_over <= 0:
            break
        going.append(item)
        bytes_over -= item.size
    return going

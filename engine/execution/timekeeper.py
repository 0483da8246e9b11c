"""Timekeeper: gaps of the clock are reported to the runs, then the engine's clock moves on."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

import msgspec

from engine.domain.events import Body, Notice
from engine.domain.lifecycle import ACTIVE
from engine.domain.model import Pause, Run, Status
from engine.domain.projection import View
from engine.domain.skipped_time import STEP_S, ClockGap, gap_words
from engine.execution.shared_settings import SharedSettings
from engine.store.appending import AppendRequest
from engine.store.store import Store
from engine.system.clock import Clock, ClockAnchor
from engine.system.decoding import json_decoder

DRIFT_S = 0.25
"""Drift of this much is adopted without a word."""
_SETTING = "clock"


class Append(Protocol):
    """A function that appends to runs and changes settings, all or nothing."""

    def __call__(
        self, entries: Sequence[AppendRequest], settings: Mapping[str, str]
    ) -> Awaitable[object]:
        """Append all entries and settings."""
        ...


class Timekeeper:
    """Timekeeper of the supervising engine's clock; `check` it before anything is started."""

    def __init__(
        self, clock: Clock, view: View, store: Store, shared: SharedSettings, append: Append
    ) -> None:
        self._clock = clock
        self._view = view
        self._store = store
        self._shared = shared
        self._append = append
        self._has_started = False

    async def check(self) -> None:
        """Look whether the wall clock has left ours, and follow it: without a jump for any run."""
        if not self._has_started:
            await self._start()
        gap = self._clock.gap()
        if abs(gap.total_s) >= STEP_S:
            await self._follow()
        elif abs(gap.total_s) >= DRIFT_S or self._clock.has_ended_hold:
            self._clock.step()
            self._clock.settle()
            await self._keep([])

    async def _start(self) -> None:
        """Continue with the clock as the engine before left it: its gaps are ours to close."""
        text = (await self._store.settings()).get(_SETTING)
        self._clock.start(_anchor(text))
        self._store.use_clock(self._clock.stamp)
        self._has_started = True
        await self._keep([])

    async def _follow(self) -> None:
        gap = self._clock.step()
        if gap.total_s < 0:
            await self._store.deliveries.move_due(gap.total_s)
            await self._shared.change_pause(partial(_moved, gap.total_s))
        concerned = [run for run in map(self._view.runs.get, self._view.live) if run]
        decide = partial(_notice, gap)
        # With the anchor in one transaction: a crash neither loses nor repeats the notices.
        await self._keep([AppendRequest(run.id, decide=decide) for run in concerned if decide(run)])
        self._clock.settle()

    async def _keep(self, entries: Sequence[AppendRequest]) -> None:
        anchor = msgspec.json.encode(self._clock.to_store()).decode()
        await self._append(entries, {_SETTING: anchor})


def _anchor(text: str | None) -> ClockAnchor | None:
    """Read a stored anchor; another version may have written it."""
    try:
        return json_decoder(ClockAnchor)(text) if text else None
    except (msgspec.MsgspecError, RecursionError):
        return None


def _notice(gap: ClockGap, run: Run) -> list[Body]:
    """Return the notice of a gap for a run: for a waiting one, only where the clock moved back."""
    waits = run.status is Status.QUEUED and gap.total_s < 0
    if run.status not in ACTIVE and not waits:
        return []
    return [Notice("info", gap_words(gap), skipped_s=round(gap.total_s, 3))]


def _moved(seconds: float, pause: Pause | None) -> Pause | None:
    """Return a pause whose end is moved with the clock."""
    if pause is None:
        return None
    accounts = tuple(one for held in pause.accounts if (one := _moved(seconds, held)))
    until = pause.until + seconds if pause.until else pause.until
    return replace(pause, until=until, accounts=accounts)

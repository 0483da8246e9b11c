"""Watch over the tokens of running runs, by the engine that supervises: the expensive are flagged.

An event of usage only notes its run. Once a second the noted runs are compared with medians that
are made once for all runs of a batch, whatever the number of events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from time import monotonic

from engine.domain import spend
from engine.domain.activity import elapsed_s
from engine.domain.events import Body, Event, Notice, UsageCounted
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run, Status
from engine.domain.projection import View
from engine.domain.reasons import Subject
from engine.domain.spend import BatchUsage, Sibling
from engine.domain.usage import SpentRun
from engine.execution.journal import Journal

INTERVAL_S = 1.0
LATEST = 200
"""Ended runs of a template that count."""
USUAL_S = 60.0
"""Seconds until the usual amounts of templates are read again."""
COMPARED = frozenset({Status.SUCCEEDED, Status.FAILED})
"""Ended runs whose usage means something: a cancelled one was cut off."""

ReadSpent = Callable[[], Awaitable[Sequence[SpentRun]]]
_Template = tuple[str, str]
"""An agent and a template."""
_Task = tuple[str, str]
"""A batch, and the step of its flow: runs of different steps are not alike."""


class SpendWatch:
    """Watch over the tokens of running runs; `notify` it of events."""

    def __init__(
        self,
        view: View,
        journal: Journal,
        read_spent: ReadSpent,
        flag_at: float | None,
        now: Callable[[], float],
    ) -> None:
        self._view = view
        self._journal = journal
        self._read_spent = read_spent
        self._flag_at = flag_at
        self._now = now
        self._noted: set[str] = set()
        self._due = asyncio.Event()
        self._of_templates: Mapping[_Template, float | None] = {}
        self._read_at: float | None = None

    def notify(self, events: Iterable[Event]) -> None:
        """Take note of the runs that used tokens."""
        used = {event.run for event in events if isinstance(event.body, UsageCounted)}
        if used and self._flag_at is not None:
            self._noted |= used
            self._due.set()

    async def run(self) -> None:
        """Watch until cancelled; first over the runs that worked while no engine supervised."""
        self._noted |= {run.id for run in self._view.active()}
        self._due.set()
        while True:
            await self._due.wait()
            self._due.clear()
            await self.check()
            await asyncio.sleep(INTERVAL_S)

    async def check(self) -> None:
        """Flag the noted runs that spend far more than others like them."""
        noted, self._noted = self._noted, set[str]()
        known = (self._view.runs.get(run_id) for run_id in noted)
        runs = [run for run in known if run and _may_be_flagged(run)]
        if not runs or self._flag_at is None:
            return
        await self._read_usual(runs)
        now = self._now()
        batches = {task: self._of_batch(task, now) for task in set(map(_task, runs))}
        for run in runs:
            decide = partial(self._decide, of_batch=batches[_task(run)], now=now)
            if decide(run):
                await self._journal.change(run.id, decide)  # decided on the run as it is stored

    def _decide(self, run: Run, of_batch: BatchUsage, now: float) -> Sequence[Body]:
        if not _may_be_flagged(run):
            return []
        median = of_batch.median_for(run.id, elapsed_s(run, now))
        of_template = self._of_templates.get((run.spec.agent.value, run.spec.template or ""))
        flag = spend.flag_of(_tokens(run), median, of_template, self._flag_at)
        if flag is None or not spend.is_news(flag, run.spend_flag):
            return []
        text = f"expensive: {spend.flag_words(flag)}"
        return [Notice("warning", text, subject=Subject.EXPENSIVE, spend=flag)]

    def _of_batch(self, task: _Task, now: float) -> BatchUsage:
        batch, _ = task
        return BatchUsage(
            Sibling(run.id, _tokens(run), elapsed_s(run, now), run.status in FINISHED)
            for run in (self._view.batch(batch) if batch else ())
            if _task(run) == task and (run.status in COMPARED or run.status is Status.RUNNING)
        )

    async def _read_usual(self, runs: Iterable[Run]) -> None:
        """Read the usual amounts of templates, if one is asked for, once a minute at most."""
        now = monotonic()
        is_old = self._read_at is None or now - self._read_at >= USUAL_S
        if is_old and any(run.spec.template for run in runs):
            found: dict[_Template, list[int]] = {}
            for one in await self._read_spent():
                found.setdefault((one.agent, one.template), []).append(one.tokens)
            self._of_templates = {
                template: spend.template_median(tokens[:LATEST])
                for template, tokens in found.items()
                if template[1]
            }
            self._read_at = now


def _may_be_flagged(run: Run) -> bool:
    return run.status is Status.RUNNING and _tokens(run) >= spend.FLOOR_TOKENS


def _tokens(run: Run) -> int:
    return run.usage.input + run.usage.output


def _task(run: Run) -> _Task:
    return run.spec.batch or "", run.spec.given.get("step", "")

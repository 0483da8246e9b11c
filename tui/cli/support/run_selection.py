"""The runs to list: filters, order, and pages."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from engine.domain.activity import elapsed_s
from engine.domain.attention import is_asking, needs_you
from engine.domain.errors import UserError, user_error
from engine.domain.model import Run, Status
from engine.domain.open_enum import OpenEnum
from engine.domain.record import record
from engine.system.decoding import json_decoder
from tui.models.filters import compile_filter

if TYPE_CHECKING:
    from engine.ports.run_list import RunListPort

NEEDS_YOU = "needs-you"
SMALLEST_READ = 100
"""Runs that are read at a time at least, where a filter leaves some of them out."""
_STATUS_ORDER = {status: place for place, status in enumerate(Status)}


class RunOrder(OpenEnum):
    """An order of runs; the largest come first, but status, project and title ascend."""

    NEWEST = "newest"
    AGE = "age"
    OLDEST = "oldest"
    STATUS = "status"
    ELAPSED = "elapsed"
    CHANGES = "changes"
    TOKENS = "tokens"
    PROJECT = "project"
    TITLE = "title"
    COST = "cost"


_ASCENDING = (RunOrder.OLDEST, RunOrder.STATUS, RunOrder.PROJECT, RunOrder.TITLE)
_KEYS: dict[RunOrder, Callable[[Run], Any]] = {
    RunOrder.NEWEST: lambda run: run.id,
    RunOrder.AGE: lambda run: run.id,
    RunOrder.OLDEST: lambda run: run.id,
    RunOrder.STATUS: lambda run: _STATUS_ORDER.get(run.status, len(_STATUS_ORDER)),
    RunOrder.ELAPSED: lambda run: elapsed_s(run, time.time()),
    RunOrder.CHANGES: lambda run: run.changes.insertions + run.changes.deletions,
    RunOrder.TOKENS: lambda run: run.usage.input + run.usage.output,
    RunOrder.PROJECT: lambda run: run.spec.project.casefold(),
    RunOrder.TITLE: lambda run: run.spec.title.casefold(),
}


def _key(engine: RunListPort, order: RunOrder) -> Callable[[Run], Any]:
    """Return the key of an order; unknown costs come last."""
    if order is not RunOrder.COST:
        return _KEYS[order]

    def key(run: Run) -> float:
        usd = engine.costs.of_run(run)
        return -1.0 if usd is None else usd

    return key


class PageCursor(msgspec.Struct, forbid_unknown_fields=True, array_like=True):
    """The place where a page begins: after a run, or after a number of the runs up to one.

    Runs that are added later are newer than both: they move no page.
    """

    run: Annotated[str, Meta(max_length=100)]
    skipped: Annotated[int, Meta(ge=0, le=2**53)] = 0


@record
class RunSelection:
    """The runs to list, their order, and how many of them at most.

    `wanted` are the filters of `RunListPort.runs`, and `text` is a filter in the language of the
    dashboard.
    """

    wanted: dict[str, Any]
    since: float | None
    sort: str
    limit: int | None
    text: str = ""

    @property
    def is_filtered(self) -> bool:
        """Return whether some runs may be left out other than by the limit."""
        return self.since is not None or any(self.wanted.values()) or bool(self.text)

    @property
    def _is_newest_first(self) -> bool:
        return self.sort == RunOrder.NEWEST and NEEDS_YOU not in self.wanted["statuses"]

    async def runs(self, engine: RunListPort, limit: int | None) -> list[Run]:
        """Return the runs, at most `limit`; raises `UserError` for an unknown batch."""
        if self._is_newest_first:
            return await self._newest(engine, limit)
        return (await self._sorted(engine))[:limit]

    async def page(
        self, engine: RunListPort, limit: int, cursor: str | None
    ) -> tuple[list[Run], str | None]:
        """Return the runs of a page, and the cursor of the next one, if there is one."""
        begin = _read_cursor(cursor) if cursor else None
        if self._is_newest_first:
            runs = await self._newest(engine, limit + 1, begin.run if begin else None)
            page, newest, upto = runs[:limit], "", 0
        else:
            runs, upto = await self._sorted(engine), begin.skipped if begin else 0
            newest = begin.run if begin else max((run.id for run in runs), default="")
            runs = [run for run in runs if run.id <= newest][upto:]
            page = runs[:limit]
        if len(runs) <= limit:
            return page, None
        following = PageCursor(newest, upto + limit) if newest else PageCursor(page[-1].id)
        return page, _write_cursor(following)

    async def _newest(
        self, engine: RunListPort, limit: int | None, older_than: str | None = None
    ) -> list[Run]:
        """Return the newest runs; no more are read than are needed for that."""
        wanted, matches = await self._resolved(engine), compile_filter(self.text)
        found: list[Run] = []
        step = limit or -1
        while True:
            runs = await engine.runs(**wanted, older_than=older_than, limit=step)
            found += [run for run in runs if self._is_in_time(run) and matches(run)]
            if step < 0 or len(runs) < step or len(found) >= (limit or 0):
                return found[:limit]
            older_than, step = runs[-1].id, max(2 * step, SMALLEST_READ)

    async def _sorted(self, engine: RunListPort) -> list[Run]:
        """Return all runs, in their order; those whose agent asks come first of needs-you."""
        wanted, matches = await self._resolved(engine), compile_filter(self.text)
        runs = await engine.runs(**wanted)
        runs = [run for run in runs if self._is_in_time(run) and matches(run)]
        statuses = self.wanted["statuses"]
        if NEEDS_YOU in statuses:
            runs = [run for run in runs if needs_you(run) or run.status in statuses]
        order = RunOrder(self.sort)
        if order is not RunOrder.NEWEST:
            runs.sort(key=_key(engine, order), reverse=order not in _ASCENDING)
        if NEEDS_YOU in statuses:
            runs.sort(key=lambda run: not is_asking(run))
        return runs

    async def _resolved(self, engine: RunListPort) -> dict[str, Any]:
        """Return the filters of the store; raises `UserError` for an unknown batch."""
        wanted = dict(self.wanted)
        if wanted["batch"]:
            wanted["batch"] = (await engine.swarms.find(wanted["batch"])).id
        if NEEDS_YOU in wanted["statuses"]:
            wanted["statuses"] = ()
        return wanted

    def _is_in_time(self, run: Run) -> bool:
        return run.created_at >= (self.since or 0.0)


def _write_cursor(cursor: PageCursor) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def _read_cursor(text: str) -> PageCursor:
    try:
        content = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        return json_decoder(PageCursor)(content)
    except (ValueError, binascii.Error, msgspec.MsgspecError, RecursionError):
        raise _invalid_cursor() from None


def _invalid_cursor() -> UserError:
    return user_error(
        "INPUT_INVALID", "The cursor is invalid.", "Use one of an answer, or begin without one."
    )

"""All runs of a home, read a page at a time: after a year, all at once are 400 MiB."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.domain.model import Run
    from engine.ports.run_list import RunListPort

PAGE = 500


async def all_runs(engine: RunListPort) -> AsyncGenerator[Run]:
    """Yield all runs, newest first."""
    older_than: str | None = None
    while page := await engine.runs(older_than=older_than, limit=PAGE):
        for run in page:
            yield run
        older_than = page[-1].id

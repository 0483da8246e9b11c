"""The history of all runs searched: its index kept up in idle moments, and before each answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from engine.domain.errors import UserError
from engine.domain.search import SearchResult, words
from engine.store.store import Store

EVERY_S = 1.0
SHARE_S = 0.2
"""Part of that time that the index may take while nothing much happens."""
BUSY = 300
"""Events a look from which on others have the database to themselves."""
PATIENCE_S = 3.0
MOST = 1000
_log = logging.getLogger(__name__)


class HistorySearch:
    """Search for words in prompts, messages, commands and outputs of all runs."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._news = asyncio.Event()
        self._news.set()

    def notify(self) -> None:
        """React to something that was stored."""
        self._news.set()

    async def find(
        self,
        text: str,
        *,
        project: str | None = None,
        statuses: Sequence[str] = (),
        limit: int = 50,
        as_typed: bool = False,
        patience_s: float = PATIENCE_S,
    ) -> SearchResult:
        """Return the latest places where all the words are; `as_typed`: the last one may go on.

        Before that the index is brought up to date, for `patience_s` at most. Raises `UserError`.
        """
        wanted, limit = words(text, as_typed=as_typed), min(limit, MOST)
        behind = await self._catch_up(patience_s)
        found = await self._store.search(
            wanted, project=project, statuses=statuses, limit=limit + 1
        )
        return SearchResult(tuple(found[:limit]), len(found) > limit, behind)

    async def keep_up(self) -> None:
        """Move the index on whenever little is happening, until cancelled."""
        seen = 0
        while True:
            await self._news.wait()
            await asyncio.sleep(EVERY_S)
            self._news.clear()
            try:
                newest = await self._store.last_id()
                is_busy = newest - seen >= BUSY
                if is_busy or await self._catch_up(SHARE_S):
                    self._news.set()
                seen = newest
            except UserError as error:
                self._news.set()
                _log.warning("the index of the history waits: %s", error.message)

    async def _catch_up(self, patience_s: float) -> int:
        """Index for at most `patience_s` seconds; return the number of events left."""
        deadline = time.monotonic() + patience_s
        while (behind := await self._store.search_behind()) and time.monotonic() < deadline:
            try:
                await self._store.index()
            except UserError as error:
                _log.warning("the index of the history waits: %s", error.message)
                break  # what is in it already can be searched all the same
            await asyncio.sleep(0)  # others write in between
        return behind

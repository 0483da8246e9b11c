"""Streams that clients have open: few enough, and ended when their token is revoked."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.domain.errors import UserError, user_error

if TYPE_CHECKING:
    from engine.domain.api_token import ApiToken
    from engine.execution.task_tree import SupervisedTask
    from tui.cli.api.context import ApiContext

CHECK_S = 2.0
"""Seconds between two checks for revoked tokens, while any stream is open."""
GRACE_S = 0.5
"""Seconds that streams have to end by themselves when the server stops."""
_log = logging.getLogger(__name__)


class OpenStreams:
    """The answers that are being sent as streams, by their task, with the token of the client."""

    def __init__(self, context: ApiContext, most: int, most_per_token: int) -> None:
        self._context = context
        self._most = most
        self._most_per_token = most_per_token
        self._tokens: dict[asyncio.Task[object], str] = {}
        self._ended: set[asyncio.Task[object]] = set()
        self._watching: SupervisedTask | None = None

    def add(self, token: ApiToken, task: asyncio.Task[object]) -> None:
        """Count a stream; raises `UserError` API_LIMIT_REACHED where it would be one too many."""
        counts = Counter(self._tokens.values())
        if counts[token.id] >= self._most_per_token:
            count = f"{self._most_per_token} streams"
            raise user_error("API_LIMIT_REACHED", f"This token has {count} open.")
        if counts.total() >= self._most:
            raise user_error("API_LIMIT_REACHED", f"{self._most} streams are open.")
        self._tokens[task] = token.id
        if self._watching is None or self._watching.is_done:
            self._watching = self._context.engine.tasks.start("streams", self._watch)

    def remove(self, task: asyncio.Task[object] | None) -> None:
        """Count a task no longer, whether it was a stream or not."""
        if task:
            self._tokens.pop(task, None)
            self._ended.discard(task)

    def is_ended(self, task: asyncio.Task[object] | None) -> bool:
        """Return whether a task was cancelled here: its token was revoked, or the server stops."""
        return task in self._ended

    async def _watch(self) -> None:
        """End the streams of revoked tokens, and all when the server stops, while any is open."""
        while self._tokens:
            if await self._stops_within(CHECK_S):
                await asyncio.sleep(GRACE_S)  # most streams end by themselves
                self._end(list(self._tokens))
                return
            try:
                valid = {token.id for token in await self._context.engine.api_tokens.all()}
            except UserError as error:  # what was valid stays so until the database can be read
                _log.warning("tokens cannot be read: %s", error.message)
                continue
            self._end([task for task, id in self._tokens.items() if id not in valid])

    async def _stops_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._context.stopping.wait()
        except TimeoutError:
            return False

    def _end(self, tasks: Sequence[asyncio.Task[object]]) -> None:
        for task in tasks:
            self._ended.add(task)
            task.cancel()

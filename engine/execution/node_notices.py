"""Notices to runs whose node stops answering, and answers again: one each, not one a second."""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.domain.events import Notice
from engine.domain.hosts import host_of
from engine.domain.model import Run
from engine.domain.node import NodeCondition
from engine.domain.projection import View
from engine.domain.reasons import Subject
from engine.domain.text import printable_name
from engine.execution.follower import Commit
from engine.store.appending import AppendRequest

SILENT_S = 3.0
"""A shorter silence is not worth a notice."""
SILENT = "the node {} does not answer: the run is waited for until it does, or is lost"
ANSWERS = "the node {} answers again"


class NodeNotices:
    """Notices about the nodes of active runs; `condition` returns that of a node as last seen."""

    def __init__(
        self,
        view: View,
        commit: Commit,
        is_node: Callable[[str], bool],
        condition: Callable[[str], NodeCondition],
    ) -> None:
        self._view = view
        self._commit = commit
        self._is_node = is_node
        self._condition = condition
        self._silent_since: dict[str, float] = {}
        """The nodes that do not answer."""

    async def update(self) -> None:
        """Append what is new about the nodes of active runs."""
        now, active = time.monotonic(), self._view.active()
        entries = [
            AppendRequest(run.id, [notice])
            for run in active
            if self._is_node(host_of(run)) and (notice := self._notice(run, now))
        ]
        if entries:
            await self._commit(entries)

    def _notice(self, run: Run, now: float) -> Notice | None:
        node = host_of(run)
        if self._condition(node) is NodeCondition.READY:
            self._silent_since.pop(node, None)
            if run.away_since is None:
                return None
            words = ANSWERS.format(printable_name(node))
            return Notice("info", words, subject=Subject.NODE_BACK)
        since = self._silent_since.setdefault(node, now)
        if run.away_since is not None or now < since + SILENT_S:
            return None
        words = SILENT.format(printable_name(node))
        return Notice("warning", words, subject=Subject.NODE_AWAY)

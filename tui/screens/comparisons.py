"""Comparisons of runs' changes, the next run's before it is asked for; bounded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.domain.errors import UserError
from tui.models.code.document import CodeDocument, read_diff
from tui.screens.review_comments import first_checkpoint

if TYPE_CHECKING:
    from engine.engine import Comparison, FileDelta
    from tui.screens.changes import ChangesScreen

KEPT = 4
"""Runs whose comparisons are kept: the present one, and those a key away."""


@dataclass(slots=True)
class ReadyComparison:
    """A comparison of a run with its first state, and the diff of its first file."""

    comparison: Comparison
    documents: dict[str, CodeDocument] = field(default_factory=dict[str, CodeDocument])


class Comparisons:
    """The latest comparisons of a screen; a change of a run makes its own invalid."""

    def __init__(self, screen: ChangesScreen) -> None:
        self._screen = screen
        self._ready: dict[str, ReadyComparison] = {}

    def ready(self, run_id: str) -> ReadyComparison | None:
        """Return the comparison of a run with its first state, where it is known."""
        return self._ready.get(run_id)

    def document(self, comparison: Comparison, file: FileDelta) -> CodeDocument | None:
        """Return the diff of a file that was read before it was asked for."""
        for ready in self._ready.values():
            if ready.comparison is comparison:
                return ready.documents.get(file.path)
        return None

    def clear(self) -> None:
        """Forget all comparisons."""
        self._ready.clear()

    def keep(self, run_id: str, comparison: Comparison) -> ReadyComparison:
        """Keep a comparison, and forget the oldest."""
        self._ready.pop(run_id, None)
        ready = self._ready[run_id] = ReadyComparison(comparison)
        while len(self._ready) > KEPT:
            del self._ready[next(iter(self._ready))]
        return ready

    def forget(self, run_id: str) -> None:
        """Forget the comparison of a run that has changed."""
        self._ready.pop(run_id, None)

    def preload(self, run_id: str) -> None:
        """Compare a run in the background, one at a time."""
        is_usual = not first_checkpoint(self._screen.engine.view.runs.get(run_id))
        if is_usual and run_id not in self._ready:
            self._screen.run_worker(self._preload(run_id), group="preload", exclusive=True)

    async def _preload(self, run_id: str) -> None:
        workspaces = self._screen.engine.workspaces
        try:
            comparison = await workspaces.compare(run_id)
            ready = self.keep(run_id, comparison)
            for file in comparison.changes.files[:1]:
                if not file.binary:
                    out = await comparison.diff(file)
                    ready.documents[file.path] = await asyncio.to_thread(read_diff, out)
        except UserError:
            return  # the error is shown when the run is

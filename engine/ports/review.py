"""Protocols of the services with which the user reviews runs that have ended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from engine.domain.model import Run


class AnnotationsPort(Protocol):
    """Annotations of runs: with several runs, all are changed or none is; all raise `UserError`."""

    async def dismiss(self, runs: Iterable[str], is_dismissed: bool = True) -> list[Run]:
        """Put finished runs aside: they need no attention until they are started again."""
        ...

    async def archive(self, runs: Iterable[str], is_archived: bool = True) -> list[Run]:
        """Leave finished runs out of the lists until they are started again."""
        ...

    async def tag(
        self, runs: Iterable[str], added: Iterable[str] = (), removed: Iterable[str] = ()
    ) -> list[Run]:
        """Add tags to runs, and remove others."""
        ...

    async def note(self, run: str, text: str) -> Run:
        """Replace the note of a run; an empty text removes it."""
        ...

"""Protocol of the pace of the queue: accounts that may start no run at the moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from engine.domain.model import Pause, Run


class QueuePacePort(Protocol):
    """Holds of the queue, to keep a reserve or to spread starts."""

    def holds(self, now: float) -> Mapping[str, Pause]:
        """Return the hold of each account that may start no run at `now`."""
        ...

    def hold_of(self, run: Run, now: float) -> Pause | None:
        """Return the hold of a queued run at `now`; None where it may start."""
        ...

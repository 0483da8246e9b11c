"""Protocol of the pace of the queue: accounts that may start no run at the moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from engine.ports.run_list import HoldsPort

if TYPE_CHECKING:
    from engine.domain.model import Pause, Run


class QueuePacePort(HoldsPort, Protocol):
    """Holds of the queue, to keep a reserve or to spread starts."""

    def hold_of(self, run: Run, now: float) -> Pause | None:
        """Return the hold of a queued run at `now`; None where it may start."""
        ...

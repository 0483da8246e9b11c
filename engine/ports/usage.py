"""Protocol of usage and limits: reports of the ledger, cycles of the limits, estimates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from engine.domain.model import Run, RunSpec
    from engine.domain.usage import LimitCycle, SpendEstimate, UsageQuery, UsageReport, UsageRow


class CostsPort(Protocol):
    """Estimated costs of runs, at list prices or the user's own."""

    async def load(self) -> None:
        """Load the prices in a thread."""
        ...

    def of_run(self, run: Run) -> float | None:
        """Estimate the cost of a run in USD so far; the first price of all takes its time.

        None where it has used nothing, no price of its models is known, or its agent is simulated.
        """
        ...

    def known(self, run: Run) -> float | None:
        """Return the cost of a run without a wait: None until `load` is done."""
        ...


class UsagePort(Protocol):
    """Usage of all runs and other sessions; every method raises `UserError`."""

    async def catch_up(self, limit_s: float) -> None:
        """Read the other sessions that are new, for so long at most."""
        ...

    async def report(self, query: UsageQuery) -> UsageReport:
        """Sum up the usage that a question asks for."""
        ...

    async def points(self, query: UsageQuery, step_s: float) -> tuple[UsageRow, ...]:
        """Return the usage of each step of time in the range of a question, oldest first.

        Steps without usage are rows, too. Where the steps would be too many, they are longer.
        """
        ...

    async def limits(self) -> tuple[LimitCycle, ...]:
        """Return the rate-limit windows with their forecast, without their usage: quickly."""
        ...

    async def cycles(self) -> tuple[LimitCycle, ...]:
        """Return the rate-limit windows of every account since their last reset."""
        ...

    async def estimate(self, specs: Sequence[RunSpec]) -> SpendEstimate | None:
        """Estimate what new runs will use; None where no similar run has ended."""
        ...

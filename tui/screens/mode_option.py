"""The mode of a run's next attempt, as a choice in a dialog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.domain.interaction import ApprovalPolicy, ModeChange
from engine.domain.model import Run
from engine.domain.run_mode import UNCHANGED

CHANGES = (
    UNCHANGED,
    ModeChange(interactive=False),
    ModeChange(interactive=True, approvals=ApprovalPolicy.ON_REQUEST),
    ModeChange(interactive=True, approvals=ApprovalPolicy.UNTRUSTED),
)


@dataclass(slots=True)
class ModeOption:
    """A choice among `CHANGES`; `now` is the present mode in words."""

    now: str = ""
    chosen: int = 0

    @property
    def change(self) -> ModeChange:
        """Return the chosen change."""
        return CHANGES[self.chosen]

    @property
    def words(self) -> Sequence[str]:
        """Return the words of the choices, in their order."""
        now = f"as before ({self.now})" if self.now else "as before"
        return (now, "exec", "asks on request", "asks if untrusted")


def mode_option(runs: Sequence[Run]) -> ModeOption:
    """Return the choice for the next attempts of runs; the present mode is chosen."""
    modes = {"asks" if run.is_interactive else "exec" for run in runs}
    return ModeOption(modes.pop() if len(modes) == 1 else "")

"""Applies of several runs: one that does not fit keeps no other from being applied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from engine.domain.apply_outcome import ApplyOutcome
from engine.domain.errors import UserError
from engine.workspaces.apply.apply import ApplyConflict, ApplyMode, ApplyResult
from engine.workspaces.apply.progress import Looked, unseen
from engine.workspaces.apply.three_way import Conflict

if TYPE_CHECKING:
    from engine.ports.workspaces import WorkspacesPort


@dataclass(frozen=True, slots=True)
class RunApplied:
    """The result of one run's apply; `error` is why it did not fit or was skipped."""

    run: str
    outcome: ApplyOutcome
    result: ApplyResult = ApplyResult()  # noqa: RUF009  it never changes
    error: UserError | None = None

    @property
    def clashes(self) -> tuple[Conflict, ...]:
        """The files that conflict."""
        return self.error.clashes if isinstance(self.error, ApplyConflict) else self.result.clashes


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """Options of an apply, the same for all runs."""

    how: ApplyMode = ApplyMode.EDITS
    to: str | None = None
    message: str = ""
    check: bool = False
    patch: BinaryIO | None = None
    looked: Looked = unseen


async def apply_run(
    workspaces: WorkspacesPort,
    run: str,
    options: ApplyOptions = ApplyOptions(),
) -> RunApplied:
    """Apply the changes of a run, or check them, and return the outcome instead of raising it.

    Where its task is cancelled, nothing is changed; if it was too late for that, it returns as
    usual.

    Each run is checked again against what is in the source now, with the runs before it.
    """
    check = options.check
    try:
        done = await workspaces.apply(
            run,
            options.how,
            to=options.to,
            message=options.message,
            check=check,
            patch=options.patch,
            looked=options.looked,
        )
    except ApplyConflict as error:
        return RunApplied(run, ApplyOutcome.CONFLICT, error=error)
    except UserError as error:
        return RunApplied(run, ApplyOutcome.SKIPPED, error=error)
    if not done.fits:
        return RunApplied(run, ApplyOutcome.CONFLICT, done)
    return RunApplied(run, ApplyOutcome.FITS if check else ApplyOutcome.APPLIED, done)

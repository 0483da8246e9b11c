"""Outcomes of the apply of a run's changes."""

from __future__ import annotations

from enum import StrEnum


class ApplyOutcome(StrEnum):
    """The outcome of the apply of one run, or of its check."""

    APPLIED = "applied"
    FITS = "fits"
    CONFLICT = "conflict"
    SKIPPED = "skipped"

    @property
    def is_good(self) -> bool:
        """Return whether nothing stood against it."""
        return self in (ApplyOutcome.APPLIED, ApplyOutcome.FITS)

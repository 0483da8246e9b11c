"""Formatting of a batch before it starts: its runs, and what they will take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from engine.domain.text import size as bytes_text
from tui.formatting.estimates import estimate_words
from tui.terminal.cells import clean, crop

if TYPE_CHECKING:
    from engine.domain.usage import SpendEstimate
    from engine.engine import BatchPlan, Consent

NAMED = 4
"""Runs that are named of those that would start."""


def plan_content(
    plan: BatchPlan,
    size: int | None,
    free: int,
    consents: Sequence[Consent] = (),
    estimate: SpendEstimate | None = None,
) -> Content:
    """Return the number of runs that would start, the first ones, and their requirements."""
    titles = [each.spec.title for each in plan.planned]
    count = f"{len(titles)} run{'' if len(titles) == 1 else 's'}"
    disk = "of unknown size" if size is None else f"up to {bytes_text(size)} on disk"
    named = NAMED - 2 if estimate else NAMED  # it may take two lines
    lines = [crop(clean(title, 200), 90) for title in titles[:named]]
    more = f"\n  and {len(titles) - named} more" if len(titles) > named else ""
    listed = "".join(f"\n  {line}" for line in lines) + more
    takes = f"\n{estimate_words(estimate)}" if estimate else ""
    where = f" · {disk}, {bytes_text(free)} are free" if size != 0 else ""
    asked = [crop(clean(line, 200), 70) for each in consents for line in each.lines()[:1]]
    asks = f"\n  asks first: it {asked[0]}" if asked else ""
    return Content.assemble(
        (count, "bold"), where, takes, (asks, "$warning"), (listed, "$secondary")
    )

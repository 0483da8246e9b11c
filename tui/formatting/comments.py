"""Comments on changes in words."""

from __future__ import annotations

from collections.abc import Iterable

from engine.domain import comments
from engine.domain.model import Run
from tui.formatting.questions import counted


def sent_words(count: int) -> str:
    """Return the confirmation that comments were sent."""
    return f"{counted(count, 'comment')} sent"


def option_label(runs: Iterable[Run]) -> str:
    """Return the label of the option to send open comments along; empty where there are none."""
    counts = [count for run in runs if (count := len(comments.open_comments(run)))]
    if not counts:
        return ""
    of_runs = f" on {len(counts)} runs" if len(counts) > 1 else ""
    are = "is" if sum(counts) == 1 else "are"
    return f"{counted(sum(counts), 'open comment')}{of_runs} {are} sent, too"

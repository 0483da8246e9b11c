"""The lines of the new-run form: what each asks for, and what a text in it means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.domain.text import one_line
from tui import readings

TITLE_LIMIT = 120


@dataclass(frozen=True, slots=True)
class Field:
    """A line to type: what is asked for, the run's field that it sets, and how it is read.

    `read` raises ValueError, saying what is needed.
    """

    id: str
    """Also its flag on the command line."""
    label: str
    hint: str
    sets: str
    read: Callable[[str, float], object]
    lasts: bool = False
    """Whether it is kept for the next run: what is about one task is not."""

    @property
    def flag(self) -> str:
        """Its flag on the command line."""
        return f"--{self.id}"


def _title(text: str) -> str:
    if len(text) > TITLE_LIMIT:
        raise ValueError(f"it is {len(text) - TITLE_LIMIT} characters too long")
    return one_line(text, TITLE_LIMIT)


def _words(text: str) -> str:
    return text.strip()


BASE = "base"
"""The field of the workspace's base: the only one that is not a run's own."""
FIELDS: tuple[Field, ...] = (
    Field("title", "Title", "from the prompt's first line", "title", lambda t, _: _title(t)),
    Field("project", "Project", "the folder's name", "project", lambda t, _: _words(t)),
    Field(
        "verify",
        "Check",
        "none · a command that decides: make test",
        "verify",
        lambda t, _: _words(t),
    ),
    Field(
        "retries",
        "Retries",
        "0 · where the cause can pass, or the check failed",
        "retries",
        lambda text, _: readings.retries(text),
    ),
    Field(
        "timeout",
        "Time limit",
        "none · 90s, 30m, 2h",
        "timeout_s",
        lambda text, _: readings.duration(text),
    ),
    Field(
        "budget",
        "Budget",
        "none · 200k, 1.5M tokens",
        "budget_tokens",
        lambda text, _: readings.tokens(text),
    ),
    Field("model", "Model", "Codex's own choice", "model", lambda t, _: _words(t), lasts=True),
    Field("learn-from", "Learn from", "none · a run or a pattern", "learn_from", lambda t, _: t),
    Field(BASE, "Base", "HEAD · a branch, tag or commit, or pr/123", BASE, lambda t, _: _words(t)),
    Field("at", "Start at", "now · 22:30, +30m", "not_before", readings.moment),
)

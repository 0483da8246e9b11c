"""Glyphs, tones and words of a run and its status."""

from __future__ import annotations

import re

from engine.domain.activity import is_quiet
from engine.domain.attention import conflicts_left, is_asking, to_review
from engine.domain.lifecycle import is_stalled
from engine.domain.model import Agent, Run, Stage, Status
from engine.domain.record import record
from engine.domain.spend import factor_words
from tui.formatting.symbols import sign
from tui.terminal.cells import cells, clean, fit

_COPY = re.compile(r" #\d{1,4}$")
"""The number of a copy at the end of a title."""

CONFLICTS = 3
"""Files with conflict markers that are named."""
DEEPEST = 4
"""The depth up to which lists indent a run."""
TONES: dict[str, str] = {
    "plain": "$foreground",
    "dim": "$secondary",
    "good": "$success",
    "bad": "$error",
    "warn": "$warning",
    "live": "$primary",
    "busy": "$accent",
}
"""Each tone's name, and the theme variable that colours it."""


@record
class _Look:
    glyph: str
    ascii: str
    tone: str


_STATUS: dict[Status, _Look] = {
    Status.QUEUED: _Look("○", "o", "dim"),
    Status.PREPARING: _Look("◔", "~", "busy"),
    Status.RUNNING: _Look("●", ">", "live"),
    Status.VERIFYING: _Look("◕", "?", "busy"),
    Status.CANCELLING: _Look("◌", "-", "warn"),
    Status.SUCCEEDED: _Look("✓", "+", "good"),
    Status.FAILED: _Look("✗", "x", "bad"),
    Status.CANCELLED: _Look("⊘", "/", "dim"),
    Status.INTERRUPTED: _Look("↯", "i", "warn"),
}
_NEEDS_YOU = _Look("!", "!", "warn")

_UNKNOWN = _Look("?", "?", "dim")
"""A status of a newer version."""

GLYPHS: dict[Status, str] = {status: look.glyph for status, look in _STATUS.items()}
"""The glyph of each status on terminals with Unicode; `glyph` returns the one to use."""


def glyph(status: Status) -> str:
    """Return the one-cell sign of a status."""
    look = _STATUS.get(status, _UNKNOWN)
    return sign(look.glyph, look.ascii)


def word(status: Status) -> str:
    """Return a status as the contract writes it."""
    return clean(status.value, 60)


def tone(status: Status) -> str:
    """Return the name of a status's tone, a key of `TONES`."""
    return _STATUS.get(status, _UNKNOWN).tone


def _is_marked(run: Run) -> bool:
    """Return whether a run needs you although its status looks good."""
    left = run.status is Status.SUCCEEDED and bool(conflicts_left(run))
    return left or is_stalled(run) or is_asking(run)


def run_tone(run: Run) -> str:
    """Return the name of a run's tone: its status's, or a warning where the run needs you."""
    return "warn" if _is_marked(run) else tone(run.status)


def run_glyph(run: Run) -> str:
    """Return the one-cell sign of a run: its status's, or another where the run needs you."""
    return sign(_NEEDS_YOU.glyph, _NEEDS_YOU.ascii) if _is_marked(run) else glyph(run.status)


def run_word(run: Run) -> str:
    """Return the word for a run: its status, or why it needs you."""
    if is_asking(run):
        return "needs you"
    if run.status is Status.SUCCEEDED and conflicts_left(run):
        return "conflicts"
    return "stalled" if is_stalled(run) else word(run.status)


def left_conflicts(run: Run) -> str:
    """Return the files that an agent left with conflict markers, as one line."""
    names = conflicts_left(run)
    named = ", ".join(clean(name, 100) for name in names[:CONFLICTS])
    more = f" and {len(names) - CONFLICTS} more" if len(names) > CONFLICTS else ""
    return f"conflicts left: {named}{more}" if names else ""


def branch(depth: int) -> str:
    """Return what stands before the title of a run that is shown below its parent."""
    if not depth:
        return ""
    return "  " * (min(depth, DEEPEST) - 1) + sign("└ ", "- ")


def flag(run: Run) -> tuple[str, str] | None:
    """Return the sign at the end of a run's row, with its tone; an overlap comes first.

    `±` waits for a review, as in the counters of the top bar.
    """
    if run.overlaps:
        return sign("⇄", "="), "warn"
    if run.is_applied:
        return sign("⇡", "^"), "good"
    return (sign("±", "%"), "good") if to_review(run) else None


def decision(run: Run) -> tuple[str, str] | None:
    """Return the user's decision about a run's changes in words, with its tone; None without."""
    if run.is_applied:
        return f"{sign('⇡', '^')} applied", "good"
    if run.in_trash:
        return "in the trash", "dim"
    if run.is_dismissed:
        return "dismissed", "dim"
    return ("archived", "dim") if run.is_archived else None


def trouble(run: Run, now: float) -> tuple[str, str] | None:
    """Return the sign and the word for a run at work that is stalled or quiet; else None."""
    if is_stalled(run):
        return run_glyph(run), "stalled"
    return (sign("◌", "!"), "quiet") if is_quiet(run, now) else None


def style(status: Status) -> str:
    """Return a status's colour as the theme variable that `Content` styles take."""
    return TONES[tone(status)]


def label(run: Run) -> str:
    """Return the label beside the run's title: `simulated`, or an empty text."""
    return "simulated" if run.spec.agent is Agent.SIMULATED else ""


def tag(run: Run) -> str:
    """Return the label in short, where there is little room: `sim`, or an empty text."""
    return "sim" if run.spec.agent is Agent.SIMULATED else ""


def note_mark() -> str:
    """Return the one-cell mark of a run that has a note."""
    return sign("¶", ";")


def spend_mark(run: Run) -> str:
    """Return the mark of an expensive run, how many times the usual it uses: `8×`."""
    return factor_words(run.spend_flag.factor) if run.spend_flag else ""


def tags_in(run: Run, room: int) -> str:
    """Return as many of the run's tags as have room, each after a space; `…` for the others."""
    shown = ""
    for place, one in enumerate(run.tags):
        rest = cells(f" {sign('…', '~')}") if place < len(run.tags) - 1 else 0
        word = f" #{one}"
        if cells(shown) + cells(word) + rest > room:
            more = f" {sign('…', '~')}"
            return f"{shown}{more}" if cells(shown) + cells(more) <= room else shown
        shown += word
    return shown


def title(run: Run) -> str:
    """Return a run's title, or its id where it has none, as one harmless line."""
    return clean(run.spec.title, 300).strip() or run.id


def fit_title(text: str, width: int, mark: str = "…") -> str:
    """Cut or pad a title to `width` cells; the number of a copy at its end, ` #2`, stays.

    The copies of a task have the same title but for the number.
    """
    number = _COPY.search(text)
    if number is None or cells(text) <= width or width <= 2 * len(number[0]):
        return fit(text, width, mark=mark)
    return fit(text[: number.start()], width - len(number[0]), mark=mark) + number[0]


def figure(run: Run) -> int | None:
    """Return the percentage to show, or None while no honest figure is known."""
    if run.status is Status.RUNNING and run.stage is Stage.EXECUTING and not run.plan:
        return None
    return run.percent

"""Glyphs, tones and words of a run and its status."""

from __future__ import annotations

from engine.domain.activity import is_quiet
from engine.domain.attention import is_asking
from engine.domain.lifecycle import is_stalled
from engine.domain.model import Agent, Run, Stage, Status
from engine.domain.record import record
from tui.formatting.symbols import sign
from tui.terminal.cells import clean

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


def run_tone(run: Run) -> str:
    """Return the name of a run's tone: its status's, or a warning where a live run needs you."""
    return "warn" if is_stalled(run) or is_asking(run) else tone(run.status)


def run_glyph(run: Run) -> str:
    """Return the one-cell sign of a run: its status's, or another where a live run needs you."""
    needs_user = is_stalled(run) or is_asking(run)
    return sign(_NEEDS_YOU.glyph, _NEEDS_YOU.ascii) if needs_user else glyph(run.status)


def run_word(run: Run) -> str:
    """Return the word for a run: its status, or why a live run needs you."""
    if is_asking(run):
        return "needs you"
    return "stalled" if is_stalled(run) else word(run.status)


def flag(run: Run) -> tuple[str, str] | None:
    """Return the sign at the end of a run's row, with its tone; an overlap comes first."""
    if run.overlaps:
        return sign("⇄", "="), "warn"
    return (sign("⇡", "^"), "good") if run.is_applied else None


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


def title(run: Run) -> str:
    """Return a run's title, or its id where it has none, as one harmless line."""
    return clean(run.spec.title, 300).strip() or run.id


def figure(run: Run) -> int | None:
    """Return the percentage to show, or None while no honest figure is known."""
    if run.status is Status.RUNNING and run.stage is Stage.EXECUTING and not run.plan:
        return None
    return run.percent

"""How a run and its status look."""

from __future__ import annotations

from engine.domain.activity import is_quiet
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
    Status.INTERRUPTED: _Look("↯", "!", "warn"),
}

_UNKNOWN = _Look("?", "?", "dim")
"""A status of a newer version."""

GLYPHS: dict[Status, str] = {status: look.glyph for status, look in _STATUS.items()}
"""The glyph of each status where the terminal can do Unicode; `glyph` knows what to use instead."""


def glyph(status: Status) -> str:
    """Give the one-cell sign of a status."""
    look = _STATUS.get(status, _UNKNOWN)
    return sign(look.glyph, look.ascii)


def word(status: Status) -> str:
    """Give a status in words, the contract's own."""
    return clean(status.value, 60)


def tone(status: Status) -> str:
    """Give the name of a status's tone, a key of `TONES`."""
    return _STATUS.get(status, _UNKNOWN).tone


def run_tone(run: Run) -> str:
    """Give the name of a run's tone: its status's, or a warning where it is stalled."""
    return "warn" if is_stalled(run) else tone(run.status)


def flag(run: Run) -> tuple[str, str, str] | None:
    """Give the sign, the word and the tone of what is worth a flag, or None.

    What overlaps with another run comes first: it is what somebody has to look at.
    """
    if run.overlaps:
        return sign("⇄", "="), "overlaps", "warn"
    return (sign("⇡", "^"), "applied", "good") if run.is_applied else None


def trouble(run: Run, now: float) -> tuple[str, str] | None:
    """Give the sign and the word for a run at work that gives no sign of it, if this is one."""
    if is_stalled(run):
        return sign("⚠", "!"), "stalled"
    return (sign("◌", "!"), "quiet") if is_quiet(run, now) else None


def style(status: Status) -> str:
    """Give a status's colour as the theme variable that `Content` styles take."""
    return TONES[tone(status)]


def label(run: Run) -> str:
    """Give what has to stand beside the run's title: `simulated`, or nothing."""
    return "simulated" if run.spec.agent is Agent.SIMULATED else ""


def tag(run: Run) -> str:
    """Give the label in short, where there is little room: `sim`, or nothing."""
    return "sim" if run.spec.agent is Agent.SIMULATED else ""


def title(run: Run) -> str:
    """Give a run's title, or its id where it has none, as one harmless line."""
    return clean(run.spec.title, 300).strip() or run.id


def figure(run: Run) -> int | None:
    """Give the percentage to show, or None while there is work without an honest figure."""
    if run.status is Status.RUNNING and run.stage is Stage.EXECUTING and not run.plan:
        return None
    return run.percent

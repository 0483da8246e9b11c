"""Glyphs and styles of the kinds of attention, for the counters of the top bar."""

from __future__ import annotations

from collections.abc import Mapping

from engine.domain.attention import Attention
from engine.domain.model import Status
from tui.formatting.runs import glyph
from tui.formatting.symbols import sign

COUNTED = (
    Attention.RUNNING,
    Attention.QUEUED,
    Attention.NEEDS_YOU,
    Attention.TO_REVIEW,
    Attention.DONE,
)
"""The kinds in the order in which they are counted on the screen."""

_STYLES: Mapping[Attention, str] = {
    Attention.RUNNING: "$primary",
    Attention.QUEUED: "$secondary",
    Attention.NEEDS_YOU: "$error",
    Attention.TO_REVIEW: "$success",
    Attention.DONE: "$secondary",
}
_STATUSES = {
    Attention.RUNNING: Status.RUNNING,
    Attention.QUEUED: Status.QUEUED,
    Attention.DONE: Status.SUCCEEDED,
}


def attention_glyph(kind: Attention) -> str:
    """Return the one-cell sign of a kind of attention."""
    if kind in _STATUSES:
        return glyph(_STATUSES[kind])
    return "!" if kind is Attention.NEEDS_YOU else sign("±", "%")


def attention_style(kind: Attention) -> str:
    """Return the style of a counter that is not zero."""
    return _STYLES[kind]

"""The legend: every glyph of the runs screen, and its meaning."""

from __future__ import annotations

from collections.abc import Sequence

from engine.domain.attention import Attention
from engine.domain.model import Status
from engine.domain.record import record
from engine.domain.spend import factor_words
from tui.formatting.attention import attention_glyph, attention_style
from tui.formatting.runs import glyph, note_mark, style
from tui.formatting.symbols import sign


@record
class GlyphRow:
    """A glyph, its style, and its meaning."""

    glyph: str
    style: str
    meaning: str


_STATUSES = {
    Status.QUEUED: "queued",
    Status.PREPARING: "preparing its workspace",
    Status.RUNNING: "running",
    Status.VERIFYING: "running its check",
    Status.CANCELLING: "stopping",
    Status.SUCCEEDED: "succeeded",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled by you",
    Status.INTERRUPTED: "interrupted: its process is gone",
}


def glyph_rows() -> Sequence[GlyphRow]:
    """Return every glyph of a row, and of the counters above the list."""
    statuses = [GlyphRow(glyph(one), style(one), text) for one, text in _STATUSES.items()]
    needs_you, review = Attention.NEEDS_YOU, Attention.TO_REVIEW
    return (
        *statuses,
        GlyphRow(
            attention_glyph(needs_you),
            attention_style(needs_you),
            "needs you: failed, stalled, or asks you",
        ),
        GlyphRow(attention_glyph(review), attention_style(review), "to review: not applied yet"),
        GlyphRow(sign("⇄", "="), "$warning", "same lines as another run (see i)"),
        GlyphRow(sign("⇡", "^"), "$success", "its changes are applied"),
        GlyphRow(sign("◆", "*"), "$warning", "marked"),
        GlyphRow(sign("▌", "|"), "$primary", "under the cursor"),
        GlyphRow("sim", "$secondary", "a simulated run, without a model"),
        GlyphRow("#2", "$warning", "its second attempt"),
        GlyphRow(factor_words(8), "$warning", "uses 8 times the tokens of others like it"),
        GlyphRow("#bug", "$secondary", "its tag"),
        GlyphRow(note_mark(), "$accent", "it has a note (see i)"),
        GlyphRow("$", "$foreground", "the command that it runs"),
        GlyphRow(sign("…", "~"), "$secondary", "older applied runs, folded"),
    )

"""How a fact looks: the only place that decides glyphs, words, tones and figures."""

from engine.domain.text import size
from tui.show.events import EventLine, change_letter, change_tone, event_line
from tui.show.figures import age, ago, bar, bar_parts, changes, time_of_day, tokens
from tui.show.limits import clock_time, limits, window_name
from tui.show.runs import (
    GLYPHS,
    TONES,
    figure,
    glyph,
    is_stalled,
    label,
    run_tone,
    style,
    tag,
    title,
    tone,
    word,
)
from tui.show.terminal import sign, unicode_ok

__all__ = [
    "GLYPHS",
    "TONES",
    "EventLine",
    "age",
    "ago",
    "bar",
    "bar_parts",
    "change_letter",
    "change_tone",
    "changes",
    "clock_time",
    "event_line",
    "figure",
    "glyph",
    "is_stalled",
    "label",
    "limits",
    "run_tone",
    "sign",
    "size",
    "style",
    "tag",
    "time_of_day",
    "title",
    "tokens",
    "tone",
    "unicode_ok",
    "window_name",
    "word",
]

"""Formatting of facts: the only place that decides glyphs, words, tones and figures."""

from engine.domain.text import size
from tui.formatting.events import EventLine, event_line, files_line, prompt_line
from tui.formatting.file_changes import change_letter, change_sign, change_tone
from tui.formatting.hits import hit_parts, hit_word
from tui.formatting.limits import clock_time, limits, window_name
from tui.formatting.numbers import (
    age,
    ago,
    bar,
    bar_parts,
    changed,
    changes,
    lasted,
    length,
    sparkline,
    time_of_day,
    tokens,
)
from tui.formatting.patterns import pattern_lines, rate
from tui.formatting.properties import applied, attempts, facts, overlap
from tui.formatting.runs import (
    GLYPHS,
    TONES,
    figure,
    flag,
    glyph,
    is_stalled,
    label,
    run_tone,
    style,
    tag,
    title,
    tone,
    trouble,
    word,
)
from tui.formatting.symbols import sign, unicode_ok

__all__ = [
    "GLYPHS",
    "TONES",
    "EventLine",
    "age",
    "ago",
    "applied",
    "attempts",
    "bar",
    "bar_parts",
    "change_letter",
    "change_sign",
    "change_tone",
    "changed",
    "changes",
    "clock_time",
    "event_line",
    "facts",
    "figure",
    "files_line",
    "flag",
    "glyph",
    "hit_parts",
    "hit_word",
    "is_stalled",
    "label",
    "lasted",
    "length",
    "limits",
    "overlap",
    "pattern_lines",
    "prompt_line",
    "rate",
    "run_tone",
    "sign",
    "size",
    "sparkline",
    "style",
    "tag",
    "time_of_day",
    "title",
    "tokens",
    "tone",
    "trouble",
    "unicode_ok",
    "window_name",
    "word",
]

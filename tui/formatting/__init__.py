"""Formatting of facts: the only place that decides glyphs, words, tones and figures."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from engine.domain.text import size
from tui.formatting.limits import WARN_PERCENT, clock_time, full_words, limits, window_name
from tui.formatting.money import cost_cell, cost_label
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
from tui.formatting.pull_request import request_cell, request_facts
from tui.formatting.runs import (
    GLYPHS,
    TONES,
    branch,
    decision,
    figure,
    fit_title,
    flag,
    glyph,
    is_stalled,
    label,
    left_conflicts,
    note_mark,
    run_glyph,
    run_tone,
    run_word,
    spend_mark,
    style,
    tag,
    tags_in,
    title,
    tone,
    trouble,
    word,
)
from tui.formatting.symbols import sign, unicode_ok

if TYPE_CHECKING:
    from tui.formatting.events import EventLine, event_line, files_line, prompt_line, said_line
    from tui.formatting.file_changes import change_letter, change_sign, change_tone
    from tui.formatting.hits import hit_parts, hit_word
    from tui.formatting.patterns import pattern_lines, rate
    from tui.formatting.properties import applied, attempts, base, facts, overlap

__all__ = [
    "GLYPHS",
    "TONES",
    "WARN_PERCENT",
    "EventLine",
    "age",
    "ago",
    "applied",
    "attempts",
    "bar",
    "bar_parts",
    "base",
    "branch",
    "change_letter",
    "change_sign",
    "change_tone",
    "changed",
    "changes",
    "clock_time",
    "cost_cell",
    "cost_label",
    "decision",
    "event_line",
    "facts",
    "figure",
    "files_line",
    "fit_title",
    "flag",
    "full_words",
    "glyph",
    "hit_parts",
    "hit_word",
    "is_stalled",
    "label",
    "lasted",
    "left_conflicts",
    "length",
    "limits",
    "note_mark",
    "overlap",
    "pattern_lines",
    "prompt_line",
    "rate",
    "request_cell",
    "request_facts",
    "run_glyph",
    "run_tone",
    "run_word",
    "said_line",
    "sign",
    "size",
    "sparkline",
    "spend_mark",
    "style",
    "tag",
    "tags_in",
    "time_of_day",
    "title",
    "tokens",
    "tone",
    "trouble",
    "unicode_ok",
    "window_name",
    "word",
]

_LATE = {
    "tui.formatting.events": ("EventLine", "event_line", "files_line", "prompt_line", "said_line"),
    "tui.formatting.file_changes": ("change_letter", "change_sign", "change_tone"),
    "tui.formatting.hits": ("hit_parts", "hit_word"),
    "tui.formatting.patterns": ("pattern_lines", "rate"),
    "tui.formatting.properties": ("applied", "attempts", "base", "facts", "overlap"),
}
"""Modules of the names that lines of logs and details need: a list of runs does not."""
_MODULE_OF = {name: module for module, names in _LATE.items() for name in names}


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever the name stands for
    """Import a name when it is used first."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULE_OF[name]), name)
    return value

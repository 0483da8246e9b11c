"""The chosen run in two lines: what it is and how it stands, then its figures."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget

from engine.domain.activity import clock, elapsed_s
from engine.domain.model import Run
from engine.domain.radar import Overlap
from tui import formatting
from tui.terminal.cells import clean

Part = tuple[str, str]
OVERLAPS = 2
"""Runs that are named beside the figures; the details name all."""

DOT: Part = (" · ", "$faint")


class RunHeader(Widget):
    """Title, status, elapsed time, attempt, tokens and changes of one run."""

    DEFAULT_CSS = """
    RunHeader { height: 2; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._drawn = Content("")

    def show(self, run: Run | None, now: float, overlaps: Sequence[Overlap] = ()) -> None:
        """Show `run` as it is at `now`; draws only what differs."""
        drawn = _lines(run, now, overlaps) if run else Content("")
        if not drawn.is_same(self._drawn):
            self._drawn = drawn
            self.refresh()

    def render(self) -> Content:
        """Draw the two lines."""
        return self._drawn


def _lines(run: Run, now: float, overlaps: Sequence[Overlap]) -> Content:
    tone = formatting.TONES[formatting.run_tone(run)]
    sign, word = formatting.run_glyph(run), formatting.word(run.status)
    if trouble := formatting.trouble(run, now):
        (sign, word), tone = trouble, "$warning"
    state = (f"{sign} {word}", f"bold {tone}")
    first: list[Part] = [state, ("  ", ""), (formatting.title(run), "bold")]
    if label := formatting.label(run):
        first.append((f"  {label}", "$secondary italic"))
    return Content.assemble(*first, "\n", *_figures(run, now, overlaps))


def _figures(run: Run, now: float, overlaps: Sequence[Overlap]) -> list[Part]:
    parts: list[Part] = [(run.id, "$secondary")]
    if overlaps:
        parts += [DOT, (_overlaps(overlaps), "$warning")]
    elif run.is_applied:
        parts += [DOT, ("applied", "$success")]
    parts += [DOT, (clean(run.spec.project, 40), "$secondary")]
    if run.started_at is not None:
        parts += [DOT, (clock(elapsed_s(run, now)), "$foreground")]
    if run.attempt > 1:
        parts += [DOT, (f"attempt {run.attempt}", "$foreground")]
    if run.usage.input or run.usage.output:
        spent = f"{formatting.tokens(run.usage.input)} in {formatting.tokens(run.usage.output)} out"
        parts += [DOT, (spent, "$secondary")]
    changed = run.changes
    if run.has_unknown_changes:
        parts += [DOT, ("changes unknown", "$warning")]
    elif changed.files:
        parts += [
            DOT,
            (f"+{changed.insertions}", "$success"),
            (f" {formatting.sign('−', '-')}{changed.deletions}", "$error"),
            (f" in {changed.files} file{'' if changed.files == 1 else 's'}", "$secondary"),
        ]
    return parts


def _overlaps(overlaps: Sequence[Overlap]) -> str:
    named = "; ".join(formatting.overlap(one) for one in overlaps[:OVERLAPS])
    more = f" and {len(overlaps) - OVERLAPS} more" if len(overlaps) > OVERLAPS else ""
    return f"{formatting.sign('⇄', '=')} overlaps with {named}{more}"

"""The chosen run in two lines: what it is and how it stands, then its figures."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from engine.domain.activity import clock, elapsed_s
from engine.domain.model import Run
from tui import show
from tui.cells import clean

Part = tuple[str, str]
DOT: Part = (" · ", "$secondary 50%")


class RunHeader(Widget):
    """Title, status, elapsed time, attempt, tokens and changes of one run."""

    DEFAULT_CSS = """
    RunHeader { height: 2; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._drawn = Content("")

    def show(self, run: Run | None, now: float) -> None:
        """Show `run` as it is at `now`; draws only what differs."""
        drawn = _lines(run, now) if run else Content("")
        if not drawn.is_same(self._drawn):
            self._drawn = drawn
            self.refresh()

    def render(self) -> Content:
        """Draw the two lines."""
        return self._drawn


def _lines(run: Run, now: float) -> Content:
    tone = show.TONES[show.run_tone(run)]
    first: list[Part] = [
        (f"{show.glyph(run.status)} {show.word(run.status)}", f"bold {tone}"),
        ("  ", ""),
        (show.title(run), "bold"),
    ]
    if trouble := show.trouble(run, now):
        first.insert(1, (f" {' '.join(trouble)}", "bold $warning"))
    if label := show.label(run):
        first.append((f"  {label}", "$secondary italic"))
    return Content.assemble(*first, "\n", *_figures(run, now))


def _figures(run: Run, now: float) -> list[Part]:
    parts: list[Part] = [(run.id, "$secondary"), DOT, (clean(run.spec.project, 40), "$secondary")]
    if run.started_at is not None:
        parts += [DOT, (clock(elapsed_s(run, now)), "$foreground")]
    if run.attempt > 1:
        parts += [DOT, (f"attempt {run.attempt}", "$foreground")]
    if run.usage.input or run.usage.output:
        spent = f"{show.tokens(run.usage.input)} in {show.tokens(run.usage.output)} out"
        parts += [DOT, (spent, "$secondary")]
    changed = run.changes
    if changed.files:
        parts += [
            DOT,
            (f"+{changed.insertions}", "$success"),
            (f" {show.sign('−', '-')}{changed.deletions}", "$error"),
            (f" in {changed.files} file{'' if changed.files == 1 else 's'}", "$secondary"),
        ]
    return parts

"""The top line: how many runs there are of each sort, and how many slots are free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from textual.content import Content
from textual.widget import Widget

from engine.domain import lifecycle
from engine.domain.model import Run, Status
from tui import show
from tui.cells import clean
from tui.selection import NEEDS_ME

NAME = "swarm"
_COUNTED = (
    ("running", Status.RUNNING),
    ("queued", Status.QUEUED),
    ("needs you", Status.FAILED),
    ("done", Status.SUCCEEDED),
)
Part = tuple[str, str]


class TopBar(Widget):
    """Counts that cost nothing for runs that did not change."""

    DEFAULT_CSS = """
    TopBar { dock: top; height: 1; padding: 0 1; text-wrap: nowrap; background: $surface; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._words: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._slots = 0
        self._paused: str | None = None

    def count(self, runs: Mapping[str, Run], ids: Iterable[str]) -> None:
        """Count the runs in `ids` anew."""
        before = dict(self._counts)
        for run_id in ids:
            if run_id in self._words:
                self._counts[self._words.pop(run_id)] -= 1
            if run_id in runs:
                self._words[run_id] = word = _word(runs[run_id].status)
                self._counts[word] += 1
        if before != self._counts:
            self.refresh()

    def tell(self, slots: int, paused: str | None = None) -> None:
        """Take in how many slots there are, and why the queue stands still, if it does."""
        if (slots, paused) != (self._slots, self._paused):
            self._slots, self._paused = slots, paused
            self.refresh()

    def render(self) -> Content:
        """Draw the line: the counts on the left, the slots on the right."""
        wide = self.size.width >= 100
        left: list[Part] = [(NAME, "bold $accent"), ("   ", "")]
        for word, status in _COUNTED:
            left += self._count(word, status)
        if self._paused is not None:
            reason = clean(self._paused, 60)
            left.append((f"queue paused{': ' + reason if reason and wide else ''}", "$warning"))
        free = max(0, self._slots - self._counts["running"])
        right: list[Part] = [
            (f"{free}", "$foreground" if free else "$warning"),
            (f" of {self._slots} slots free" if wide else f"/{self._slots} free", "$secondary"),
        ]
        gap = self.size.width - _width(left) - _width(right)
        return Content.assemble(*left, " " * max(1, gap), *right)

    def _count(self, word: str, status: Status) -> list[Part]:
        number = self._counts[word]
        if not number:
            return [(f"{show.glyph(status)} 0 {word}   ", "$secondary 60%")]
        look = show.style(status)
        return [
            (f"{show.glyph(status)} ", look),
            (f"{number}", f"bold {look}" if word == "needs you" else "bold"),
            (f" {word}   ", "$secondary"),
        ]


def _word(status: Status) -> str:
    if status in lifecycle.ACTIVE:
        return "running"
    if status in NEEDS_ME:
        return "needs you"
    return "queued" if status is Status.QUEUED else "done"


def _width(parts: list[Part]) -> int:
    return sum(Content(text).cell_length for text, _ in parts)

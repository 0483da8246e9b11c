"""The agent's plan as a checklist above the log, as much of it as there is room for."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget

from engine.domain.model import PlanItem
from tui import formatting
from tui.terminal.cells import clean

TALL = 17
"""Lines from which the plan is shown without being asked for."""

WITH_MORE = 4
"""Height from which a line shows the number of steps that are left out."""

Part = tuple[str, str]


class PlanView(Widget):
    """One line for each step; where they are too many, those around the present one."""

    DEFAULT_CSS = """
    PlanView { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._plan: Sequence[PlanItem] = ()
        self._asked: bool | None = None
        self._rows = -1
        self.display = False

    def show(self, plan: Sequence[PlanItem], height: int) -> None:
        """Show a plan in its share of `height` lines; render it again only where rows differ."""
        share = height // 2 if self._asked else height // 4 if height >= TALL else 0
        rows = 0 if self._asked is False else min(len(plan), share)
        if rows != self._rows:
            self._rows = rows
            self.display = rows > 0
            self.styles.height = max(1, rows)
            self.refresh(layout=True)
        if plan != self._plan:
            self._plan = plan
            self.refresh()

    def toggle(self) -> None:
        """Hide the plan where all of it is in sight; else use as much room as there is."""
        self._asked = not 0 < len(self._plan) <= self._rows and not (self._asked and self._rows > 0)

    def render(self) -> Content:
        """Draw the steps there is room for."""
        plan, rows = self._plan, max(1, self._rows)
        current = next((at for at, item in enumerate(plan) if not item.completed), len(plan))
        start = max(0, min(current - rows // 3, len(plan) - rows))
        lines = [
            Content.assemble(_step(item, is_current=at == current))
            for at, item in enumerate(plan[start : start + rows], start)
        ]
        if rows >= WITH_MORE and start > 0:
            lines[0] = _more(start + 1)
        if rows >= WITH_MORE and start + rows < len(plan):
            lines[-1] = _more(len(plan) - start - rows + 1)
        return Content("\n").join(lines)


def _more(count: int) -> Content:
    return Content.styled(f"{formatting.sign('…', '...')} {count} more (P)", "$secondary")


def _step(item: PlanItem, *, is_current: bool) -> Part:
    text = clean(item.text, 300)
    if item.completed:
        return f"{formatting.sign('☑', '[x]')} {text}", "$secondary"
    style = "bold $accent" if is_current else "$foreground"
    return f"{formatting.sign('☐', '[ ]')} {text}", style

"""The frames between panes that stand side by side: they can be dragged, and stay there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from textual import events
from textual.widget import Widget

from engine.domain.record import record
from tui.widgets.base.containers import TransparentHorizontal

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

LEAST, MOST = 15.0, 85.0
"""How much of the room the left one can have, in percent."""
NAME = "panes"


@record
class SplitShares:
    """Share of its row that the left of two neighbours has, in percent, where it was changed."""

    of: dict[str, float] = field(default_factory=dict[str, float])


@record
class Split:
    """Two neighbours in a row, and the name under which their share is remembered."""

    name: str
    left: Widget
    right: Widget

    @property
    def is_shown(self) -> bool:
        """True while both are visible."""
        return all(one.display and one.region.width for one in (self.left, self.right))

    def is_at(self, x: int, y: int) -> bool:
        """Return whether a place of the screen is on the frame between them."""
        edge = self.right.region.x
        both = self.left.region.union(self.right.region)
        return self.is_shown and x in (edge - 1, edge) and both.y <= y < both.bottom


class Splitters(TransparentHorizontal):
    """A row whose `splits` the mouse moves, and `widen` does from the keyboard."""

    def __init__(self, engine: EnginePort) -> None:
        super().__init__()
        self._memory = engine.memory
        self._shares = dict((engine.memory.recall(NAME, SplitShares) or SplitShares()).of)
        self._dragged: Split | None = None

    def splits(self) -> Sequence[Split]:
        """Return the neighbours."""
        return ()

    def share_out(self, *, is_single: bool) -> None:
        """Set each one's share of the row; one that is alone has it all."""
        for split in self.splits():
            share = self._shares.get(split.name)
            styles = split.left.styles
            if share is None or is_single or not split.left.display or not split.right.display:
                styles.clear_rule("width")
                styles.clear_rule("max_width")
            else:
                styles.width = f"{min(MOST, max(LEAST, share)):.2f}%"
                styles.max_width = "100%"

    def widen(self, by: float) -> None:
        """Widen the left of the first two by so many percent of the row."""
        for split in self.splits()[:1]:
            if split.is_shown:
                whole = split.left.region.width + split.right.region.width
                self._set(split, 100 * split.left.region.width / whole + by)
                self._keep()

    def _set(self, split: Split, share: float) -> None:
        self._shares[split.name] = min(MOST, max(LEAST, share))
        self.share_out(is_single=False)

    def _keep(self) -> None:
        self.run_worker(self._memory.remember(NAME, SplitShares(self._shares)), group="remember")

    # The mouse

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of a frame."""
        for split in self.splits():
            if event.button == 1 and split.is_at(event.screen_x, event.screen_y):
                self._dragged = split
                self.capture_mouse()
                event.stop()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Move the frame along."""
        if self._dragged:
            left, right = self._dragged.left.region, self._dragged.right.region
            self._set(
                self._dragged,
                100 * (event.screen_x + 1.5 - left.x) / max(1, left.width + right.width),
            )
            event.stop()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Release the frame, and remember the shares."""
        if self._dragged:
            self._dragged = None
            self.release_mouse()
            self._keep()
            event.stop()

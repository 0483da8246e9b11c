"""Frames between neighbouring panes: the mouse drags them, and their places are remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from textual import events
from textual.geometry import Region
from textual.widget import Widget

from engine.domain.record import record
from tui.widgets.base.containers import TransparentHorizontal

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

LEAST, MOST = 15.0, 85.0
"""Limits of the share of the first neighbour, in percent."""
NAME = "panes"


@record
class SplitShares:
    """The share of the first of two neighbours, in percent, where the user changed it."""

    of: dict[str, float] = field(default_factory=dict[str, float])


@record
class Split:
    """Two neighbours, beside or above each other, and the name of their share."""

    name: str
    first: Widget
    second: Widget
    is_stacked: bool = False

    @property
    def is_shown(self) -> bool:
        """Return whether both are visible."""
        return all(one.display and one.region.width for one in (self.first, self.second))

    def is_at(self, x: int, y: int) -> bool:
        """Return whether a place of the screen is on the frame between them."""
        both, second = self.first.region.union(self.second.region), self.second.region
        is_edge = (
            y in (second.y - 1, second.y) if self.is_stacked else x in (second.x - 1, second.x)
        )
        return self.is_shown and is_edge and both.contains(x, y)

    def share_at(self, x: int, y: int) -> float:
        """Return the share of the first one that puts the frame at a place of the screen."""
        first = self.first.region
        at = y - first.y if self.is_stacked else x - first.x
        return 100 * (at + 1.5) / self.whole

    @property
    def share(self) -> float:
        """Return the present share of the first one."""
        return 100 * self._length(self.first.region) / self.whole

    @property
    def whole(self) -> int:
        """Return the length of both together in cells, at least 1."""
        return max(1, self._length(self.first.region) + self._length(self.second.region))

    def _length(self, region: Region) -> int:
        return region.height if self.is_stacked else region.width


class Splitters(TransparentHorizontal):
    """Panes whose `splits` the mouse moves, and `widen` moves from the keyboard."""

    def __init__(self, engine: EnginePort) -> None:
        super().__init__()
        self._memory = engine.memory
        self._shares = dict((engine.memory.recall(NAME, SplitShares) or SplitShares()).of)
        self._dragged: Split | None = None

    def splits(self) -> Sequence[Split]:
        """Return the neighbours."""
        return ()

    def share_out(self, *, is_single: bool) -> None:
        """Set the size of each pane; one that is alone has all the room."""
        for split in self.splits():
            share, styles = self._shares.get(split.name), split.first.styles
            styles.clear_rule("width")
            styles.clear_rule("height")
            if share is None or is_single or not split.first.display or not split.second.display:
                continue
            size = f"{min(MOST, max(LEAST, share)):.2f}%"
            if split.is_stacked:
                styles.height = size
            else:
                styles.width = size

    def widen(self, by: float) -> None:
        """Change the share of the first of the first two by so many percent."""
        for split in self.splits()[:1]:
            if split.is_shown:
                self._set(split, split.share + by)
                self._keep()

    def _set(self, split: Split, share: float) -> None:
        self._shares[split.name] = min(MOST, max(LEAST, share))
        self.share_out(is_single=False)

    def _keep(self) -> None:
        self.run_worker(self._memory.remember(NAME, SplitShares(self._shares)), group="remember")

    # The mouse

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Start to drag a frame."""
        for split in self.splits():
            if event.button == 1 and split.is_at(event.screen_x, event.screen_y):
                self._dragged = split
                self.capture_mouse()
                event.stop()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drag the frame."""
        if self._dragged:
            self._set(self._dragged, self._dragged.share_at(event.screen_x, event.screen_y))
            event.stop()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Release the frame, and remember its place."""
        if self._dragged:
            self._dragged = None
            self.release_mouse()
            self._keep()
            event.stop()

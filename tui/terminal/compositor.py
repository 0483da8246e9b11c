"""Textual's compositor, asking only widgets for their lines that have to be painted again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.strip import Strip

Render = tuple[Region, Region, list[Strip]]


class DirtyCompositor(Compositor):
    """A compositor that leaves widgets alone of which nothing is painted.

    Textual asks every widget within the smallest rectangle around all changes: with a clock above
    and a log below, that is all of the screen.
    """

    _painted: Sequence[Region] | None = None
    """The regions of a partial update, while it is made."""

    def render_partial_update(self) -> ChopsUpdate | None:
        """Render what changed."""
        self._painted = tuple(self._dirty_regions)
        try:
            return super().render_partial_update()
        finally:
            self._painted = None

    def _get_renders(self, crop: Region | None = None) -> Iterable[Render]:
        painted = self._painted
        if painted is None:
            yield from super()._get_renders(crop)
            return
        for widget, (region, clip) in self.visible_widgets.items():
            shown = region.intersection(clip)
            if not any(map(shown.overlaps, painted)):
                continue
            part = Region(0, 0, region.width, region.height)
            if shown != region:
                part = shown.translate(-region.offset)
            yield region, clip, widget.render_lines(part)

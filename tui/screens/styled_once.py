"""Base of all dialogs: each is styled once as it opens, in its size, and painted once.

Textual styles all widgets of a screen when they are mounted, again when the screen is shown, and
again when its first size adds the classes of that size: each takes 2 ms a widget. It paints the
screen when it is shown, and again when it has its size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from textual import events
from textual.geometry import Size
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget

if TYPE_CHECKING:
    from textual.app import App

T = TypeVar("T")


class StyledOnce(Screen[T]):
    """A screen that has the classes of its size before its widgets are made."""

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """The widget with the focus: it draws itself, nothing else shows where the focus is."""
    _has_been_shown = False
    _has_size = False

    def expect_size(self, size: Size) -> None:
        """Set the classes of a size before anything is styled."""
        steps = (self.HORIZONTAL_BREAKPOINTS, size.width), (self.VERTICAL_BREAKPOINTS, size.height)
        for breakpoints, length in steps:
            names = self._get_breakpoint_classes(length, breakpoints or [])
            self.add_class(*names, update=False)

    async def _compose(self) -> None:
        app = cast("App[Any]", self.app)  # pyright: ignore[reportUnknownMemberType]  the library's type is partial
        self.expect_size(app.size)
        self.update_node_styles(animate=False)  # it has no widgets yet
        await super()._compose()

    def _on_screen_resume(self, event: events.ScreenResume) -> None:
        if not self._has_been_shown:
            event.refresh_styles = False
        self._has_been_shown = True

    async def _on_resize(self, event: events.Resize) -> None:
        del event  # Textual's own handler, which paints, comes after this one
        self._has_size = True

    def _compositor_refresh(self) -> None:
        if self._has_size:
            super()._compositor_refresh()

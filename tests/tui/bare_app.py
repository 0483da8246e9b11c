"""An app with nothing of the dashboard's but what its widgets need of a theme."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import App
from textual.strip import Strip
from textual.widget import Widget

from tui.services.theming import FAINT
from tui.widgets.base.line_paint import LinePaint


class BareApp(App[None]):
    """What tests put one widget into."""

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return what Textual's own themes leave unsaid."""
        return FAINT


class CountingPaint(LinePaint):
    """Paint that reports the key of every strip that is drawn."""

    def __init__(self, view: Widget, drawn: Callable[[object], object]) -> None:
        super().__init__(view)
        self._drawn = drawn

    def keep(self, key: object, strip: Strip) -> Strip:
        """Remember a strip, and report its key."""
        self._drawn(key)
        return super().keep(key, strip)

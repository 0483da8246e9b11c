"""An app with nothing of the dashboard's but what its widgets need of a theme."""

from __future__ import annotations

from textual.app import App

from tui.services.theming import FAINT


class BareApp(App[None]):
    """What tests put one widget into."""

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Give what Textual's own themes leave unsaid."""
        return FAINT

"""The theme of the dashboard: chosen, remembered, and readable."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.filter import LineFilter
from textual.theme import BUILTIN_THEMES

from engine.domain.record import record
from tui.formatting.symbols import unicode_ok
from tui.theme import THEMES, readable

if TYPE_CHECKING:
    from tui.app import SwarmApp

FAINT = {"faint": "ansi_bright_black"}
"""The colour of what is hardly seen, where a theme has none for it."""

OWN = [theme.name for theme in THEMES]


@record
class ChosenTheme:
    """A theme that was chosen here, and the theme of the settings at that time."""

    name: str
    said: str


class Theming:
    """The themes of an app, and the one in use."""

    def __init__(self, app: SwarmApp) -> None:
        self._app = app
        self._engine = app.engine
        self.line_filters: Sequence[LineFilter] = () if unicode_ok() else _ascii_filters()
        """Filters that write ASCII where the terminal shows nothing else."""
        for theme in THEMES:
            app.register_theme(theme)
        self._styled_in: dict[str, str] = {}

    def colours_changed(self) -> bool:
        """Return whether the colours differ from those at the last call."""
        known, self._styled_in = self._styled_in, self._app.get_css_variables()
        return known != self._styled_in

    def begin(self) -> list[str]:
        """Set the theme before anything is styled; return the mistakes in the settings."""
        problems = self._set_first()
        self._styled_in = self._app.get_css_variables()
        self._app.stylesheet.set_variables(self._styled_in)
        return problems

    def _set_first(self) -> list[str]:
        """Set the theme chosen last, or the settings' where that was changed since."""
        configured = self._engine.config.ui.theme
        chosen = self._engine.memory.recall("theme", ChosenTheme)
        is_current = chosen is not None and chosen.said == configured
        name = chosen.name if chosen and is_current else configured
        if name not in OWN:
            self._make_readable()
        themes = self._app.available_themes
        if name in themes:
            self._app.theme = name
            return []
        self._app.theme = OWN[0]
        near = difflib.get_close_matches(name, themes, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        return [f"ui.theme: there is no theme {name}.{hint}"]

    def _make_readable(self) -> None:
        """Replace Textual's themes by readable ones; it takes a while, so not at the start."""
        for theme in BUILTIN_THEMES.values():
            if self._app.available_themes[theme.name] is theme:
                self._app.register_theme(readable(theme))

    def switch(self) -> None:
        """Switch between the dark and the light theme."""
        self._choose(OWN[0] if self._app.theme == OWN[1] else OWN[1])

    def choose(self) -> None:
        """Offer all themes; each is shown while the cursor is on it."""
        from tui.screens.themes import ThemeChoice

        self._make_readable()
        others = sorted(name for name in self._app.available_themes if name not in OWN)
        self._app.push_screen(ThemeChoice([*OWN, *others], self._app.theme), self._choose)

    def _choose(self, name: str | None) -> None:
        if name:
            self._app.theme = name
            chosen = ChosenTheme(name, self._engine.config.ui.theme)
            self._app.run_worker(self._engine.memory.remember("theme", chosen), group="remember")


def _ascii_filters() -> Sequence[LineFilter]:
    from tui.terminal.ascii import AsciiFilter  # late: most terminals show more

    return (AsciiFilter(),)

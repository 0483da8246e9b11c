"""How the dashboard looks: its theme, chosen and remembered, and how much a terminal can show."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.terminal_theme import TerminalTheme
from textual.filter import LineFilter
from textual.theme import BUILTIN_THEMES

from engine.domain.record import record
from tui.formatting.symbols import unicode_ok
from tui.services.toast_history import ToastHistory
from tui.terminal.ascii import AsciiFilter
from tui.theme import THEMES, readable

if TYPE_CHECKING:
    from engine.engine import Engine

FAINT = {"faint": "ansi_bright_black"}
"""What is hardly there, where a theme has no colour for it."""

OWN = [theme.name for theme in THEMES]


@record
class ChosenTheme:
    """A theme that was chosen here, and what the settings said at that time."""

    name: str
    said: str


class Theming(ToastHistory):
    """An app in a theme that can be chosen."""

    def __init__(self, engine: Engine, clock: Callable[[], float], *, goes_on: bool) -> None:
        super().__init__(engine, clock, goes_on=goes_on)
        self._in_ascii = () if unicode_ok() else (AsciiFilter(),)
        for theme in THEMES:
            self.register_theme(theme)
        self._styled_in: dict[str, str] = {}
        self._ansi: tuple[str, TerminalTheme] | None = None

    def refresh_css(self, animate: bool = True) -> None:
        """Style everything anew, if in other colours; Textual asks once more when it begins."""
        known, self._styled_in = self._styled_in, self.get_css_variables()
        if known != self._styled_in:
            super().refresh_css(animate)

    @property
    def ansi_theme(self) -> TerminalTheme:
        """The terminal's own colours; found once for a theme, for each line that is drawn asks."""
        if self._ansi is None or self._ansi[0] != self.theme:
            self._ansi = (self.theme, super().ansi_theme)
        return self._ansi[1]

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Write in ASCII where the terminal can do no more."""
        return [*super().get_line_filters(), *self._in_ascii]

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Give what a theme may leave unsaid."""
        return FAINT

    def begin_in_theme(self) -> list[str]:
        """Take a theme before anything is styled; give what is wrong with the settings'."""
        problems = self._take_theme()
        self._styled_in = self.get_css_variables()
        self.stylesheet.set_variables(self._styled_in)
        return problems

    def _take_theme(self) -> list[str]:
        """Take the theme chosen last, or the settings' where they changed; give what is wrong."""
        said = self.engine.config.ui.theme
        chosen = self.engine.memory.recall("theme", ChosenTheme)
        name = chosen.name if chosen and chosen.said == said else said
        if name not in OWN:
            self._make_readable()
        if name in self.available_themes:
            self.theme = name
            return []
        self.theme = OWN[0]
        near = difflib.get_close_matches(name, self.available_themes, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        return [f"ui.theme: there is no theme {name}.{hint}"]

    def _make_readable(self) -> None:
        """Put readable ones in the place of Textual's themes; it takes a while, so not at once."""
        for theme in BUILTIN_THEMES.values():
            if self.available_themes[theme.name] is theme:
                self.register_theme(readable(theme))

    def action_switch_theme(self) -> None:
        """Switch between the dark and the light theme."""
        self._choose_theme(OWN[0] if self.theme == OWN[1] else OWN[1])

    def action_choose_theme(self) -> None:
        """Choose one of all themes; each is shown while the cursor is on it."""
        from tui.screens.themes import ThemeChoice

        self._make_readable()
        others = sorted(name for name in self.available_themes if name not in OWN)
        self.push_screen(ThemeChoice([*OWN, *others], self.theme), self._choose_theme)

    def _choose_theme(self, name: str | None) -> None:
        if name:
            self.theme = name
            chosen = ChosenTheme(name, self.engine.config.ui.theme)
            self.run_worker(self.engine.memory.remember("theme", chosen), group="remember")

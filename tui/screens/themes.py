"""The looks to choose from; the one under the cursor is shown at once."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.screens.search import SearchDialog
from tui.widgets.status.toast import app_of


class ThemeChoice(SearchDialog[str]):
    """Answers with a theme's name, or None, which leaves the one there was."""

    PLACEHOLDER = "Theme"
    TITLE_TEXT = "Theme"

    def __init__(self, names: Sequence[str], current: str) -> None:
        super().__init__()
        self._names, self._current = names, current

    def entries(self) -> Sequence[tuple[str, str]]:
        """Return the names."""
        return [(name, name) for name in self._names]

    def answer(self, id: str) -> str:
        """Return the name."""
        return id

    def option(self, id: str) -> Option:
        """Draw a name, and mark the current one."""
        note = "  as it was" if id == self._current else ""
        return Option(Content.assemble((id, "$foreground"), (note, "$secondary")), id=id)

    def start(self) -> int | None:
        """Return the current theme."""
        return list(self._names).index(self._current)

    @on(OptionList.OptionHighlighted)
    def _show(self, event: OptionList.OptionHighlighted) -> None:
        app_of(self).theme = event.option.id or self._current

    def action_leave(self) -> None:
        """Take the theme there was again."""
        app_of(self).theme = self._current
        super().action_leave()

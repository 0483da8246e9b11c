"""The templates by name, one of them to start a run from, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.content import Content
from textual.widgets.option_list import Option

from engine.engine import Template
from tui.screens.search import SearchDialog
from tui.terminal.cells import clean, crop, fit

NAME_WIDTH = 18
WIDTH = 68
NONE = "no template"


class TemplateChoice(SearchDialog[str]):
    """Answers with a template's name, empty for none; or None where nothing was picked."""

    PLACEHOLDER = "Template"
    TITLE_TEXT = "Templates"

    def __init__(self, templates: Mapping[str, Template], chosen: str) -> None:
        super().__init__()
        self._templates, self._chosen = templates, chosen

    def entries(self) -> Sequence[tuple[str, str]]:
        """Return the templates, and behind them the choice of none."""
        found = [(name, f"{name} {_about(each)}") for name, each in self._templates.items()]
        return [*found, ("", NONE)]

    def answer(self, id: str) -> str:
        """Return the name."""
        return id

    def start(self) -> int | None:
        """Begin on what is chosen now."""
        names = [name for name, _ in self.entries()]
        return names.index(self._chosen) if self._chosen in self._templates else 0

    def option(self, id: str) -> Option:
        """Draw a template, greyed where it cannot be used."""
        template = self._templates.get(id)
        if template is None:
            return Option(Content.styled(NONE, "$secondary"), id=id)
        look, name = "$foreground", fit(clean(id, 80), NAME_WIDTH)
        if template.problem:
            look = "$secondary 45%"
        about = crop(_about(template), WIDTH - NAME_WIDTH)
        line = Content.assemble((name, look), " ", (about, "$secondary"))
        return Option(line, id=id, disabled=template.problem is not None)


def _about(template: Template) -> str:
    if template.problem:
        return "invalid: 3 shows the reason"
    return clean((template.keys.description or "").strip(), 200)

"""Kinds of events that a log shows: a short list to choose from."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from engine.domain.kinds import KINDS, EventKind
from tui.screens.dialog import Dialog
from tui.widgets.log.log_pane import LogPane
from tui.widgets.status.toast import app_of

NAME_WIDTH = 11


class KindChoice(Dialog[EventKind]):
    """Answers with the kind chosen, or None."""

    DEFAULT_CSS = """
    KindChoice {
        .box { width: 56; padding: 0 1; }
        OptionList {
            height: auto; border: none; padding: 0; background: $surface;
            scrollbar-size-vertical: 1;
            &:focus { border: none; }
        }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "step(1)", show=False),
        Binding("k", "step(-1)", show=False),
    ]

    def __init__(self, chosen: EventKind) -> None:
        super().__init__()
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        """List the kinds, the one that is shown lit."""
        with Vertical(classes="box") as box:
            box.border_title = Content("Show in the log")
            choices = OptionList(*map(_option, KINDS), markup=False)
            choices.highlighted = KINDS.index(self._chosen)
            yield choices

    def action_step(self, by: int) -> None:
        """Go to the next kind, or the one before."""
        choices = self.query_one(OptionList)
        if by > 0:
            choices.action_cursor_down()
        else:
            choices.action_cursor_up()

    @on(OptionList.OptionSelected)
    def _choose(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(KINDS[event.option_index])


def _option(kind: EventKind) -> Option:
    name = kind.name.ljust(NAME_WIDTH)
    return Option(Content.assemble((name, "$accent"), (kind.meaning, "$secondary")))


def choose_kind(pane: LogPane) -> None:
    """Ask for the kinds of events that a log shows."""

    def chosen(kind: EventKind | None) -> None:
        if kind:
            pane.choose_kind(kind)

    app_of(pane).push_screen(KindChoice(pane.kind), chosen)

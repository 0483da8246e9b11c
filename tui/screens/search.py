"""One of many by its name: type a few letters, press enter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Generic, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.fuzzy import Matcher
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from tui.screens.dialog import Dialog
from tui.widgets.text_input import TextInput

T = TypeVar("T")


class Search(Dialog[T], Generic[T]):
    """Answers with what was picked, or None; subclasses say what there is, and what it means."""

    DEFAULT_CSS = """
    Search {
        align: center top;
        .box { margin-top: 2; padding: 0; border: round $accent; }
        TextInput { margin: 0 1; background: $surface; }
        OptionList {
            height: auto; max-height: 18; border: none; padding: 0; margin-top: 1;
            background: $surface; scrollbar-size-vertical: 1;
            & > .option-list--option { padding: 0 2; }
        }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,ctrl+n", "move(1)", show=False),
        Binding("up,ctrl+p", "move(-1)", show=False),
    ]
    PLACEHOLDER = ""
    TITLE_TEXT = ""

    def entries(self) -> Sequence[tuple[str, str]]:
        """Give the id of each choice and the words by which it is found."""
        raise NotImplementedError

    def option(self, id: str) -> Option:
        """Draw a choice."""
        raise NotImplementedError

    def answer(self, id: str) -> T:
        """Give what a choice stands for."""
        raise NotImplementedError

    def start(self) -> int | None:
        """Give the place to begin at."""
        return 0 if self.entries() else None

    def compose(self) -> ComposeResult:
        """Lay the choices out."""
        with Vertical(classes="box") as box:
            box.border_title = Content(self.TITLE_TEXT)
            yield TextInput(placeholder=self.PLACEHOLDER)
            choices = OptionList(*self._matching(""), markup=False)
            choices.can_focus = False
            yield choices

    def on_mount(self) -> None:
        """Begin with the choice there is."""
        self.query_one(OptionList).highlighted = self.start()

    @on(Input.Changed)
    def _search(self, event: Input.Changed) -> None:
        choices = self.query_one(OptionList)
        choices.clear_options()
        choices.add_options(self._matching(event.value.strip()))
        choices.action_first()

    @on(Input.Submitted)
    def _pick_highlighted(self) -> None:
        self.query_one(OptionList).action_select()

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self.answer(event.option.id or ""))

    def action_move(self, by: int) -> None:
        """Go to the next choice, or the one before."""
        choices = self.query_one(OptionList)
        if by > 0:
            choices.action_cursor_down()
        else:
            choices.action_cursor_up()

    def _matching(self, typed: str) -> Iterable[Option]:
        entries = self.entries()
        if typed:
            matcher = Matcher(typed)
            scored = ((matcher.match(words), id) for id, words in entries)
            fits = {id: score for score, id in scored if score > 0}
            for id, words in entries:  # what begins as typed is meant
                if words.lower().startswith(typed.lower()):
                    fits[id] = fits.get(id, 0) + len(fits) * 100
            return [self.option(id) for id in sorted(fits, key=lambda id: -fits[id])]
        return [self.option(id) for id, _ in entries]

"""One of many by its name: type a few letters, press enter."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import ClassVar, Generic, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from engine.domain.text import printable
from tui.models.word_match import all_begin, all_close
from tui.screens.dialog import Dialog
from tui.widgets.forms.text_input import TextInput

T = TypeVar("T")
MOST_SHOWN = 200
MOST_COMPARED = 500
"""So many are compared for close spellings, which takes time."""


class SearchDialog(Dialog[T], Generic[T]):
    """Search dialog that answers with the choice, or None; subclasses provide the entries."""

    DEFAULT_CSS = """
    SearchDialog {
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
        Binding("down", "move(1)", show=False),
        Binding("up", "move(-1)", show=False),
    ]
    PLACEHOLDER = ""
    TITLE_TEXT = ""

    def __init__(self) -> None:
        super().__init__()
        self._lowered: list[tuple[str, str]] | None = None
        """The entries, and their words in small letters: made when something is typed."""

    def entries(self) -> Sequence[tuple[str, str]]:
        """Return the id of each choice and the words by which it is found."""
        raise NotImplementedError

    def offered(self) -> Sequence[str]:
        """Return the ids of the choices that are offered before anything is typed."""
        return [id for id, _ in self.entries()]

    def option(self, id: str) -> Option:
        """Draw a choice."""
        raise NotImplementedError

    def answer(self, id: str) -> T:
        """Return the answer of a choice."""
        raise NotImplementedError

    def tier(self, id: str) -> int:
        """Return the place of a choice among those found; small numbers come first."""
        del id
        return 0

    def start(self) -> int | None:
        """Return the place to begin at."""
        return 0 if self.entries() else None

    def compose(self) -> ComposeResult:
        """Compose the choices."""
        with Vertical(classes="box") as box:
            box.border_title = Content(self.TITLE_TEXT)
            yield TextInput(placeholder=self.PLACEHOLDER)
            choices = OptionList(*self._matching(""), markup=False)
            choices.can_focus = False
            yield choices

    def entries_changed(self) -> None:
        """Take in what there is now, if something is typed that could mean it."""
        self._lowered = None
        if typed := self.query_one(TextInput).value.strip():
            self._offer(typed)

    def on_mount(self) -> None:
        """Begin with the choice there is."""
        self.query_one(OptionList).highlighted = self.start()

    @on(Input.Changed)
    def _search(self, event: Input.Changed) -> None:
        self._offer(event.value.strip())

    def _offer(self, typed: str) -> None:
        choices = self.query_one(OptionList)
        choices.clear_options()
        choices.add_options(self._matching(typed))
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

    def nothing_found(self, typed: str) -> str:
        """Return the text that is shown where no choice matches."""
        return f"Nothing is called “{printable(typed)}”."

    def note(self, typed: str, found: Sequence[str]) -> str:
        """Return the text above the choices that were found; empty for none."""
        return "" if found else self.nothing_found(typed)

    def is_within(self, id: str, words: Sequence[str], text: str) -> bool:
        """Return whether a choice holds all words, also in the middle of its own."""
        del id
        return all(word in text for word in words)

    def allows_close(self, words: Sequence[str]) -> bool:
        """Return whether the words may be misspelt."""
        return bool(words)

    def _matching(self, typed: str) -> list[Option]:
        found = self._found(typed)
        note = self.note(typed, found) if typed else ""
        notes = [Option(Content.styled(note, "$secondary"), disabled=True)] if note else []
        return [*notes, *(self.option(id) for id in found[:MOST_SHOWN])]

    def _found(self, typed: str) -> Sequence[str]:
        """Return the entries with words that begin so, else those that hold it, else close ones.

        Less similar entries are offered only where none is more similar: `enter` must not hit a
        wrong one.
        """
        if not typed:
            return self.offered()
        if self._lowered is None:
            self._lowered = [(id, words.lower()) for id, words in self.entries()]
        meant, words = typed.lower(), typed.lower().split()

        def place(each: tuple[str, str]) -> tuple[int, bool, int]:
            id, text = each
            return self.tier(id), not text.startswith(meant), text.find(meant)

        found = (
            [each for each in self._lowered if all_begin(words, each[1])]
            or [each for each in self._lowered if self.is_within(each[0], words, each[1])]
            or self._close(words)
        )
        return [id for id, _ in sorted(found, key=place)]

    def _close(self, words: Sequence[str]) -> list[tuple[str, str]]:
        if not self.allows_close(words):
            return []
        compared = islice(self._lowered or (), MOST_COMPARED)
        return [each for each in compared if all_close(words, each[1])]

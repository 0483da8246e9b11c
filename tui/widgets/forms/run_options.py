"""The options of runs that are being written: seldom set, so they can be folded away."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Label

from engine.domain.model import Sandbox
from engine.domain.run_option import RunOption
from tui.models.draft import SANDBOXES, Draft
from tui.models.fields import YES, segments
from tui.widgets.forms.segmented_control import SegmentedControl
from tui.widgets.forms.text_input import TextInput


class RunOptions(Vertical):
    """Options that write the sandbox and the `fields` into a draft."""

    DEFAULT_CSS = """
    RunOptions { height: auto; display: none; }
    """

    def __init__(
        self,
        draft: Draft,
        fields: Sequence[RunOption],
        usual: Sandbox,
        words: Mapping[str, str],
    ) -> None:
        super().__init__(id="options")
        self._draft, self._fields = draft, fields
        self._usual, self._usual_words = usual, words

    def compose(self) -> ComposeResult:
        """Compose the options."""
        chosen = SANDBOXES.index(self._draft.sandbox or self._usual)
        with Horizontal(classes="row"):
            yield Label(Content("Sandbox"), classes="name")
            yield SegmentedControl(SANDBOXES, chosen, id="sandbox")
        for each in self._fields:
            with Horizontal(id=f"row-{each.name}", classes="row"):
                yield Label(Content(each.label), classes="name")
                yield self._field(each)

    @property
    def sandbox(self) -> SegmentedControl:
        """The choice of a sandbox, the first of the options."""
        return self.query_one("#sandbox", SegmentedControl)

    def usually(self, sandbox: Sandbox, words: Mapping[str, str]) -> None:
        """Replace the sandbox and the words that hold where none is chosen."""
        self._usual, self._usual_words = sandbox, words
        self.sandbox.choose(SANDBOXES.index(self._draft.sandbox or sandbox))
        for each in self._fields:
            if segments(each):
                self._segments(each).choose(self._chosen(each))

    def take_in(self) -> None:
        """Write into the draft what stands here."""
        chosen = SANDBOXES[self.sandbox.chosen]
        self._draft.sandbox = None if chosen is self._usual else chosen
        self._draft.typed = {each.name: self._typed(each) for each in self._fields}

    def show(self, wrong: Container[str], hints: Mapping[str, str]) -> None:
        """Mark the fields that are wrong, disable those without use, and show what counts else."""
        for each in self._fields:
            field = self.query_one(f"#{each.name}")
            field.disabled = not self._draft.applies(each) or not self._has_use(each)
            if isinstance(field, TextInput):
                field.set_class(each.name in wrong, "-wrong")
                field.placeholder = hints.get(each.name, each.hint)

    def _has_use(self, option: RunOption) -> bool:
        """Return whether an option has an effect beside the others that are chosen."""
        if option.sets != "approvals":
            return True
        return self.query_one("#interactive", SegmentedControl).word == YES

    def _field(self, option: RunOption) -> TextInput | SegmentedControl:
        if words := segments(option):
            return SegmentedControl(words, self._chosen(option), id=option.name)
        return TextInput(self._draft.text(option), placeholder=option.hint, id=option.name)

    def _chosen(self, option: RunOption) -> int:
        """Return the place of the word that is chosen, or holds where none is."""
        words = segments(option)
        text = self._draft.text(option) or self._usual_words.get(option.name, "")
        return words.index(text) if text in words else 0

    def _segments(self, option: RunOption) -> SegmentedControl:
        return self.query_one(f"#{option.name}", SegmentedControl)

    def _typed(self, option: RunOption) -> str:
        if words := segments(option):
            word = self._segments(option).word
            return "" if word == self._usual_words.get(option.name, words[0]) else word
        return self.query_one(f"#{option.name}", TextInput).value

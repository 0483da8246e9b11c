"""Dialog for the tags of runs: one line of words, completed from the known tags."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from engine.domain.annotation import read_tags
from engine.domain.errors import UserError
from engine.domain.record import record
from engine.domain.text import printable
from tui.screens.dialog import Dialog
from tui.terminal.cells import crop
from tui.widgets.forms.text_input import TextInput
from tui.widgets.forms.word_suggester import WordSuggester

KNOWN = 500
"""Cells of the known tags that are shown."""


@record
class TagRequest:
    """Request to edit the tags of runs: the tags of all of them, and those of some."""

    heading: str
    tags: Sequence[str]
    of_some: Sequence[str]
    known: Sequence[str]
    """The tags of all runs, the most frequent first."""
    save: Callable[[Sequence[str], Sequence[str]], Awaitable[None]]
    """Adds tags and removes others; may refuse with a `UserError`."""


class TagsDialog(Dialog[Sequence[str]]):
    """Answers with the tags as they were saved, or None."""

    DEFAULT_CSS = """
    TagsDialog {
        .box { width: 76; padding: 1 2; }
        #hint { height: auto; min-height: 1; max-height: 5; color: $secondary; margin-top: 1; }
        #hint.-error { color: $text-error; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s,ctrl+enter", "send", "send")]

    def __init__(self, wanted: TagRequest) -> None:
        super().__init__()
        self._wanted = wanted
        self._is_saving = False

    def compose(self) -> ComposeResult:
        """Show the present tags in a line, to be changed there."""
        with Vertical(classes="box") as box:
            box.border_title = Content(self._wanted.heading)
            box.border_subtitle = Content("enter save · → completes · esc back")
            line = TextInput(" ".join(self._wanted.tags), placeholder="Words, with spaces between")
            line.suggester = WordSuggester(self._left)
            yield line
            yield Static(id="hint")

    def on_mount(self) -> None:
        """Begin behind the tags that are there, ready for the next one."""
        line = self.query_one(TextInput)
        if line.value:
            line.value += " "
        line.focus()
        line.cursor_position = len(line.value)
        self._show_hint(line.value)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._show_hint(event.value)

    def _left(self, last: str) -> Sequence[str]:
        """Return the known tags that the line has not got; a `#` before a word may stay."""
        typed = self.query_one(TextInput).value.split()[:-1]
        sign = "#" if last.startswith("#") else ""
        return [f"{sign}{tag}" for tag in self._wanted.known if tag not in typed]

    def _show_hint(self, line: str) -> None:
        typed = {word.removeprefix("#") for word in line.split()}
        known = " ".join(tag for tag in self._wanted.known if tag not in typed)
        parts = ["Delete a word to remove its tag."]
        if self._wanted.of_some:
            parts.append(f"Some of the runs have, and keep: {' '.join(self._wanted.of_some)}")
        if known:
            parts.append(f"Known: {known}")
        hint = self.query_one("#hint", Static)
        hint.remove_class("-error")
        hint.update(Content(crop(printable("\n".join(parts)), KNOWN)))

    @on(Input.Submitted)
    def action_send(self) -> None:
        """Save the tags; an error is shown here."""
        if not self._is_saving:
            self._is_saving = True
            self.run_worker(self._save, group="save")

    async def _save(self) -> None:
        try:
            tags = read_tags(self.query_one(TextInput).value.split())
            added = [tag for tag in tags if tag not in self._wanted.tags]
            removed = [tag for tag in self._wanted.tags if tag not in tags]
            await self._wanted.save(added, removed)
        except UserError as error:
            hint = self.query_one("#hint", Static)
            hint.add_class("-error")
            recovery = (f"\n{printable(error.recovery)}", "$secondary")
            hint.update(Content.assemble(printable(error.message), recovery))
        else:
            self.dismiss(tags)
        finally:
            self._is_saving = False

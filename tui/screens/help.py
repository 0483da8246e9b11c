"""The help: the keys of the present screen, with a search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from engine.domain.text import printable
from tui.commands import GROUPS, Command, keys_of
from tui.commands.command_line import CommandNames, command_line_hint
from tui.formatting.legend import glyph_rows
from tui.models.filters import SYNTAX
from tui.models.word_match import all_begin
from tui.screens.dialog import Dialog
from tui.widgets.forms.text_input import TextInput
from tui.widgets.status.toast import app_of, focus_now

KEY_WIDTH = 14
GENERAL = ("Queue", "Program")
"""Groups that apply on every screen: they come last."""
BOX_WIDTH, FRAME, PADDING = 108, 5, 2
"""Columns of the box; of its frame, padding and scrollbar; and of the padding of a column."""
WIDE = 100
"""Columns from which there is room for two columns of keys."""

Line = tuple[str, str]
"""The keys, or a sign, and their meaning."""


class HelpScreen(Dialog[None]):
    """The keys that apply on a screen, by group; the user's own where they were changed."""

    DEFAULT_CSS = """
    HelpScreen {
        .box { width: 108; max-width: 100%; padding: 0 1; }
        VerticalScroll { height: auto; max-height: 100%; scrollbar-size-vertical: 1; }
        Horizontal { height: auto; }
        .column { width: 1fr; height: auto; padding: 1 1 0 1; }
        TextInput { margin: 0 1; display: none; background: $surface; }
        &.-searching TextInput { display: block; }
        &.-narrow Horizontal { layout: vertical; }
    }
    """

    AUTO_FOCUS = ""  # letters are keys until a search begins
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012  Textual declares it without ClassVar

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,question_mark,f1", "leave", "back", show=False),
        Binding("slash", "search", "search", show=False, priority=True),
        Binding("j,down", "scroll('down')", show=False),
        Binding("k,up", "scroll('up')", show=False),
    ]

    def __init__(
        self,
        shown: Sequence[Command],
        keymap: Mapping[str, str],
        command_line: CommandNames = tuple,
    ) -> None:
        super().__init__()
        self._command_line = command_line
        self._keymap = keymap
        self._blocks = self._all_blocks({command.id for command in shown})

    def compose(self) -> ComposeResult:
        """Show the groups in two columns, or in one where there is no room."""
        with Vertical(classes="box") as box:
            box.border_title = Content("Keys of this screen")
            box.border_subtitle = Content("/ search · j k scroll · esc back")
            yield TextInput(placeholder="A key, or a word such as delete")
            with VerticalScroll(can_focus=False), Horizontal():
                yield Static(id="left", classes="column")
                yield Static(id="right", classes="column")

    def on_mount(self) -> None:
        """Show everything."""
        self._show("")

    def on_resize(self) -> None:
        """Break the lines again."""
        self._show(self.query_one(TextInput).value.strip().lower())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave `/` to the field once it is open."""
        del parameters
        return action != "search" or not self.has_class("-searching")

    def action_search(self) -> None:
        """Type a word to find."""
        self.add_class("-searching")
        focus_now(self.query_one(TextInput))

    def action_scroll(self, direction: str) -> None:
        """Scroll by a line."""
        page = self.query_one(VerticalScroll)
        page.scroll_relative(y=1 if direction == "down" else -1, animate=False)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._show(event.value.strip().lower())

    def _show(self, text: str) -> None:
        found: list[tuple[str, Sequence[Line]]] = []
        for name, lines in self._blocks:
            matching = [line for line in lines if _matches(line, text, name)]
            if matching:
                found.append((name, matching))
        left, right = _balanced(found)
        width = self._text_width
        drawn = _drawn(left, width) if found else Content.styled(self._nothing(text), "$secondary")
        self.query_one("#left", Static).update(drawn)
        self.query_one("#right", Static).update(_drawn(right, width))

    def _nothing(self, text: str) -> str:
        nothing = f"Nothing is called “{printable(text)}” here."
        return f"{nothing} {command_line_hint(text, self._command_line)}".rstrip()

    @property
    def _text_width(self) -> int:
        """Return the columns for the meaning of a key."""
        width = app_of(self).size.width
        columns = 2 if width >= WIDE else 1
        inside = min(BOX_WIDTH, width) - FRAME
        return max(10, inside // columns - PADDING - KEY_WIDTH - 1)

    def _all_blocks(self, shown: set[str]) -> list[tuple[str, Sequence[Line]]]:
        """Return the groups of the screen, then those of the whole program."""
        blocks: list[tuple[str, Sequence[Line]]] = []
        for name in sorted(GROUPS, key=lambda name: name in GENERAL):
            lines = [
                (" ".join(keys), command.help)
                for command in GROUPS[name]
                if command.id in shown and (keys := keys_of(command, self._keymap))
            ]
            if lines:
                blocks.append((name, lines))
        if "list.filter" in shown:
            place = sum(name not in GENERAL for name, _ in blocks)
            blocks[place:place] = [("Filter", SYNTAX), ("Signs", _signs())]
        return blocks


def _signs() -> list[Line]:
    """Return every sign of the runs screen, with its meaning."""
    return [(row.glyph, row.meaning) for row in glyph_rows()]


def _matches(line: Line, text: str, group: str) -> bool:
    keys, meaning = line
    words = text.split()
    if all_begin(words, meaning.lower()) or all_begin(words, group.lower()):
        return True
    return text in keys.lower().split()


def _balanced(
    blocks: Sequence[tuple[str, Sequence[Line]]],
) -> tuple[list[tuple[str, Sequence[Line]]], list[tuple[str, Sequence[Line]]]]:
    """Return the blocks in two columns of similar length, in order."""
    total = sum(len(lines) + 2 for _, lines in blocks)
    left: list[tuple[str, Sequence[Line]]] = []
    height = 0
    for place, (name, lines) in enumerate(blocks):
        if left and height + (len(lines) + 2) / 2 > total / 2:
            return left, list(blocks[place:])
        left.append((name, lines))
        height += len(lines) + 2
    return left, []


def _drawn(blocks: Iterable[tuple[str, Sequence[Line]]], width: int) -> Content:
    drawn = [
        Content("\n").join([Content.styled(name, "bold"), *(_line(*line, width) for line in lines)])
        for name, lines in blocks
    ]
    return Content("\n\n").join(drawn)


def _line(keys: str, text: str, width: int) -> Content:
    """Draw a line; where its text needs several lines, the others are indented like the first."""
    text = f"\n{'':{KEY_WIDTH + 1}}".join(wrap(text, width))
    return Content.assemble((keys.ljust(KEY_WIDTH), "$accent"), " ", (text, "$foreground 80%"))

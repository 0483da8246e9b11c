"""All keys on one page, from the table of commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui.commands import GROUPS, keys_of
from tui.screens.dialog import Dialog

KEY_WIDTH = 14
LEFT = ("Runs", "Marks", "List", "Disk usage")
RIGHT = tuple(group for group in GROUPS if group not in LEFT)
FILTERS = (
    ("word", "in title, project, id or status"),
    ("!word", "not there"),
    ("status:failed", "that status; a,b: either"),
    ("project:x", 'that project; "a b": with a space'),
    ("template:x", "also batch, model, agent, cause"),
)


class HelpScreen(Dialog[None]):
    """The keys by group, the user's own where they were changed."""

    DEFAULT_CSS = """
    HelpScreen {
        .box { width: 108; max-width: 100%; padding: 0 1; }
        VerticalScroll { height: auto; max-height: 100%; scrollbar-size-vertical: 1; }
        Horizontal { height: auto; }
        .column { width: 1fr; height: auto; padding: 1 1 0 1; }
        &.-narrow Horizontal { layout: vertical; }
    }
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012  Textual declares it without ClassVar

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,question_mark,f1,enter", "leave", "back", show=False),
        Binding("j,down", "scroll('down')", show=False),
        Binding("k,up", "scroll('up')", show=False),
    ]

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__()
        self._keymap = keymap

    def compose(self) -> ComposeResult:
        """Lay the groups out in two columns, or one where there is no room."""
        with Vertical(classes="box") as box:
            box.border_title = Content("Keys")
            box.border_subtitle = Content("esc back · j k scroll")
            with VerticalScroll(), Horizontal():
                yield Static(
                    Content("\n\n").join([self._groups(*LEFT), _filters()]), classes="column"
                )
                yield Static(self._groups(*RIGHT), classes="column")

    def action_scroll(self, direction: str) -> None:
        """Scroll by a line."""
        page = self.query_one(VerticalScroll)
        page.scroll_relative(y=1 if direction == "down" else -1, animate=False)

    def _groups(self, *names: str) -> Content:
        blocks: list[Content] = []
        for name in names:
            lines = [
                _line(" ".join(keys), command.help)
                for command in GROUPS[name]
                if (keys := keys_of(command, self._keymap))
            ]
            blocks.append(Content("\n").join([Content.styled(name, "bold"), *lines]))
        return Content("\n\n").join(blocks)


def _filters() -> Content:
    lines = [_line(word, meaning) for word, meaning in FILTERS]
    return Content("\n").join([Content.styled("Filter", "bold"), *lines])


def _line(keys: str, text: str) -> Content:
    return Content.assemble((keys.ljust(KEY_WIDTH), "$accent"), " ", (text, "$foreground 80%"))

"""A few lines of text to write, plain whatever is pasted into it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence

from textual import events, on
from textual.widgets import TextArea

from engine.domain.text import printable
from tui.terminal.closed_widgets import forget_watcher
from tui.widgets.base.key_order import carry_out
from tui.widgets.forms.file_autocomplete import FileAutocomplete, matching
from tui.widgets.forms.text_input import LETTERS
from tui.widgets.status.toast import app_of

_MENTION = re.compile(r"(?:^|(?<=[\s(]))@([^\s@]*)$")
Files = Callable[[], Awaitable[Sequence[str]]]


class PromptArea(TextArea):
    """Text area without characters that could act on a terminal; `tab` leaves it.

    With `files`, `@` and some letters offer those names in `mentions`.
    """

    DEFAULT_CSS = """
    PromptArea {
        height: 8; padding: 0 1; background: $panel; margin-bottom: 1;
        scrollbar-size-vertical: 1;
        & .text-area--placeholder { color: $secondary; }
    }
    """

    def __init__(
        self,
        text: str,
        *,
        placeholder: str,
        id: str | None = None,
        files: Files | None = None,
        mentions: FileAutocomplete | None = None,
    ) -> None:
        super().__init__(
            printable(text),
            id=id,
            compact=True,
            show_line_numbers=False,
            highlight_cursor_line=False,
            tab_behavior="focus",
            placeholder=placeholder,
        )
        self.cursor_blink = False
        self._files, self._mentions = files, mentions
        self._dismissed = False

    def on_unmount(self) -> None:
        """Remove the watcher of the theme."""
        forget_watcher(app_of(self), self)

    def check_consume_key(self, key: str, character: str | None = None) -> bool:
        """Keep every letter in the text, also one that is a command elsewhere, such as `-`."""
        return super().check_consume_key(key, character or LETTERS.get(key))

    async def _on_paste(self, event: events.Paste) -> None:
        # Terminals paste the end of a line as a carriage return.
        event.text = printable("\n".join(event.text.splitlines()))

    # Files to mention

    @property
    def mentioned(self) -> str | None:
        """Text after the `@` that the cursor is behind; None where it is behind none."""
        row, column = self.cursor_location
        found = _MENTION.search(self.document.get_line(row)[:column])
        return found[1] if found and self.selection.is_empty else None

    @property
    def is_choosing(self) -> bool:
        """True while files are offered."""
        return self._mentions is not None and self._mentions.is_open

    @on(TextArea.Changed)
    def _typed(self) -> None:
        self._dismissed = False
        self._offer()

    @on(TextArea.SelectionChanged)
    def _moved(self) -> None:
        if self.mentioned is None or self.is_choosing:
            self._offer()

    def on_blur(self) -> None:
        """Offer nothing to who is elsewhere."""
        if self._mentions:
            self._mentions.close()

    def _offer(self) -> None:
        if self._mentions is None or self._files is None:
            return
        if self.mentioned is None or self._dismissed:
            self._mentions.close()
        else:
            self.run_worker(self._look_up, group="mentions", exclusive=True)

    async def _look_up(self) -> None:
        if self._files is None or self._mentions is None:
            return
        names = await self._files()
        typed = self.mentioned
        if typed is not None and self.has_focus and not self._dismissed:
            self._mentions.offer(matching(names, typed), self.cursor_screen_offset)

    def take(self, place: int | None = None) -> None:
        """Put the name at `place`, or the highlighted one, where the `@` stands."""
        typed, mentions = self.mentioned, self._mentions
        name = mentions.name_at(place) if mentions else None
        if mentions is None or typed is None or name is None:
            return
        row, column = self.cursor_location
        shown = f'"{name}"' if " " in name else name
        self.replace(f"{shown} ", (row, column - len(typed) - 1), (row, column))
        mentions.close()

    async def _on_key(self, event: events.Key) -> None:
        mentions = self._mentions
        if mentions and mentions.is_open:
            moves = {
                "down": mentions.action_cursor_down,
                "up": mentions.action_cursor_up,
                "enter": self.take,
                "tab": self.take,
                "escape": self._dismiss,
            }
            if event.key in moves:
                event.stop()
                event.prevent_default()
                moves[event.key]()
                return
        await carry_out(self, self._bindings, event)

    def _dismiss(self) -> None:
        self._dismissed = True
        if self._mentions:
            self._mentions.close()

"""One of a few, on one line: all choices in sight, the chosen one lit and in brackets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from tui.widgets.base.key_order import carry_out


class SegmentedControl(Widget, can_focus=True):
    """A choice of one word; arrows, space or a click change it."""

    DEFAULT_CSS = """
    SegmentedControl { height: 1; width: 1fr; &:disabled { opacity: 60%; } }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", show=False),
        Binding("right", "step(1)", show=False),
    ]

    class Changed(Message):
        """Another word was chosen."""

        def __init__(self, segments: SegmentedControl) -> None:
            super().__init__()
            self.segments = segments

    def __init__(self, words: Sequence[str], chosen: int = 0, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._words = list(words)
        self.chosen = chosen

    @property
    def word(self) -> str:
        """The word that is chosen."""
        return self._words[self.chosen]

    def offer(self, words: Sequence[str], chosen: int) -> None:
        """Offer other words."""
        self._words = list(words)
        self.choose(chosen)

    def choose(self, place: int) -> None:
        """Choose the word at `place`, around the ends."""
        self.chosen = place % len(self._words)
        self.refresh()
        self.post_message(self.Changed(self))

    def action_step(self, by: int) -> None:
        """Choose the next word or the one before."""
        self.choose(self.chosen + by)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """Return the width of all words."""
        del container, viewport
        return self._width

    @property
    def _width(self) -> int:
        return sum(len(word) + 3 for word in self._words) - 1

    def render(self) -> Content:
        """Draw the words."""
        lit = "bold $background on $accent" if self.has_focus else "bold $foreground on $panel"
        if self._is_cramped:
            return Content.assemble(
                ("< ", "$secondary"), (f"[{self.word}]", lit), (" >", "$secondary")
            )
        parts: list[Content | tuple[str, str]] = []
        for place, word in enumerate(self._words):
            chosen = place == self.chosen
            parts += [(f"[{word}]", lit) if chosen else (f" {word} ", "$secondary"), (" ", "")]
        return Content.assemble(*parts)

    @property
    def _is_cramped(self) -> bool:
        return 0 < self.size.width < self._width

    async def _on_key(self, event: events.Key) -> None:
        await carry_out(self, self._bindings, event)

    def on_focus(self) -> None:
        """Light up."""
        self.refresh()

    def on_blur(self) -> None:
        """Go dim."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Choose the word that was clicked."""
        offset = event.get_content_offset(self)
        if self._is_cramped and offset is not None:
            self.action_step(1 if offset.x > 1 else -1)
            return
        at = 0
        for place, word in enumerate(self._words):
            if offset is not None and at <= offset.x < at + len(word) + 2:
                self.choose(place)
            at += len(word) + 3

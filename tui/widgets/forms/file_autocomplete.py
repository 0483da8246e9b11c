"""Files to choose from while a path is typed, below the cursor and over everything else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import nsmallest

from textual.content import Content
from textual.geometry import Offset
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.terminal.cells import clean, crop

SHOWN = 8
WIDTH = 60


def matching(names: Iterable[str], typed: str, limit: int = SHOWN) -> list[str]:
    """Return the names that match the typed text, the best first: by file name, path, letters."""
    typed = typed.casefold()

    def fits() -> Iterable[tuple[int, int, str]]:
        for name in names:
            low = name.casefold()
            file = low.rpartition("/")[2]
            if low.startswith(typed) or file.startswith(typed):
                yield (0, len(name), name)
            elif typed in file:
                yield (1, len(name), name)
            elif typed in low:
                yield (2, len(name), name)
            elif _in_order(typed, low):
                yield (3, len(name), name)

    return [name for _, _, name in nsmallest(limit, fits())]


def _in_order(letters: str, text: str) -> bool:
    at = 0
    for letter in letters:
        at = text.find(letter, at) + 1
        if not at:
            return False
    return True


class FileAutocomplete(OptionList, can_focus=False):
    """Pop-up that never has the focus; the field that is typed into moves its cursor."""

    DEFAULT_CSS = """
    FileAutocomplete {
        overlay: screen; constrain: inside inflect; display: none;
        width: auto; min-width: 24; max-width: 64; height: auto; max-height: 10;
        padding: 0; margin: 0; border: round $border; background: $surface;
        scrollbar-size-vertical: 0;
        & > .option-list--option { padding: 0 1; }
    }
    """

    def __init__(self) -> None:
        super().__init__(markup=False)
        self._names: Sequence[str] = ()

    @property
    def is_open(self) -> bool:
        """True while there is something to choose."""
        return self.display

    def offer(self, names: Sequence[str], below: Offset) -> None:
        """Show names below a place of the screen; without names, nothing."""
        if not names:
            self.close()
            return
        if names != self._names or not self.is_open:
            self._names = names
            self.clear_options()
            self.add_options([Option(Content(crop(clean(name), WIDTH))) for name in names])
            self.highlighted = 0  # the same names again keep what the user has moved to
        self.absolute_offset = below + Offset(0, 1)
        self.display = True

    def close(self) -> None:
        """Show nothing."""
        self.display = False

    def name_at(self, place: int | None) -> str | None:
        """Return the name at a place, or the highlighted one."""
        place = self.highlighted if place is None else place
        return self._names[place] if place is not None and place < len(self._names) else None

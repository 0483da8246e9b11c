"""Search in the names and the diffs of all files that a run changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual.binding import Binding, BindingType

from engine.domain.errors import UserError
from engine.domain.text import printable_name
from engine.engine import Comparison, FileDelta
from tui.models.code.document import CodeDocument, read_diff
from tui.widgets.forms.input_slot import InputSlot
from tui.widgets.forms.text_input import TextInput

if TYPE_CHECKING:
    from tui.screens.changes import ChangesScreen

INPUT = "diff-search"
MAX_HITS = 10_000
HINT = "enter or down: next match · up: previous · esc leaves"


class DiffHit(NamedTuple):
    """A line of a file's diff, or its name (`line` is -1), that has the text."""

    file: FileDelta
    line: int


class DiffSearchInput(TextInput):
    """The input of the search; `↓` and `↑` go to the next and the previous match."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "step(1)", show=False),
        Binding("up", "step(-1)", show=False),
    ]

    def __init__(self, go: Callable[[int], None]) -> None:
        super().__init__(placeholder="Search names and changes", id=INPUT)
        self._go = go

    def action_step(self, by: int) -> None:
        """Go to another match."""
        self._go(by)


class DiffSearch:
    """The search of one screen of changes: each `enter` goes to the next match."""

    def __init__(self, screen: ChangesScreen) -> None:
        self._screen = screen
        self._slot = InputSlot(lambda: screen, lambda: DiffSearchInput(self.step), HINT)
        self._read: tuple[Comparison, dict[str, CodeDocument]] | None = None
        self._asked: tuple[Comparison, str] | None = None
        self._hits: list[DiffHit] = []
        self._at = 0

    @property
    def has_focus(self) -> bool:
        """Return whether the next keys are typed into the search."""
        focused = self._screen.focused  # the widget itself knows it only later
        return focused is not None and focused.id == INPUT

    def open(self) -> None:
        """Ask for the text."""
        self._asked = None
        self._slot.open()

    def leave(self) -> bool:
        """End the search; return whether there was one."""
        if not self._slot.is_open:
            return False
        self._slot.close()
        self._screen.panes.go("diff")
        return True

    def next(self) -> None:
        """Go to the next match, after the last to the first."""
        self.step(1)

    def step(self, by: int) -> None:
        """Go to the next match, or to the previous one; the first follows the last."""
        comparison = self._screen.compared.comparison
        if comparison and self._slot.text:
            work = partial(self._step, comparison, self._slot.text, by)
            self._screen.run_worker(work, group="diff", exclusive=True)

    async def _step(self, comparison: Comparison, text: str, by: int) -> None:
        if self._asked != (comparison, text):
            self._slot.show_problem("Searching …")
            documents = await self._documents(comparison)
            files = comparison.changes.files
            self._hits = await asyncio.to_thread(_hits, files, documents, text.casefold())
            self._asked, self._at = (comparison, text), -1 if by > 0 else 0
        if not self._hits:
            self._slot.show_problem("No match.")
            return
        self._at = (self._at + by) % len(self._hits)
        self._slot.show_problem(f"{self._at + 1} of {len(self._hits)} · {HINT}")
        await self._show(self._hits[self._at])

    async def _show(self, hit: DiffHit) -> None:
        screen = self._screen
        screen.files.show(screen.files.files, hit.file.path)
        await screen.show_file(hit.file)
        row = screen.code.row_of_line(hit.line)
        if row is not None:
            screen.code.go_to(row)

    async def _documents(self, comparison: Comparison) -> dict[str, CodeDocument]:
        """Read the diffs of all files once."""
        if self._read is None or self._read[0] is not comparison:
            documents: dict[str, CodeDocument] = {}
            for file in comparison.changes.files:
                if not file.binary:
                    try:
                        out = await comparison.diff(file)
                    except UserError:
                        continue  # its own diff shows the error
                    documents[file.path] = await asyncio.to_thread(read_diff, out)
            self._read = comparison, documents
        return self._read[1]


def _hits(
    files: tuple[FileDelta, ...], documents: dict[str, CodeDocument], text: str
) -> list[DiffHit]:
    found: list[DiffHit] = []
    for file in files:
        if text in printable_name(file.path).casefold():
            found.append(DiffHit(file, -1))
        lines = documents[file.path].lines if file.path in documents else []
        found += [DiffHit(file, n) for n, one in enumerate(lines) if text in one.text.casefold()]
        if len(found) >= MAX_HITS:
            break
    return found[:MAX_HITS]

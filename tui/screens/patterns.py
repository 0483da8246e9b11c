"""Patterns: each as a flow, with its runs and the effect of learning from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.dom import DOMNode

from engine.domain.pattern import StoredPattern
from engine.system.files import expanded
from tui import commands, formatting
from tui.screens.live import EditRequested, LiveScreen
from tui.terminal.cells import clean
from tui.widgets.base.too_small import COLUMNS, ROWS, TooSmall
from tui.widgets.lists.pattern_list import PatternList
from tui.widgets.lists.template_list import TemplateText
from tui.widgets.status.key_bar import KeyBar
from tui.widgets.status.toast import app_of, attempt, tell
from tui.widgets.status.top_bar import TopBar

if TYPE_CHECKING:
    from engine.engine import EventBatch
    from engine.ports.engine import EnginePort


class PatternsScreen(LiveScreen):
    """The list and what is chosen in it; both follow what runs leave."""

    DEFAULT_CSS = """
    PatternsScreen {
        background: $background;
        #patterns { height: 1fr; layout: horizontal; }
        PatternList { width: 45%; height: 1fr; }
        TemplateText { width: 1fr; height: 1fr; }
        &.-narrow #patterns { layout: vertical; }
        &.-narrow PatternList { width: 1fr; height: 30%; }
        &.-tiny, &.-short {
            TopBar, #patterns, KeyBar { display: none; }
            TooSmall { display: block; }
        }
    }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (COLUMNS, "-narrow"), (110, "-wide")]  # noqa: RUF012  Textual declares it without ClassVar
    VERTICAL_BREAKPOINTS = [(0, "-short"), (ROWS, "-tall")]  # noqa: RUF012  Textual declares it without ClassVar
    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("patterns")

    listed = getters.query_one(PatternList)
    text = getters.query_one(TemplateText)

    def __init__(self, engine: EnginePort, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self._ended: tuple[int, int] | None = None

    def compose(self) -> ComposeResult:
        """Compose the screen."""
        yield TopBar()
        with Container(id="patterns"):
            yield PatternList()
            yield TemplateText()
        yield TooSmall()
        yield KeyBar()

    def on_screen_resume(self) -> None:
        """Look again: there may be others."""
        self.listed.focus()
        self.look()

    def take(self, batch: EventBatch) -> None:
        """Look again when a run has ended."""
        super().take(batch)
        ended = len(self.engine.view.runs), len(self.engine.view.live)
        if ended != self._ended:
            self._ended = ended
            self.look()

    def carrier(self, scope: str) -> DOMNode | None:
        """Return the object that carries out the commands of a scope here."""
        return self if scope == "patterns" else None

    @work(group="look", exclusive=True)
    async def look(self, choose: str | None = None) -> None:
        """Show the patterns as they are now."""
        found = await attempt(app_of(self), self.engine.patterns.all())
        if found is not None:
            self.listed.show(found, choose)

    @on(PatternList.PatternSelected)
    def _show(self) -> None:
        known = self.listed.chosen
        if known:
            self.text.show(f"Pattern {known.id}", formatting.pattern_lines(known))
        else:
            self.text.show("Pattern", [])
        self.refresh_bindings()

    # What can be done

    def action_edit(self) -> None:
        """Open the pattern in the user's editor; what is saved is checked, and kept."""
        if known := self.listed.chosen:
            self.run_worker(self._edit(known), group="edit", exclusive=True)

    async def _edit(self, known: StoredPattern) -> None:
        patterns = self.engine.patterns
        path = await attempt(app_of(self), patterns.begin_edit(known.id))
        if path:
            taken = partial(self._do, lambda: patterns.end_edit(known.id, path), "Kept")
            self.post_message(EditRequested(path, taken))

    def action_import(self) -> None:
        """Take a pattern in from a file."""

        async def take(typed: str) -> None:
            known = await self.engine.patterns.save_file(_path(typed))
            self._done(known, "Imported")

        self._ask("Import a pattern", "", "Path of an exported file.", "Import", take)

    def action_export(self) -> None:
        """Write the pattern into a file."""
        known = self.listed.chosen
        if known is None:
            return

        async def write(typed: str) -> None:
            patterns = self.engine.patterns
            await patterns.write(await patterns.export(known.id), _path(typed))
            tell(app_of(self), f"Written: {typed.strip()}")

        hint = "Path of the file; an existing file is replaced."
        self._ask("Export the pattern", f"{known.id}.yaml", hint, "Export", write)

    def _ask(
        self,
        heading: str,
        text: str,
        hint: str,
        button: str,
        send: Callable[[str], Awaitable[None]],
    ) -> None:
        from tui.screens.write import WriteDialog, WriteRequest

        app_of(self).push_screen(
            WriteDialog(WriteRequest(heading, text, hint, button, send, is_line=True))
        )

    def action_remove(self) -> None:
        """Delete the pattern, after a question."""
        from tui.screens.confirm import ConfirmChoice, confirm

        known = self.listed.chosen
        if known is None:
            return

        def remove() -> None:
            self.run_worker(self._do(lambda: patterns.remove(known.id), "Deleted"))

        patterns = self.engine.patterns
        question = f"Delete this pattern: {clean(known.pattern.goal, 200)}? No run is affected."
        choice = ConfirmChoice("remove", "d", "Delete it (u undoes)", is_danger=True)
        confirm(app_of(self), question, choice, remove)

    async def action_undo(self) -> None:
        """Bring back the pattern that was removed last."""
        await self._do(self.engine.patterns.bring_back, "Back")

    async def _do(self, what: Callable[[], Awaitable[StoredPattern]], word: str) -> None:
        known = await attempt(app_of(self), what())
        if known:
            self._done(known, word)

    def _done(self, known: StoredPattern, word: str) -> None:
        tell(app_of(self), f"{word}: {known.pattern.goal[:80]}")
        self.look(known.id)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey what needs a pattern where there is none."""
        del parameters
        needs_one = action in ("edit", "export", "remove", "learn")
        return None if needs_one and self.listed.chosen is None else True

    async def action_back(self) -> None:
        """Go back to the runs."""
        await app_of(self).run_action("app.runs")


def _path(typed: str) -> Path:
    return Path.cwd() / expanded(typed.strip())

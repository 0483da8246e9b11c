"""Apply of runs' changes: a preview of each, the mode, then one run after another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Label, Static

from engine.domain.apply_outcome import ApplyOutcome
from engine.domain.errors import UserError
from engine.domain.model import Run
from engine.engine import ApplyMode, ApplyOptions, RunApplied, apply_run
from tui import formatting
from tui.formatting import apply_rows
from tui.formatting.apply_rows import ApplyRow
from tui.screens.dialog import Dialog
from tui.terminal.cells import crop
from tui.widgets.forms.prompt_area import PromptArea
from tui.widgets.forms.segmented_control import SegmentedControl
from tui.widgets.runs.apply_list import ApplyList
from tui.widgets.status.toast import app_of, tell

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

WAYS = (ApplyMode.EDITS, ApplyMode.COMMIT, ApplyMode.MERGE, ApplyMode.PATCH)
WORDS = ("edits", "commit", "merge", "patch")
MANY, EVERY = 100, 20
"""Files of a run from which on they are counted, and how often that is shown."""
MEANINGS = {
    ApplyMode.EDITS: "Plain edits in the working tree; nothing is committed.",
    ApplyMode.COMMIT: "A commit on the run's own branch; your files stay as they are.",
    ApplyMode.MERGE: "A commit on the run's branch, merged into the current branch.",
    ApplyMode.PATCH: "A patch file beside the run; your files stay as they are.",
}


class ApplyDialog(Dialog[bool]):
    """Dialog that checks in the background, then applies the runs one after another.

    A run that does not fit is passed over; afterwards what is left is checked again, and can be
    applied. Answers whether all were applied.
    """

    DEFAULT_CSS = """
    ApplyDialog {
        .box { width: 92; padding: 1 2 0 2; }
        .row { height: 1; margin-bottom: 1; }
        .name { width: 12; color: $secondary; }
        #meaning { height: 1; margin-bottom: 1; color: $secondary; }
        #message { height: 5; margin: 1 0 0 0; display: none; }
        #end { height: auto; color: $secondary; margin-top: 1; }
        &.-with-message #message { display: block; }
        .buttons { margin: 1 0 1 0; }
        &.-short {
            .box { padding: 0 2; }
            #message { height: 4; }
            .buttons { margin: 0; }
        }
    }
    """

    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012  Textual declares it without ClassVar
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s,ctrl+enter", "apply", "apply"),
        Binding("R", "resolve", "resume", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("down,j", "scroll_runs(1)", show=False),
        Binding("up,k", "scroll_runs(-1)", show=False),
        Binding("home,g", "scroll_runs(-1000000)", show=False),
        Binding("end,G", "scroll_runs(1000000)", show=False),
    ]

    button = getters.query_one("#apply", Button)
    area = getters.query_one(PromptArea)
    shown = getters.query_one(ApplyList)

    def __init__(self, engine: EnginePort, runs: Sequence[Run]) -> None:
        super().__init__()
        self._engine = engine
        self._rows = [ApplyRow(run) for run in runs]
        self._progress = ""
        """Progress of an apply; empty while there is none."""
        self._count = ""
        self._is_stopping = False
        self._applying: asyncio.Task[RunApplied] | None = None
        self._is_over = False
        """True if the runs were applied, as far as they fitted."""

    def compose(self) -> ComposeResult:
        """Compose the dialog."""
        many = len(self._rows) > 1
        what = f"{len(self._rows)} runs" if many else crop(formatting.title(self._rows[0].run), 60)
        with Vertical(classes="box") as box:
            box.border_title = Content(f"Apply · {what}")
            box.border_subtitle = Content("^s apply · ← → mode · esc back")
            with Horizontal(classes="row"):
                yield Label(Content("Mode"), classes="name")
                yield SegmentedControl(WORDS, 0, id="how")
            yield Static(id="meaning")
            yield ApplyList(id="found")
            yield PromptArea("", id="message", placeholder="The commit's message")
            yield Static(id="end")
            with Horizontal(classes="buttons"):
                yield Button(Content("Ask agent (R)"), id="resolve", compact=True)
                yield Button(Content("Apply"), id="apply", compact=True, disabled=True)

    def on_mount(self) -> None:
        """Begin with the harmless mode, and check."""
        self.query_one(SegmentedControl).focus()
        if len(self._rows) == 1:
            self.run_worker(self._suggest, group="message")
        self._check()

    @property
    def _how(self) -> ApplyMode:
        return WAYS[self.query_one(SegmentedControl).chosen]

    async def _suggest(self) -> None:
        """Offer the agent's own words as the commit's message."""
        try:
            message = await self._engine.workspaces.message(self._rows[0].run.id)
        except UserError:
            return
        if not self.area.text:
            self.area.text = message

    # Checking

    @on(SegmentedControl.Changed)
    def _check(self) -> None:
        """Check all that is not applied again, with the chosen mode."""
        if self._progress:
            return
        commits = self._how in (ApplyMode.COMMIT, ApplyMode.MERGE)
        self.set_class(commits and len(self._rows) == 1, "-with-message")
        self.query_one("#meaning", Static).update(Content(MEANINGS[self._how]))
        for row in self._rows:
            row.checked = None
        self._name_targets()
        self.shown.show([apply_rows.block(row) for row in self._rows])
        self._draw_end()
        self.run_worker(self._check_rows, group="check", exclusive=True)

    async def _check_rows(self) -> None:
        options = ApplyOptions(self._how, check=True)
        for place, row in enumerate(self._rows):
            if not (row.is_applied or row.is_handed_over):
                row.checked = await apply_run(self._engine.workspaces, row.run.id, options)
                self._draw(place)

    def _name_targets(self) -> None:
        """Name where each run's changes go, but not the same place in two rows below each other."""
        above = ""
        for row in self._rows:
            where = self._where(row.run)
            row.where, above = ("" if where == above else where), where

    # Applying

    @on(Button.Pressed, "#apply")
    def action_apply(self) -> None:
        """Apply the runs that may fit, or close the dialog where there is nothing left."""
        if self._progress:
            return
        if any(row.can_apply for row in self._rows):
            self._progress = "Applying …"
            self.workers.cancel_group(self, "check")  # pyright: ignore[reportUnknownMemberType]  the library's type is partial
            self._draw_end()
            self.run_worker(self._apply, group="apply")
        elif self._is_over:
            self.dismiss(self._is_all)

    def action_leave(self) -> None:
        """Close; in the middle of an apply, stop before the next file is in its place."""
        if not self._progress:
            self.dismiss(self._is_all if self._is_over else None)
            return
        self._is_stopping = True
        if self._applying:
            self._applying.cancel()
        self._draw_end()

    @property
    def _is_all(self) -> bool:
        return all(row.is_applied for row in self._rows)

    async def _apply(self) -> None:
        self._is_stopping = False
        how = self._how
        waiting = [place for place, row in enumerate(self._rows) if row.can_apply]
        try:
            for number, place in enumerate(waiting, start=1):
                self._count = f"Applying {number}/{len(waiting)}"
                self._progress = f"{self._count} …"
                await self._apply_row(place, how)
        finally:
            self._progress, self._is_over = "", True
        only = self._rows[0]
        if len(self._rows) == 1 and only.is_applied:
            tell(app_of(self), f"{formatting.title(only.run)}: {only.words}", stays=True)
            self.dismiss(True)
            return
        self._draw_end()
        if not self._is_stopping and len(self._rows) > 1:
            self.run_worker(self._check_again, group="check", exclusive=True)

    async def _apply_row(self, place: int, how: ApplyMode) -> None:
        row = self._rows[place]
        row.checked, row.is_stopped = None, self._is_stopping
        if not self._is_stopping:
            row.is_busy = True
            self._draw(place)
            self.shown.show_block(place)
            try:
                row.done = await self._apply_run(row, how)
            except asyncio.CancelledError:
                if not self._is_stopping:
                    raise
                row.is_stopped = True
            row.is_busy = False
        self._draw(place)

    async def _apply_run(self, row: ApplyRow, how: ApplyMode) -> RunApplied:
        """Apply one run; nothing of it keeps the next from being applied."""
        message = self.area.text if len(self._rows) == 1 else ""
        if how is ApplyMode.PATCH:
            try:
                path = await self._engine.workspaces.save_patch(row.run.id)
            except UserError as error:
                return RunApplied(row.run.id, ApplyOutcome.SKIPPED, error=error)
            row.words = f"patch saved: {path}. `git apply` takes it."
            return RunApplied(row.run.id, ApplyOutcome.APPLIED)
        looked = partial(asyncio.get_running_loop().call_soon_threadsafe, self._draw_count)
        options = ApplyOptions(how, message=message, looked=looked)
        work = apply_run(self._engine.workspaces, row.run.id, options)
        self._applying = asyncio.ensure_future(work)
        try:
            done = await self._applying
        finally:
            self._applying = None
        row.words = apply_rows.done_words(row.run, how, done.result)
        return done

    def _draw_count(self, done: int, of: int) -> None:
        """Show the number of files of the present run, where there are many."""
        if self._progress and of >= MANY and done % EVERY == 0:
            self._progress = f"{self._count} · {done:,} of {of:,} files …"
            self._draw_end()

    async def _check_again(self) -> None:
        """Check what did not fit again: with others applied before it, it may fit now."""
        options = ApplyOptions(self._how, check=True)
        for place, row in enumerate(self._rows):
            if row.conflicts and not row.is_handed_over:
                row.checked = await apply_run(self._engine.workspaces, row.run.id, options)
                self._draw(place)

    # Conflicts

    @on(Button.Pressed, "#resolve")
    def action_resolve(self) -> None:
        """Hand each conflict to the agent of its run."""
        if not self._progress and any(row.can_resolve for row in self._rows):
            self._progress = "Asking …"
            self._draw_end()
            self.run_worker(self._resolve, group="apply")

    async def _resolve(self) -> None:
        self._is_stopping = False
        try:
            for place, row in enumerate(self._rows):
                if row.can_resolve and not self._is_stopping:
                    await self._resolve_run(row)
                    self._draw(place)
        finally:
            self._progress, self._is_over = "", True
        self._draw_end()
        self.run_worker(self._check_again, group="check", exclusive=True)

    async def _resolve_run(self, row: ApplyRow) -> None:
        """Update a run onto its base; where that conflicts, its agent is asked to resolve it."""
        try:
            done = await self._engine.updates.resolve(row.run.id)
        except UserError as error:
            row.note = f"{error.message} {error.recovery}"
            return
        row.is_handed_over = done.is_resumed
        row.note = apply_rows.RESUMED if done.is_resumed else apply_rows.UPDATED

    # What is shown

    def action_page(self, direction: int) -> None:
        """Scroll the runs by a page."""
        self.action_scroll_runs(direction * self.shown.page)

    def action_scroll_runs(self, lines: int) -> None:
        """Scroll the runs by lines, as far as there are any."""
        view = self.shown
        view.scroll_to(y=view.scroll_offset.y + lines, animate=False, force=True)

    def _draw(self, place: int) -> None:
        """Draw one run, and what depends on all."""
        self.shown.replace(place, apply_rows.block(self._rows[place]))
        self._draw_end()

    def _draw_end(self) -> None:
        end, words = self.query_one("#end", Static), self._end()
        end.update(Content(words))
        end.display = bool(words)
        left = sum(row.can_apply for row in self._rows)
        label = "Apply" if not self._is_over else f"Apply the rest ({left})" if left else "Close"
        if str(self.button.label) != label:
            self.button.label = Content(label)
            self.button.refresh(layout=True)  # a label of another length needs another width
        self.button.disabled = bool(self._progress) or not (left or self._is_over)
        resolve = self.query_one("#resolve", Button)
        resolve.display = not self._progress and any(row.can_resolve for row in self._rows)

    def _end(self) -> str:
        if self._progress:
            return self._progress + (" Stopping …" if self._is_stopping else " esc stops.")
        if self._is_over:
            return apply_rows.summary(self._rows)
        if len(self._rows) > 1:
            return "Applied in order; a run that does not fit is passed over."
        return ""

    def _where(self, run: Run) -> str:
        place = run.workspace
        source = apply_rows.source_words(run)
        if self._how is ApplyMode.PATCH:
            return str(self._engine.paths.run(run.id)) if place else ""
        if self._how is ApplyMode.EDITS or place is None or place.branch is None:
            return source
        then = ", then the current branch" if self._how is ApplyMode.MERGE else ""
        return f"{source}, branch {place.branch}{then}"

"""Apply of runs' changes: a preview of each, the mode, then one run after another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Label, Static

from engine.domain.errors import UserError
from engine.domain.model import Run
from engine.engine import ApplyMode
from tui import formatting
from tui.formatting import apply_rows
from tui.formatting.apply_rows import ApplyRow
from tui.screens.applying import RunApplies
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
        self._applies = RunApplies(engine, self._rows, self._draw)

    def compose(self) -> ComposeResult:
        """Compose the dialog."""
        many = len(self._rows) > 1
        what = f"{len(self._rows)} runs" if many else crop(formatting.title(self._rows[0].run), 60)
        with Vertical(classes="box") as box:
            box.border_title = Content(f"Apply · {what}")
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
        if self._applies.is_working:
            return
        commits = self._how in (ApplyMode.COMMIT, ApplyMode.MERGE)
        self.set_class(commits and len(self._rows) == 1, "-with-message")
        self.query_one("#meaning", Static).update(Content(MEANINGS[self._how]))
        for row in self._rows:
            row.checked = None
        self._name_targets()
        self.shown.show([apply_rows.block(row) for row in self._rows])
        self._draw_end()
        self._check_places(self._applies.unapplied)

    def _check_places(self, places: Sequence[int]) -> None:
        work = partial(self._applies.check, places, self._how)
        self.run_worker(work, group="check", exclusive=True)

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
        if self._applies.is_working:
            return
        if any(row.can_apply for row in self._rows):
            self.workers.cancel_group(self, "check")  # pyright: ignore[reportUnknownMemberType]  the library's type is partial
            self._applies.begin("Applying")
            self._draw_end()
            self.run_worker(self._apply, group="apply")
        elif self._applies.is_over:
            self.dismiss(self._applies.is_all)

    def action_leave(self) -> None:
        """Close; in the middle of an apply, stop before the next file is in its place."""
        if self._applies.is_working:
            self._applies.stop()
            self._draw_end()
        else:
            self.dismiss(self._applies.is_all if self._applies.is_over else None)

    async def _apply(self) -> None:
        only = self._rows[0] if len(self._rows) == 1 else None
        await self._applies.apply(self._how, self.area.text if only else "")
        if only and only.is_applied:
            tell(app_of(self), f"{formatting.title(only.run)}: {only.words}", stays=True)
            self.dismiss(True)
            return
        self._draw_end()
        if not (only or self._applies.is_stopping):
            self._check_places(self._applies.conflicts)

    # Conflicts

    @on(Button.Pressed, "#resolve")
    def action_resolve(self) -> None:
        """Hand each conflict to the agent of its run."""
        if not self._applies.is_working and any(row.can_resolve for row in self._rows):
            self._applies.begin("Asking agents")
            self._draw_end()
            self.run_worker(self._resolve, group="apply")

    async def _resolve(self) -> None:
        await self._applies.hand_over()
        self._draw_end()
        self._check_places(self._applies.conflicts)

    # What is shown

    def action_page(self, direction: int) -> None:
        """Scroll the runs by a page."""
        self.action_scroll_runs(direction * self.shown.page)

    def action_scroll_runs(self, lines: int) -> None:
        """Scroll the runs by lines, as far as there are any."""
        view = self.shown
        view.scroll_to(y=view.scroll_offset.y + lines, animate=False, force=True)

    def _draw(self, place: int | None) -> None:
        """Draw one run, if any, and what depends on all."""
        if place is not None:
            row = self._rows[place]
            self.shown.replace(place, apply_rows.block(row))
            if row.is_busy:
                self.shown.show_block(place)
        self._draw_end()

    def _draw_end(self) -> None:
        end, words = self.query_one("#end", Static), self._end()
        end.update(Content(words))
        end.display = bool(words)
        is_working, is_over = self._applies.is_working, self._applies.is_over
        keys = f"^s apply · ← → mode · esc {'stop' if is_working else 'back'}"
        box = self.query_one(".box", Vertical)
        if box.border_subtitle != keys:  # to write it paints all
            box.border_subtitle = keys
        left = sum(row.can_apply for row in self._rows)
        label = "Apply" if not is_over else f"Apply the rest ({left})" if left else "Close"
        if str(self.button.label) != label:
            self.button.label = Content(label)
            self.button.refresh(layout=True)  # a label of another length needs another width
        self.button.disabled = is_working or not (left or is_over)
        resolve = self.query_one("#resolve", Button)
        resolve.display = not is_working and any(row.can_resolve for row in self._rows)

    def _end(self) -> str:
        if self._applies.progress:
            return self._applies.progress
        if self._applies.is_over:
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

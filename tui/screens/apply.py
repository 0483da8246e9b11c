"""Taking runs' changes home: what would come, where to, what stands in the way; then doing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Label, Static

from engine.domain import lifecycle
from engine.domain.errors import UserError
from engine.domain.model import Run, Workspace
from engine.engine import ApplyMode, ApplyResult
from tui import formatting
from tui.formatting.applied import committed
from tui.screens.dialog import Dialog
from tui.terminal.cells import clean, crop
from tui.widgets.forms.prompt_area import PromptArea
from tui.widgets.forms.segmented_control import SegmentedControl
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
SHOWN = 4
"""Files that are named of each run."""
WAY_OUT = "Commit or move these files, or apply as a commit or a patch."
NOT_TRIED = "Not tried: an earlier run conflicts."


@dataclass(slots=True)
class ApplyRow:
    """Row of the dialog: one run, and the state of its apply."""

    run: Run
    told: ApplyResult | None = None
    error: UserError | None = None
    done: str = ""
    """What was done, in words."""
    is_left: bool = False
    """Whether one before it did not fit."""


class ApplyDialog(Dialog[bool]):
    """Dialog that checks in the background, then applies the runs one after another.

    It stops at the first that does not fit, and shows which were applied and which not. Answers
    whether all were.
    """

    DEFAULT_CSS = """
    ApplyDialog {
        .box { width: 92; padding: 1 2 0 2; }
        .row { height: 1; margin-bottom: 1; }
        .name { width: 12; color: $secondary; }
        #meaning { height: 1; margin-bottom: 1; color: $secondary; }
        #found { height: auto; max-height: 16; scrollbar-size-vertical: 1; }
        #found Static { height: auto; }
        #message { height: 5; margin: 1 0 0 0; display: none; }
        #end { height: auto; color: $secondary; margin-top: 1; }
        &.-with-message #message { display: block; }
        .buttons { margin: 1 0 1 0; }
        &.-short {
            .box { padding: 0 2; }
            #found { max-height: 8; }
            #message { height: 4; }
            .buttons { margin: 0; }
        }
    }
    """

    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012  Textual declares it without ClassVar
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s,ctrl+enter", "apply", "apply"),
        Binding("pagedown,pageup", "page", show=False),
    ]

    button = getters.query_one("#apply", Button)
    area = getters.query_one(PromptArea)

    def __init__(self, engine: EnginePort, runs: Sequence[Run]) -> None:
        super().__init__()
        self._engine = engine
        self._rows = [ApplyRow(run) for run in runs]
        self._message = ""
        self._is_busy = False
        self._is_over = False

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
            with VerticalScroll(id="found", can_focus=False):
                yield Static(id="rows")
            yield PromptArea("", id="message", placeholder="The commit's message")
            yield Static(id="end")
            with Horizontal(classes="buttons"):
                yield Button(Content("Apply"), id="apply", compact=True, disabled=True)

    def on_mount(self) -> None:
        """Begin with the harmless way, and look."""
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
            self._message = await self._engine.workspaces.message(self._rows[0].run.id)
        except UserError:
            return
        if not self.area.text:
            self.area.text = self._message

    # Looking

    @on(SegmentedControl.Changed)
    def _check(self) -> None:
        """Check again, with the chosen mode."""
        if self._is_over or self._is_busy:
            return
        commits = self._how in (ApplyMode.COMMIT, ApplyMode.MERGE)
        self.set_class(commits and len(self._rows) == 1, "-with-message")
        self.query_one("#meaning", Static).update(Content(MEANINGS[self._how]))
        for row in self._rows:
            row.told = row.error = None
        self._draw()
        self.run_worker(self._look, group="look", exclusive=True)

    async def _look(self) -> None:
        for row in self._rows:
            try:
                row.told = await self._engine.workspaces.apply(row.run.id, self._how, check=True)
            except UserError as error:
                row.error = error
            self._draw()

    # Doing

    @on(Button.Pressed)
    def action_apply(self) -> None:
        """Apply the runs, then leave."""
        if self._is_over:
            self.dismiss(all(row.done for row in self._rows))
        elif not self.button.disabled and not self._is_busy:
            self._is_busy = True
            self._draw()
            self.run_worker(self._apply, group="apply")

    def action_leave(self) -> None:
        """Leave, but not in the middle of it."""
        if not self._is_busy:
            super().action_leave()

    async def _apply(self) -> None:
        how, message = self._how, self.area.text if len(self._rows) == 1 else ""
        failed = False
        for row in self._rows:
            row.is_left = failed
            if failed:
                continue
            try:
                row.done = await self._take(row.run, how, message)
            except UserError as error:
                row.error, row.told, failed = error, None, True
            self._draw()
        self._is_busy, self._is_over = False, True
        if failed or len(self._rows) > 1:
            self._draw()
            return
        tell(
            app_of(self), f"{formatting.title(self._rows[0].run)}: {self._rows[0].done}", stays=True
        )
        self.dismiss(True)

    async def _take(self, run: Run, how: ApplyMode, message: str) -> str:
        if how is ApplyMode.PATCH:
            path = await self._engine.workspaces.save_patch(run.id)
            return f"patch saved: {path}. `git apply` takes it."
        done = await self._engine.workspaces.apply(run.id, how, message=message)
        if not done.files:
            return "nothing was new."
        count = _files(len(done.files))
        if how is ApplyMode.EDITS:
            source = run.workspace.source if run.workspace else ""
            return f"{count} edited in {clean(source or '', 200)}; nothing is committed."
        return f"{count} {committed(done, how)}."

    # What is shown

    def _draw(self) -> None:
        lines: list[Content] = []
        for row in self._rows:
            lines += self._describe(row)
        self.query_one("#rows", Static).update(Content("\n").join(lines))
        end, words = self.query_one("#end", Static), self._end()
        end.update(Content(words))
        end.display = bool(words)
        first = self._rows[0]
        comes = any(row.told and row.told.fits and row.told.files for row in self._rows)
        waits = any(row.told is None and row.error is None for row in self._rows)
        self.button.label = Content("Close" if self._is_over else "Apply")
        # With several, those before the first that does not fit can come.
        usable = comes and not waits and not first.error and bool(first.told and first.told.fits)
        self.button.disabled = not (self._is_over or (usable and not self._is_busy))

    def _end(self) -> str:
        if self._is_over:
            applied = sum(bool(row.done) for row in self._rows)
            return f"{applied} of {len(self._rows)} applied."
        if self._is_busy:
            return "Applying …"
        first = self._rows[0].told
        if len(self._rows) > 1 and first and not first.fits:
            return "The first run conflicts: fix the conflict, or unmark the run."
        if len(self._rows) > 1:
            return "Applied in order up to the first conflict; each was checked alone."
        return ""

    def _describe(self, row: ApplyRow) -> list[Content]:
        run = row.run
        counts = formatting.changed(run)
        head = Content.assemble(
            (f"{formatting.glyph(run.status)} ", formatting.TONES[formatting.run_tone(run)]),
            (crop(formatting.title(run), 40), "bold"),
            (f"  {run.id}", "$secondary"),
            (f"  {counts}", "$foreground"),
            ("  still at work" if _is_at_work(run) else "", "$warning"),
        )
        lines = [head]
        if run.workspace:
            lines.append(_line("dim", f"to {self._where(run, run.workspace)}"))
        return [*lines, *self._state(row)]

    def _where(self, run: Run, place: Workspace) -> str:
        source = place.source or ""
        if self._how is ApplyMode.PATCH:
            return str(self._engine.paths.run(run.id))
        if self._how is ApplyMode.EDITS or place.branch is None:
            return source
        then = ", then the current branch" if self._how is ApplyMode.MERGE else ""
        return f"{source}, branch {place.branch}{then}"

    def _state(self, row: ApplyRow) -> list[Content]:
        if row.is_left:
            return [_line("warn", NOT_TRIED)]
        if row.done:
            return [_line("good", row.done)]
        if row.error:
            return [_line("bad", row.error.message), _line("dim", row.error.recovery)]
        if row.told is None:
            return [_line("dim", "looking …")]
        if row.told.clashes:
            named = [
                f"{clean(clash.path, 200)} {clash.why}".strip()
                for clash in row.told.clashes[:SHOWN]
            ]
            more = len(row.told.clashes) - SHOWN
            named += [f"and {more} more"] if more > 0 else []
            listed = [_line("bad", f"  {one}") for one in named]
            return [_line("bad", "does not fit:"), *listed, _line("dim", WAY_OUT)]
        if not row.told.files:
            return [_line("dim", "nothing new: all of it is there already")]
        names = ", ".join(clean(name, 100) for name in row.told.files[:SHOWN])
        more = len(row.told.files) - SHOWN
        text = f"{_files(len(row.told.files))}: {names}{f' and {more} more' if more > 0 else ''}"
        left = len(row.told.left_out)
        out = [_line("warn", f"{_files(left)} could not be read, and stay out")] if left else []
        names = ", ".join(clean(name, 100) for name in row.told.links_left[:SHOWN])
        if names:
            out += [_line("warn", f"edits do not set the commit of a submodule: {names}")]
        return [_line("good", text), *out]


def _is_at_work(run: Run) -> bool:
    return run.status in lifecycle.ACTIVE


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"


def _line(tone: str, text: str) -> Content:
    return Content.styled(f"  {clean(text, 1000)}", formatting.TONES[tone])

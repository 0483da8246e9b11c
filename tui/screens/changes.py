"""Changes of a run: the files on the left, the diff of the chosen one on the right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.dom import DOMNode
from textual.widgets import Input

from engine.domain.errors import UserError
from engine.domain.model import Run
from engine.engine import Comparison, FileDelta
from tui import commands
from tui.models.code.document import CodeDocument
from tui.screens.allowed import allows, why_not
from tui.screens.annotating import ARCHIVED, AnnotationActions
from tui.screens.comment_sender import CommentSender
from tui.screens.comparisons import Comparisons
from tui.screens.diff import DiffScreen
from tui.screens.diff_search import DiffSearch
from tui.screens.live import CodeRequested, stop_work
from tui.screens.review_comments import ReviewComments, ReviewedBanner
from tui.screens.review_decisions import ReviewDecisions
from tui.screens.reviewed_files import ReviewedFiles
from tui.screens.reviewing import REVIEW_ACTIONS, Review
from tui.screens.shown_comparison import ShownComparison
from tui.screens.turn_view import TurnBanner, TurnView
from tui.screens.updating import WorkspaceUpdates
from tui.widgets.code.diff_panes import DiffPanes
from tui.widgets.files.changed_files import ChangedFiles
from tui.widgets.runs.review_header import ReviewHeader
from tui.widgets.status.key_bar import KeyBar
from tui.widgets.status.toast import app_of
from tui.widgets.status.top_bar import TopBar

if TYPE_CHECKING:
    from engine.engine import EventBatch
    from engine.ports.engine import EnginePort

P = TypeVar("P")

OF_A_FILE = frozenset(
    {
        *("open", "whole", "beside", "reviewed", "tree", "search"),
        *("next_hunk", "last_hunk", "next_file", "last_file"),
    }
)
"""Actions that need a changed file."""


def _by(
    part: Callable[[ChangesScreen], P], act: Callable[[P], object]
) -> Callable[[ChangesScreen], None]:
    """Return an action of the screen that a part of it carries out."""

    def action(screen: ChangesScreen) -> None:
        act(part(screen))

    return action


_comments = attrgetter("comments")
_review: Callable[[ChangesScreen], Review] = attrgetter("review")
_decisions = attrgetter("review.decisions")


class ChangesScreen(DiffScreen):
    """Comparison of the workspace with its first state, or with a checkpoint."""

    DEFAULT_CSS = "ChangesScreen { background: $background; }"
    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("changes")
    NO_TEXT = "Not text: there are no lines to compare. o opens it in your editor."
    NO_LINES = "No line of it changed."

    def __init__(self, engine: EnginePort, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self.turn = TurnView(self)
        self.comments = ReviewComments(self)
        self.annotations = AnnotationActions(self, self._place)
        self.comparisons = Comparisons(self)
        self.compared = ShownComparison(self)
        self.review = Review(self)
        self.updates = WorkspaceUpdates(self, self._place)
        self.reviewed = ReviewedFiles(self)
        self.search = DiffSearch(self)

    def compose(self) -> ComposeResult:
        """Compose the screen."""
        yield TopBar()
        yield ReviewHeader()
        yield TurnBanner()
        yield ReviewedBanner()
        yield DiffPanes()
        yield KeyBar()

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Return whether a key is one of the review: here it never means anything else."""
        del character
        if self.search.has_focus:
            return key == "escape"
        return any(one.id for one in self._bindings.key_to_bindings.get(key, ()))

    @property
    def comparison(self) -> Comparison | None:
        """The comparison that is shown; None until it is there."""
        return self.compared.comparison

    def carrier(self, scope: str) -> DOMNode | None:
        """Return the object that carries out the commands of a scope here."""
        return self if scope == "changes" else super().carrier(scope)

    # What is compared

    def open(self, run_id: str, path: str | None) -> None:
        """Show all that a run changed, beginning with one file."""
        self.comparisons.clear()
        self.panes.is_zoomed = False
        self.panes.go("diff" if path or self.panes.is_single else "files")
        self.show_run(run_id, path)

    def show_run(self, run_id: str, path: str | None = None) -> None:
        """Show another run in the same panes; the diff of the one before is no longer read."""
        self.workers.cancel_group(self, "diff")  # pyright: ignore[reportUnknownMemberType]  the library's type is partial
        self.run_id = run_id
        self.turn.forget()
        self.turn.follow(self.run)
        self.review.show()
        self.compared.begin(path)

    def action_refresh(self) -> None:
        """Compare with the workspace as it is now."""
        self.compared.refresh()

    @property
    def since(self) -> int:
        """The checkpoint that is compared with; 0 for all changes."""
        return self.compared.since

    def show_totals(self) -> None:
        """Show the totals in the title."""
        self.compared.show_totals()

    # What happens meanwhile

    async def on_unmount(self) -> None:
        """Store what is still being written."""
        await self.comments.drafts.store()

    def on_screen_resume(self) -> None:
        """Show a note where the changes became others while another screen was shown."""
        self.compared.check_measured()

    def take(self, batch: EventBatch) -> None:
        """Show a note where the workspace changed since it was read; nothing moves by itself."""
        super().take(batch)
        if self.run_id in batch.runs:
            self.turn.follow(self.run)
            self.comments.follow()
            self.reviewed.follow()
        self.review.take(batch)
        self.compared.take(batch.events)

    # One file

    def show_diff(self, file: FileDelta, *, at_end: bool = False) -> None:
        """Show the measured changes of a file, from its first change or its last."""
        self.turn.is_shown = False
        super().show_diff(file, at_end=at_end)

    async def show_file(self, file: FileDelta, *, at_end: bool = False) -> None:
        """Show the measured changes of a file, and wait for them."""
        self.turn.is_shown = False
        await super().show_file(file, at_end=at_end)

    async def document(self, comparison: Comparison, file: FileDelta) -> CodeDocument:
        """Return the diff of a file; raises `UserError`."""
        known = self.comparisons.document(comparison, file)
        return await super().document(comparison, file) if known is None else known

    # What the user asks for

    def action_open(self) -> None:
        """Go to the diff of the chosen file, or fold the folder."""
        if not (self.files.has_focus and self.files.fold()):
            self.panes.go("diff")

    @on(Input.Submitted, "#diff-search")
    def _next_match(self) -> None:
        self.search.next()

    action_search = _by(attrgetter("search"), DiffSearch.open)
    action_tree = _by(attrgetter("files"), ChangedFiles.toggle_flat)
    action_reviewed = _by(attrgetter("reviewed"), ReviewedFiles.toggle)
    action_turn = _by(attrgetter("turn"), TurnView.toggle)

    def why_not(self, command_id: str) -> UserError | None:
        """Return why there are no patches of a turn, or why a decision is not possible."""
        if command_id == "changes.turn":
            return self.turn.why_not()
        if command_id == "changes.update":
            return why_not("run.update", self.run, 0, 0)
        return self.review.why_not(command_id)

    def action_whole(self) -> None:
        """Show the whole file as it is now."""
        file = self.files.file
        if file:
            self.post_message(CodeRequested("file", self.run_id, file.path))

    async def action_since(self) -> None:
        """Ask for the checkpoint to compare with."""
        from tui.screens.checkpoint_choice import choose_checkpoint

        def chosen(n: int) -> None:
            self.compared.since = n
            self.compared.refresh()

        await choose_checkpoint(self, self.run_id, self.compared.since, chosen)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey what needs a file where there is none, and what needs a home."""
        del parameters
        if action == "open" and self.search.has_focus:
            return False  # the search gets this key after the letters that were typed before it
        if action == "turn":
            return True if self.turn.is_there else None
        if action in ("archive", "update"):
            return True if self.run and allows(self.run, f"{action}_run") else None
        if action in REVIEW_ACTIONS:
            return self.review.check(action)
        if action not in OF_A_FILE:
            return True
        file = self.files.file if self.is_mounted else None
        return True if file and (action != "whole" or file.mode) else None

    # The review

    action_next_run = _by(_review, lambda review: review.step(1))
    action_last_run = _by(_review, lambda review: review.step(-1))
    action_toggle_message = _by(_review, Review.toggle_message)
    action_apply = _by(_decisions, ReviewDecisions.apply)
    action_apply_as = _by(_decisions, ReviewDecisions.apply_as)
    action_reject_run = _by(_decisions, ReviewDecisions.reject)
    action_dismiss_run = _by(_decisions, ReviewDecisions.dismiss)
    action_undo_decision = _by(_decisions, ReviewDecisions.undo)

    def action_update(self) -> None:
        """Move the workspace onto the newest commit of its base."""
        self.updates.update(self._runs, self.review.decisions.updated)

    # Comments

    action_comment = _by(_comments, ReviewComments.write)
    action_mark_range = _by(_comments, ReviewComments.mark_range)
    action_comments = _by(_comments, ReviewComments.list)
    action_resume = _by(attrgetter("comments.sender"), CommentSender.send)

    # What the user sets of the run

    def action_archive(self) -> None:
        """Archive the run, or revert it."""
        self.annotations.put_aside(ARCHIVED, self._runs)

    def action_tag(self) -> None:
        """Edit the tags of the run."""
        self.annotations.tag(self._runs)

    def action_note(self) -> None:
        """Edit the note of the run."""
        self.annotations.note(self._runs)

    def action_push(self) -> None:
        """Push the branch of the run, after a dialog."""
        from tui.screens.push import PushDialog

        for run in self._runs:
            app_of(self).push_screen(PushDialog(self.engine, run))

    def action_fork(self) -> None:
        """Start a run on copies of the run's workspace and thread."""
        from tui.screens.forking import fork_run

        for run in self._runs:
            fork_run(self, run)

    def action_forget(self) -> None:
        """Forget the run, after a question, and leave the review."""
        from tui.screens.forgetting import forget_runs

        forget_runs(self, self._runs, lambda: self.run_worker(self.leave, group="back"))

    def _place(self) -> str:
        return self.review.decisions.place

    @property
    def _runs(self) -> Sequence[Run]:
        return [self.run] if self.run else []

    async def action_back(self) -> None:
        """Leave the zoom, the diff where it is alone, the screen: whichever is the innermost."""
        if not (self.search.leave() or stop_work(self) or self.comments.leave_range()):
            await super().action_back()

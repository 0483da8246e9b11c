"""Comments in the review of a run: written, marked in the diff, and sent to the agent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from engine.domain import comments
from engine.domain.errors import UserError, user_error
from engine.domain.model import Run
from engine.domain.review_comment import CommentPhase, ReviewComment, stored_path
from engine.engine import LocatedComment
from tui import formatting
from tui.formatting.questions import counted
from tui.models.commented_files import comments_by_file, count_comments
from tui.screens.comment_draft import CommentDraft
from tui.screens.comment_drafts import CommentDrafts
from tui.screens.comment_sender import CommentSender
from tui.widgets.status.toast import app_of, report, tell

if TYPE_CHECKING:
    from tui.screens.changes import ChangesScreen

SINCE_REVIEW = "Changes since the version that you commented on (checkpoint {n}) · = shows all"


class ReviewedBanner(Static):
    """Line that reports a comparison with the version that was commented on; else hidden."""

    DEFAULT_CSS = """
    ReviewedBanner {
        height: 1; padding: 0 1; display: none; background: $surface; color: $warning;
        text-wrap: nowrap;
    }
    """


class ReviewComments:
    """The comments on the run of one screen; what was typed is kept until it was saved."""

    def __init__(self, screen: ChangesScreen) -> None:
        self._screen = screen
        self._engine = screen.engine
        self.sender = CommentSender(screen)
        self._seen: tuple[str, Sequence[ReviewComment]] = ("", ())
        self._found: Sequence[LocatedComment] = ()
        self.drafts = CommentDrafts(screen)
        self._reviewed = 0
        """The checkpoint of the version that was commented on; 0 for none."""

    # What is shown

    def begin(self) -> int:
        """Return the checkpoint to compare a run with: the version that was commented on."""
        self._reviewed = first_checkpoint(self._screen.run)
        # The run before may have comments on files of the same name.
        self._found, self._seen = (), ("", ())
        self._screen.files.show_comments({})
        self._screen.code.marks.anchor = None
        self._screen.code.marks.show({})
        return self._reviewed

    def forget_reviewed(self) -> bool:
        """Compare with all from now on; return whether something else was compared."""
        found, self._reviewed = bool(self._reviewed), 0
        return found

    def follow(self) -> None:
        """Show the comments of the run as they are now, if they have changed."""
        run = self._screen.run
        if (self._screen.run_id, run.comments if run else ()) != self._seen:
            self.locate()

    def locate(self) -> None:
        """Find the lines of all comments again, and show them."""
        self._screen.run_worker(self._locate, group="comments", exclusive=True)

    async def _locate(self) -> None:
        run = self._screen.run
        known = run.comments if run else ()
        self._seen = seen = (self._screen.run_id, known)
        try:
            found = await self._engine.comments.list(run.id) if run and known else ()
        except UserError:  # without a workspace, its comments are still listed
            found = [LocatedComment(one, None) for one in known]
        if seen == self._seen:
            self._found = found
            await self._show()

    async def _show(self) -> None:
        """Show the comments in the list of files, in the title and in the diff."""
        screen = self._screen
        by_file = comments_by_file(self._found, screen.files.files, screen.since)
        screen.files.show_comments({path: count_comments(found) for path, found in by_file.items()})
        screen.show_totals()
        banner = screen.query_one(ReviewedBanner)
        is_shown = bool(self._reviewed) and screen.since == self._reviewed
        if is_shown:
            banner.update(Content(SINCE_REVIEW.format(n=screen.since)))
        banner.display = is_shown
        code = screen.code
        if code.marks.show(by_file):
            await code.lay_out(code.arrangement)

    @property
    def summary(self) -> str:
        """The numbers of open comments and of drafts; empty without any."""
        run = self._screen.run
        count = len(comments.open_comments(run)) if run else 0
        drafts = len(self.drafts.of(self._screen.run_id))
        parts = [f"{formatting.sign('✎', '#')}{count} to send"] if count else []
        return " · ".join([*parts, *([counted(drafts, "draft")] if drafts else [])])

    # Writing

    def mark_range(self) -> None:
        """Start a range of lines, or end it."""
        marks, code = self._screen.code.marks, self._screen.code
        self._screen.panes.go("diff")
        marks.mark(code.cursor_line if marks.anchor is None and code.line_count else None)

    def leave_range(self) -> bool:
        """End the range; return whether there was one."""
        marks = self._screen.code.marks
        is_marked = marks.anchor is not None
        marks.mark(None)
        return is_marked

    def write(self) -> None:
        """Open the dialog for the marked lines, or for the comment on the line of the cursor."""
        screen = self._screen
        screen.panes.go("diff")
        try:
            if screen.turn.is_shown:
                recovery = "L shows the measured changes."
                raise user_error("INPUT_INVALID", "Patches of a turn have no comments.", recovery)
            known = None if screen.code.marks.range else screen.code.marks.open_comment()
            if known:
                self.edit(known)
            else:
                self._open(self._selected())
        except UserError as error:
            report(app_of(screen), error)

    def _selected(self) -> CommentDraft:
        screen = self._screen
        file, lines = screen.files.file, screen.code.marks.selected()
        if file is None:
            raise user_error("INPUT_INVALID", "No file is selected.", "Select a changed file.")
        path = stored_path(file.old_path or file.path if lines.is_old else file.path)
        since = screen.since if lines.is_old else 0
        quoted = comments.quote(lines.texts)
        phase, place = CommentPhase.ADDED, (lines.first, lines.last, lines.is_old)
        comment = ReviewComment(0, phase, "", *path, *place, quoted, since=since)
        return CommentDraft(self._engine, screen.run_id, comment)

    def edit(self, comment: ReviewComment) -> None:
        """Open the dialog for a comment."""
        self._open(CommentDraft(self._engine, self._screen.run_id, comment))

    def _open(self, draft: CommentDraft) -> None:
        from tui.screens.write import WriteDialog

        draft = self.drafts.begin(draft)

        def closed(text: str | None) -> None:
            if text is not None or not draft.has_news:
                self.drafts.discard(draft)
            if text is not None:
                self._screen.code.marks.mark(None)
            elif draft.has_news:
                self.drafts.keep(draft)
                tell(app_of(self._screen), f"The draft on {draft.comment.place} is kept.")

        app_of(self._screen).push_screen(WriteDialog(draft.request), closed)

    # The list

    def list(self) -> None:
        """List all comments of the run."""
        from tui.screens.comment_list import CommentList

        app_of(self._screen).push_screen(CommentList(self), self._chosen)

    @property
    def entries(self) -> Sequence[LocatedComment | CommentDraft]:
        """The comments of the run by file and line, and after them the drafts."""
        return [*self._found, *self.drafts.of(self._screen.run_id)]

    def remove(self, entry: LocatedComment | CommentDraft) -> None:
        """Remove a comment, or discard a draft."""
        if isinstance(entry, CommentDraft):
            self.drafts.discard(entry)
        else:
            work = partial(self._remove, self._screen.run_id, entry.comment.n)
            self._screen.run_worker(work, group="remove comment")

    async def _remove(self, run: str, n: int) -> None:
        try:
            await self._engine.comments.remove(run, [n])
        except UserError as error:
            report(app_of(self._screen), error)

    def open_entry(self, entry: LocatedComment | CommentDraft) -> None:
        """Edit a comment, or go on with a draft."""
        self._open(entry) if isinstance(entry, CommentDraft) else self.edit(entry.comment)

    def _chosen(self, entry: LocatedComment | CommentDraft | None) -> None:
        """Go to the file and the line of a comment."""
        if isinstance(entry, CommentDraft):
            self._open(entry)
        elif entry is not None:
            work = partial(self._go_to, entry.comment)
            self._screen.run_worker(work, group="diff", exclusive=True)

    async def _go_to(self, comment: ReviewComment) -> None:
        screen = self._screen
        for file in screen.files.files:
            if comment.file in (file.path, file.old_path):
                screen.files.show(screen.files.files, file.path)
                screen.panes.go("diff")
                await screen.show_file(file)
                row = screen.code.marks.placed.row_of(comment.n)
                if row is not None:
                    screen.code.go_to(row)
                return
        message = f"{comment.place}: this file has no changes here."
        recovery = "= chooses all changes; f shows a whole file."
        report(app_of(screen), user_error("INPUT_INVALID", message, recovery))


def first_checkpoint(run: Run | None) -> int:
    """Return the checkpoint to compare a run with: the version that was commented on, else 0."""
    reviewed = comments.reviewed_checkpoint(run) if run else None
    is_older = run and reviewed and (run.checkpoint or 0) > reviewed
    return reviewed if is_older and reviewed else 0

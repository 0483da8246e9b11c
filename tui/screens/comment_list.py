"""All comments on a run: where they are, whether they were sent, and what can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content

from engine.engine import LocatedComment
from tui.formatting.questions import counted
from tui.screens.comment_draft import CommentDraft, quoted_lines
from tui.screens.confirm import ConfirmChoice, confirm
from tui.screens.dialog import Dialog
from tui.widgets.base.property_list import Property
from tui.widgets.lists.comment_rows import CommentRows
from tui.widgets.status.toast import app_of

if TYPE_CHECKING:
    from tui.screens.review_comments import ReviewComments

Entry = LocatedComment | CommentDraft
TICK_S = 0.25
"""Time between two comparisons of the list with the comments that the screen below has received."""


class CommentList(Dialog[Entry]):
    """Answers with the comment to go to, or None; shows changes of other processes."""

    DEFAULT_CSS = """
    CommentList {
        .box { width: 104; height: 90%; padding: 0; border: none; }
        CommentRows { height: 1fr; background: $surface; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("C", "leave", "back", show=False),
        Binding("enter", "go", "go there"),
        Binding("e", "edit", "edit"),
        Binding("d", "remove", "delete"),
    ]

    rows = getters.query_one(CommentRows)

    def __init__(self, comments: ReviewComments) -> None:
        super().__init__()
        self._comments = comments
        self._entries: list[Entry] = []
        self._drawn: list[tuple[Entry, str]] | None = None

    def compose(self) -> ComposeResult:
        """Compose the list."""
        with Vertical(classes="box"):
            yield CommentRows(title="Comments")

    def on_mount(self) -> None:
        """Show the comments, and go on with them."""
        self.rows.border_subtitle = Content("enter go there · e edit · d delete (asks) · esc back")
        self.rows.empty_text = "No comments. c in the diff writes one."
        self.rows.focus()
        self.set_interval(TICK_S, self._draw)
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        entries = list(self._comments.entries)
        drawn = [(one, _typed(one)) for one in entries]
        if drawn == self._drawn:
            return
        self._entries, self._drawn = entries, drawn
        shown = [_property(one) for one in entries]
        waiting = sum(isinstance(one, LocatedComment) and one.comment.is_open for one in entries)
        self.rows.set_title(f"{counted(len(entries), 'comment')} · {waiting} open")
        self.rows.show_comments(shown)

    @property
    def _entry(self) -> Entry | None:
        return self._entries[self.rows.place] if self._entries else None

    def action_go(self) -> None:
        """Go to the lines of the comment."""
        if self._entry:
            self.dismiss(self._entry)

    def action_edit(self) -> None:
        """Edit the comment."""
        if self._entry:
            self._comments.open_entry(self._entry)

    def action_remove(self) -> None:
        """Remove the comment, after a question."""
        entry = self._entry
        if entry is None:
            return
        kind = "draft" if isinstance(entry, CommentDraft) else "comment"
        choice = ConfirmChoice("remove", "d", f"Delete the {kind}", is_danger=True)
        question = f"Delete the {kind} on {entry.comment.place}?"

        def remove() -> None:
            self._comments.remove(entry)

        confirm(app_of(self), question, choice, remove)


def _typed(entry: Entry) -> str:
    """Return the text of a draft, which changes while it is the same one."""
    return entry.request.text if isinstance(entry, CommentDraft) else ""


def _property(entry: Entry) -> Property:
    comment = entry.comment
    if isinstance(entry, CommentDraft):
        return Property("draft", _text(entry, entry.request.text), "busy")
    state = "open" if comment.is_open else "sent"
    tone = "plain" if comment.is_open else "dim"
    return Property(f"{comment.n} {state}", _text(entry, comment.text), tone)


def _text(entry: Entry, text: str) -> str:
    comment, note = entry.comment, ""
    if isinstance(entry, LocatedComment):
        if entry.line is None:
            note = " · the lines have changed since"
        elif entry.line != comment.first:
            note = f" · now line {entry.line}"
    return f"{comment.place}{note}\n{quoted_lines(comment)}\n{text}\n "

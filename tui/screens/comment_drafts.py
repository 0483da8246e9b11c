"""Comments that are being written on the runs of one screen: stored while they are typed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from engine.domain.errors import UserError
from tui.screens.comment_draft import CommentDraft
from tui.widgets.status.toast import app_of, tell

if TYPE_CHECKING:
    from tui.screens.changes import ChangesScreen

STORE_S = 0.5
"""Time within which a text is stored after a key: no more of it is lost with the dashboard."""

Key = tuple[str, str]


class CommentDrafts:
    """Drafts by run and place; a draft without news is removed from the database."""

    def __init__(self, screen: ChangesScreen) -> None:
        self._screen = screen
        self._service = screen.engine.comments
        self._drafts: dict[Key, CommentDraft] = {}
        self._unsaved: dict[Key, CommentDraft] = {}
        """Drafts whose text is not stored as it is."""
        self._is_due = False
        self._has_failed = False

    def of(self, run: str) -> list[CommentDraft]:
        """Return the drafts for a run that have something new."""
        return [one for one in self._drafts.values() if one.run == run and one.has_news]

    async def load(self, run: str) -> None:
        """Take in the drafts of a run that are stored; those typed here stay as they are."""
        try:
            kept = await self._service.drafts(run)
        except UserError:  # of a forgotten run, for instance
            return
        for one in kept:
            draft = CommentDraft(self._screen.engine, run, one.comment, one)
            self._drafts.setdefault(draft.key, draft)

    def begin(self, draft: CommentDraft) -> CommentDraft:
        """Return the draft to write: the one that is there for the same lines, or this one."""
        draft = self._drafts.setdefault(draft.key, draft)
        draft.request.typed = partial(self._typed, draft)
        return draft

    def _typed(self, draft: CommentDraft) -> None:
        self._unsaved[draft.key] = draft
        if not self._is_due:
            self._is_due = True
            self._screen.set_timer(STORE_S, self._store)

    def keep(self, draft: CommentDraft) -> None:
        """Keep a draft that is left: store it now, and show that it is there."""
        self._unsaved[draft.key] = draft
        self._store()
        self._screen.show_totals()

    def discard(self, draft: CommentDraft) -> None:
        """Drop a draft that was saved, or is not wanted."""
        was_kept = self._drafts.pop(draft.key, None) is not None
        self._unsaved.pop(draft.key, None)
        if was_kept:
            self._screen.run_worker(partial(self._remove, draft), group="comment drafts")
            self._screen.show_totals()

    def _store(self) -> None:
        self._is_due = False
        if self._unsaved:
            self._screen.run_worker(self.store, group="comment drafts")

    async def store(self) -> None:
        """Store what was typed since the last time; where that fails, show so once."""
        while self._unsaved:
            key, draft = self._unsaved.popitem()
            try:
                await self._service.keep_draft(draft.run, draft.unsaved)
            except UserError as error:
                self._report(error)
            except BaseException:  # the screen closes, and stores the rest
                self._unsaved.setdefault(key, draft)
                raise

    async def _remove(self, draft: CommentDraft) -> None:
        try:
            await self._service.keep_draft(draft.run, replace(draft.unsaved, text=""))
        except UserError as error:
            self._report(error)

    def _report(self, error: UserError) -> None:
        if not self._has_failed and self._screen.is_running:
            self._has_failed = True
            words = f"Drafts are kept until you quit: {error.message}"
            tell(app_of(self._screen), words, is_warning=True)

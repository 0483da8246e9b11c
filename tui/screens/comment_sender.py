"""Sending of all open comments on a run as one message, or of another message without any."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engine.domain import comments
from engine.domain.errors import UserError, user_error
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run
from tui import formatting
from tui.formatting.comments import sent_words
from tui.screens import allowed
from tui.terminal.cells import crop
from tui.widgets.status.toast import app_of, report, tell

if TYPE_CHECKING:
    from tui.screens.code import CodeScreen
    from tui.screens.write import WriteRequest


class CommentSender:
    """Messages to the run of one screen; what was typed is kept until it was sent."""

    def __init__(self, screen: CodeScreen) -> None:
        self._screen = screen
        self._engine = screen.engine
        self._drafts: dict[str, WriteRequest] = {}
        self._is_sending = False

    def send(self) -> None:
        """Send the open comments as one message; without any, ask for a message."""
        run = self._screen.run
        if run is None or self._is_sending:
            return
        if not comments.open_comments(run):
            self._resume(run)
            return
        try:
            _check_can_be_sent(run)
        except UserError as error:
            report(app_of(self._screen), error)
            return
        self._is_sending = True
        self._screen.run_worker(partial(self._send, run.id), group="send comments")

    async def _send(self, run: str) -> None:
        try:
            done = await self._engine.comments.send(run)
        except UserError as error:
            report(app_of(self._screen), error)
        else:
            last = max(one.sent_at or 0.0 for one in done.comments)
            count = sum(one.sent_at == last for one in done.comments)
            tell(app_of(self._screen), sent_words(count))
        finally:
            self._is_sending = False

    def _resume(self, run: Run) -> None:
        from tui.screens.mode_option import mode_option
        from tui.screens.write import WriteDialog, WriteRequest

        if not allowed.allows(run, "resume_run"):
            report(
                app_of(self._screen),
                allowed.why_not("run.resume", run, 0, 0) or user_error("RUN_NOT_RETRYABLE"),
            )
            return
        heading = f"Resume · {crop(formatting.title(run), 60)}"
        hint = "It continues in its thread and its workspace."

        async def send(text: str) -> Run:
            return await self._engine.resume(run.id, text, wanted.change)

        wanted = WriteRequest(heading, "", hint, "Resume", send, mode=mode_option([run]))
        wanted = self._drafts.setdefault(run.id, wanted)

        def closed(text: str | None) -> None:
            if text is not None:
                self._drafts.pop(run.id, None)

        app_of(self._screen).push_screen(WriteDialog(wanted), closed)


def _check_can_be_sent(run: Run) -> None:
    """Raise `UserError` for a run that reads no message before its end."""
    if run.status not in FINISHED and not run.is_interactive:
        message = f"The run {run.id} is at work, and not interactive."
        recovery = "The comments are kept: R sends them when it has ended."
        raise user_error("RUN_NOT_INTERACTIVE", message, recovery)

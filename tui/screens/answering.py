"""Answers to requests of agents: to what was shown, and to nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.domain.answers import Values
from engine.domain.errors import UserError, user_error
from engine.domain.interaction import INPUT_KINDS, Decision
from tui.formatting.request_text import subject
from tui.models.open_requests import RequestGroup
from tui.terminal.cells import clean, crop
from tui.widgets.status.toast import app_of, attempt, report, tell

if TYPE_CHECKING:
    from tui.screens.inbox import InboxScreen

TITLE = 60
"""Cells for what is denied in the title of the dialog."""
DONE = {Decision.APPROVE: "approved", Decision.DENY: "denied", Decision.STOP: "denied"}


class RequestAnswers:
    """The answers of the inbox: different requests together only after a question."""

    def __init__(self, screen: InboxScreen) -> None:
        self._screen = screen

    def answer(self, decision: Decision, text: str = "") -> None:
        """Answer the marked requests, or the one that is shown."""
        try:
            groups, is_shown = self._targets(decision)
        except UserError as error:
            report(app_of(self._screen), error)
            return
        if decision is Decision.APPROVE and groups[0].request.kind in INPUT_KINDS:
            self._ask_values(groups[0])
        elif is_shown:
            self.send(groups, decision, text)
        else:
            self._confirm(groups, decision, text)

    def _ask_values(self, group: RequestGroup) -> None:
        """Ask for the values of a question or a form, and answer all that ask for the same."""
        from tui.screens.answer_form import AnswerForm

        engine, app = self._screen.engine, app_of(self._screen)

        async def send(values: Values) -> None:
            lost: list[UserError] = []
            answers = group.answers(Decision.ANSWER)
            for run, one in answers:
                try:
                    await engine.answer(run, replace(one, answers=values))
                except UserError as error:
                    if error.code == "INPUT_INVALID":
                        raise
                    lost.append(error)
            if lost:
                report(app, _lost(lost, len(answers)))

        app.push_screen(AnswerForm(group.request, len(group.open), send))

    def deny_with_message(self) -> None:
        """Ask for a message, then deny with it."""
        from tui.screens.write import WriteDialog, WriteRequest

        try:
            groups, is_shown = self._targets(Decision.DENY)
        except UserError as error:
            report(app_of(self._screen), error)
            return

        async def send(text: str) -> None:
            if is_shown:
                self.send(groups, Decision.DENY, text)
            else:
                self._screen.call_later(self._confirm, groups, Decision.DENY, text)

        hint = "The agent reads it together with the denial, and goes on."
        heading = f"Deny · {_named(groups)}"
        request = WriteRequest(heading, "", hint, "Deny", send, is_line=True)
        app_of(self._screen).push_screen(WriteDialog(request))

    def _targets(self, decision: Decision) -> tuple[Sequence[RequestGroup], bool]:
        """Return the requests to answer, and whether they are one that was read on the screen."""
        screen = self._screen
        marked = screen.marked
        shown = screen.listed.chosen
        if marked and [group.key for group in marked] != [shown.key if shown else ""]:
            return self._approvable(marked, decision), False
        group = screen.shown
        is_read = decision is not Decision.APPROVE or screen.whole.is_read
        return self._approvable([group], decision), is_read

    def _approvable(
        self, groups: Sequence[RequestGroup], decision: Decision
    ) -> Sequence[RequestGroup]:
        """Return the requests that can be answered so; raises `UserError` where none can."""
        if decision is not Decision.APPROVE:
            return groups
        found = [group for group in groups if not group.request.is_cut]
        if len(found) > 1:  # each question has an answer of its own
            approvals = [group for group in found if group.request.kind not in INPUT_KINDS]
            found = approvals or found[:1]
        if not found:
            message = "The request is too long to be shown whole, and can only be denied."
            raise user_error("INPUT_INVALID", message, "Deny it with a message: N.")
        if left := len(groups) - len(found):
            left_out = f"{left} marked requests stay open: too long, or a question of its own."
            tell(app_of(self._screen), left_out, is_warning=True)
        return found

    def _confirm(self, groups: Sequence[RequestGroup], decision: Decision, text: str) -> None:
        from tui.screens.bulk_answer import BulkAnswerDialog

        def answered(is_meant: bool | None) -> None:
            if is_meant:
                self.send(groups, decision, text)

        app_of(self._screen).push_screen(BulkAnswerDialog(groups, decision, text), answered)

    def send(self, groups: Sequence[RequestGroup], decision: Decision, text: str = "") -> None:
        """Answer all requests of the groups; their lines stay dim until the agents know."""
        listed = self._screen.listed
        listed.sending = {*listed.sending, *(group.key for group in groups)}
        listed.marks.clear()
        listed.refresh()
        self._screen.run_worker(self._sent(groups, decision, text), group="answers")

    async def _sent(self, groups: Sequence[RequestGroup], decision: Decision, text: str) -> None:
        listed, app = self._screen.listed, app_of(self._screen)
        answers = [each for group in groups for each in group.answers(decision, text)]
        try:
            done = await attempt(app, self._screen.engine.answer_all(answers))
        finally:
            listed.sending = {*listed.sending} - {group.key for group in groups}
            listed.refresh()
        lost = [one for one in done or () if isinstance(one, UserError)]
        if lost:
            report(app, _lost(lost, len(answers)))
        elif done and len(answers) > 1:
            tell(app, f"{len(answers)} requests {DONE[decision]}")


def _named(groups: Sequence[RequestGroup]) -> str:
    """Return what is asked, on one line; of several requests, their number, too."""
    count = sum(len(group.open) for group in groups)
    times = f"{count} requests: " if count > 1 else ""
    return crop(f"{times}{', '.join(clean(subject(group.request)) for group in groups[:9])}", TITLE)


def _lost(errors: Sequence[UserError], count: int) -> UserError:
    """Return one error for all answers that were refused."""
    first = errors[0]
    if count == 1:
        return first
    message = f"{len(errors)} of {count} requests got no answer from here: {first.message}"
    return user_error(first.code, message, first.recovery)

"""Approval rules in the inbox: made from a request, listed, and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from engine.domain.approval_rules import ApprovalRule, RuleOrigin
from engine.domain.errors import UserError, user_error
from engine.domain.text import printable
from tui.models.open_requests import RequestGroup
from tui.widgets.status.toast import app_of, attempt, report, tell

if TYPE_CHECKING:
    from tui.screens.inbox import InboxScreen


class InboxRules:
    """The rules of the inbox; each is shown as a sentence before it takes effect."""

    def __init__(self, screen: InboxScreen) -> None:
        self._screen = screen
        self._is_reading = self._is_asked = False

    def offer(self) -> None:
        """Offer the rules that could answer requests like the one that is shown."""
        try:
            rules = self._possible(self._screen.shown)
        except UserError as error:
            report(app_of(self._screen), error)
            return
        from tui.screens.pick import PickDialog

        def chosen(place: int | None) -> None:
            if place is not None:
                self._screen.run_worker(self._add(rules[place]), group="rules")

        title = "Always … from now on, and for open requests"
        lines = [_sentence(rule) for rule in rules]
        app_of(self._screen).push_screen(PickDialog(title, lines, is_wide=True), chosen)

    def _possible(self, group: RequestGroup) -> list[ApprovalRule]:
        """Return the rules for a request, those that approve first; raises `UserError`."""
        engine = self._screen.engine
        run = engine.view.runs.get(group.open[0].run)
        rules = engine.possible_rules(run, group.request) if run else []
        if not rules:
            message = "No rule can answer requests like this one."
            raise user_error("INPUT_INVALID", message, "Answer it once: y, n or N.")
        return sorted(rules, key=lambda rule: rule.is_deny)

    async def _add(self, rule: ApprovalRule) -> None:
        app = app_of(self._screen)
        added = await attempt(app, self._screen.engine.add_rule(rule))
        if added:
            tell(app, f"Rule added: {added.words}", stays=True)
            await self.read()

    async def read(self) -> None:
        """Show the rules as they are now; one read at a time, and one more for all meanwhile."""
        self._is_asked = True
        if self._is_reading:
            return
        self._is_reading = True
        try:
            while self._is_asked:
                self._is_asked = False
                await self._read()
        finally:
            self._is_reading = False

    async def _read(self) -> None:
        screen = self._screen
        rules = await attempt(app_of(screen), screen.engine.rules())
        if rules is not None and screen.is_mounted:
            screen.rule_list.show(rules, screen.clock())

    def remove(self) -> None:
        """Remove the rule under the cursor, after a question."""
        from tui.screens.confirm import ConfirmChoice, confirm

        rule = self._screen.rule_list.chosen
        if rule is None:
            return
        if rule.origin is not RuleOrigin.USER:
            where = "settings" if rule.origin is RuleOrigin.SETTINGS else "repository's settings"
            message = f"The rule is written in the {where}."
            report(app_of(self._screen), user_error("INPUT_INVALID", message, "Edit them."))
            return

        def removed() -> None:
            self._screen.run_worker(self._remove(rule), group="rules")

        choice = ConfirmChoice("remove", "d", "Remove the rule", is_danger=True)
        question = "Remove this rule? Requests are no longer answered by it."
        details = [printable(rule.words, 2000)]
        confirm(app_of(self._screen), question, choice, removed, details=details)

    async def _remove(self, rule: ApprovalRule) -> None:
        app = app_of(self._screen)
        if await attempt(app, self._screen.engine.remove_rule(rule.id)):
            tell(app, "Rule removed")
        await self.read()


def _sentence(rule: ApprovalRule) -> Content:
    """Return a rule as a sentence, its verb in the colour of what it does."""
    verb, _, rest = printable(rule.words, 2000).partition(" ")
    style = "bold $error" if rule.is_deny else "bold $success"
    return Content.assemble((verb, style), (f" {rest}", "$foreground"))

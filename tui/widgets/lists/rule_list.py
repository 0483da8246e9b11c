"""The approval rules, a line each: how often each answered, and the rule as a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from engine.domain import rule_matching
from engine.domain.approval_rules import ApprovalRule
from tui import formatting
from tui.formatting.request_text import TextRow, laid_out
from tui.terminal.cells import clean, crop, fit
from tui.widgets.base.line_view import LineView
from tui.widgets.lists.request_view import TextView

NO_RULES = "No rules. Y in the list of requests makes one from the request under the cursor."
USES, LAST = 9, 5


class RuleList(LineView):
    """List of the rules that answer requests."""

    class RuleHighlighted(Message):
        """The cursor is on another rule, or that has changed."""

    def __init__(self) -> None:
        super().__init__(title="Rules", empty_text=NO_RULES)
        self._rules: Sequence[ApprovalRule] = ()
        self._now = 0.0

    @property
    def chosen(self) -> ApprovalRule | None:
        """The rule under the cursor."""
        return self._rules[self.cursor_line] if self._rules else None

    def show(self, rules: Sequence[ApprovalRule], now: float) -> None:
        """Show these rules, the cursor on the one it was on."""
        before = self.chosen.id if self.chosen else None
        ids = [rule.id for rule in rules]
        place = ids.index(before) if before in ids else min(self.cursor_line, len(ids) - 1)
        self._rules, self._now = rules, now
        self.set_lines(len(rules), cursor=place)
        self.show_line(self.cursor_line)
        self.set_title(f"Rules {len(rules)}" if rules else "Rules")
        self.post_message(self.RuleHighlighted())

    def cursor_moved(self) -> None:
        """Notify the screen of the rule under the cursor."""
        self.post_message(self.RuleHighlighted())

    def draw(self, line: int, width: int) -> Strip:
        """Draw one rule."""
        rule, cursor = self._rules[line], line == self.cursor_line
        last = formatting.age(self._now - rule.used_at) if rule.used_at else ""
        refused = rule_matching.problem(rule)
        uses = "refused" if refused else f"used {rule.uses}" if rule.uses else "not used"
        gutter = formatting.sign("▌", "|") if cursor else " "
        segments = [
            Segment(gutter, self.paint.tone("live")),
            Segment(fit(uses, USES), self.paint.tone("warn" if refused else "dim")),
            Segment(f"{fit(last, LAST, right=True)}  ", self.paint.tone("dim")),
            Segment(
                crop(clean(rule.words, 500), max(4, width - USES - LAST - 4)),
                self.paint.tone("bad" if rule.is_deny else "plain"),
            ),
        ]
        return self.paint.strip(segments, width, cursor=cursor)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the click is."""
        line = self.line_at(event)
        if line is not None:
            self.move_cursor(line)


class RuleView(TextView):
    """All of one rule."""

    def __init__(self) -> None:
        super().__init__(title="Rule")
        self._text: Sequence[TextRow] = ()

    def show(self, rule: ApprovalRule | None, now: float) -> None:
        """Show a rule, or nothing."""
        text = list(_rule_rows(rule, now)) if rule else []
        if text != self._text:
            self._text = text
            self.lay_out(cursor=0)

    def rows(self, width: int) -> Sequence[TextRow]:
        """Return the rule as rows of text."""
        return list(laid_out(self._text, width))


def _rule_rows(rule: ApprovalRule, now: float) -> list[TextRow]:
    made = f", {formatting.ago(rule.made_at, now)}" if rule.made_at is not None else ""
    used = f"{rule.uses} request{'' if rule.uses == 1 else 's'} answered"
    refused = rule_matching.problem(rule)  # by a later version than the one that stored it
    last = f", the last {formatting.ago(rule.used_at, now)}" if rule.used_at is not None else ""
    return [
        TextRow(clean(rule.words, 2000), "bad" if rule.is_deny else "strong"),
        *([TextRow(f"Answers nothing: {refused}", "warn")] if refused else []),
        TextRow(""),
        TextRow(f"{used}{last}"),
        TextRow(f"Id: {clean(rule.id, 100)} · from: {rule.origin.value}{made}", "dim"),
    ]

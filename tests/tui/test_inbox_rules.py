"""Approval rules in the inbox: shown as sentences before they take effect, listed, and removed."""

from __future__ import annotations

from asking import ask, asking, many_kinds, request, start
from fake_engine import WIDE, FakeEngine, app_on, painted, plain, shown, toasts
from test_inbox_screen import decisions, inbox_of, open_inbox, press

from engine.domain.approval_rules import ApprovalRule, RuleScope
from engine.domain.interaction import Decision, RequestKind
from tui.screens.confirm import ConfirmDialog
from tui.screens.pick import PickDialog


def command_of(command: str = "npm ci --silent") -> FakeEngine:
    asked = request(command, cwd=".", subject=("bash", command))
    return asking(FakeEngine(), {"a": asked}, "nightly")


async def test_each_possible_rule_is_a_sentence_before_it_takes_effect() -> None:
    engine = command_of()
    app = app_on(engine)
    async with app.run_test(size=(120, 60)) as pilot:
        await open_inbox(pilot)
        await press(pilot, "Y")
        assert isinstance(app.screen, PickDialog)
        for text in (
            "Approve each run of exactly `npm ci --silent` in the run a, until the run ends.",
            "in the batch nightly, until all runs of the batch have ended.",
            "in project demo, until you remove the rule.",
            "Deny each command that contains the words",
        ):
            assert text in plain(app)
        assert await engine.rules() == []
        await press(pilot, "escape", "Y", "j", "enter")
        (added,) = await engine.rules()
        assert not added.is_deny
        assert any(added.words in one for one in toasts(app))
        assert decisions(engine) == {}


async def test_rules_are_listed_and_removed_after_a_question() -> None:
    engine = command_of()
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        await press(pilot, "]")
        assert "No rules. Y in the list of requests" in plain(app)
        await press(pilot, "[", "Y", "enter", "]")
        assert "Rules 1" in shown(app)
        assert "not used" in shown(app)
        assert "0 requests answered" in plain(app)
        await press(pilot, "y", "n", "x")  # no request is on the screen
        assert decisions(engine) == {}
        await press(pilot, "d")
        assert isinstance(app.screen, ConfirmDialog)
        assert "Approve each run of exactly `npm ci --silent`" in plain(app)
        await press(pilot, "escape")
        assert len(await engine.rules()) == 1
        await press(pilot, "d", "d")
        assert await engine.rules() == []
        await press(pilot, "escape")
        assert "Requests 1" in shown(app)


async def test_markup_in_a_rule_is_text() -> None:
    engine = command_of("echo [red]x[/red]")
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        await press(pilot, "Y")
        assert "`echo [red]x[/red]`" in plain(app)
        await press(pilot, "enter", "]")
        assert "`echo [red]x[/red]`" in plain(app)


async def test_no_rule_is_offered_for_permissions_or_hidden_characters() -> None:
    engine = FakeEngine()
    start(engine, "a")
    ask(engine, "a", request("x", kind=RequestKind.PERMISSIONS, details='{"network": true}'))
    start(engine, "b")
    ask(engine, "b", request("npm ci\\u202e"))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        await press(pilot, "Y")
        assert any("No rule can answer" in one for one in toasts(app))
        assert inbox_of(app) is app.screen


async def test_the_palette_finds_the_rules() -> None:
    app = app_on(many_kinds())
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        await press(pilot, ":", *"rules")
        await painted(pilot)
        await press(pilot, "escape", ":", *"allow")
        assert "Approve the request" in plain(app)
        assert "Make a rule of the request" in plain(app)


async def test_the_inbox_is_entered_at_the_requests() -> None:
    app = app_on(command_of())
    async with app.run_test(size=WIDE) as pilot:
        for entry in ("7", "enter"):
            await open_inbox(pilot)
            await press(pilot, "]")
            assert inbox_of(app).shows_rules
            await press(pilot, "1", entry)
            assert not inbox_of(app).shows_rules
            assert "npm ci --silent" in plain(app)
            await press(pilot, "1")
        await press(pilot, "7", "]", "7")
        assert not inbox_of(app).shows_rules


async def test_keys_that_answer_report_where_the_requests_are() -> None:
    engine = command_of()
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        await press(pilot, "]")
        for key in ("y", "n", "N", "x", "Y"):
            app.clear_notifications()
            await press(pilot, key)
            assert ["] shows the requests" in one for one in toasts(app)] == [True]
        assert decisions(engine) == {}
        await press(pilot, "]", "y")
        assert decisions(engine) == {"a": Decision.APPROVE}


async def test_a_stored_rule_that_is_refused_now_is_marked() -> None:
    engine = command_of()
    scope = (RuleScope.PROJECT, "demo")
    rule = ApprovalRule(RequestKind.COMMAND, ("uv", "run"), *scope, Decision.APPROVE, True)
    engine._approval_rules = (rule,)  # pyright: ignore[reportPrivateUsage]  no call stores such a rule
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        await press(pilot, "]")
        assert "refused" in shown(app)
        assert "Answers nothing: Commands that begin with" in plain(app)

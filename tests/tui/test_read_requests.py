"""Approval of what was on the screen: no toast over it, and to its end."""

from __future__ import annotations

from asking import asking, request
from fake_engine import NARROW, FakeEngine, app_on, painted, plain, shown, toasts
from test_inbox_screen import decisions, inbox_of, open_inbox, press, settled
from textual.widgets import Button

from engine.domain.interaction import Decision
from tui.screens.bulk_answer import BulkAnswerDialog
from tui.screens.write import WriteDialog

LINES = 56


def commands_of(*commands: str) -> FakeEngine:
    requests = {f"r{number}": request(command) for number, command in enumerate(commands)}
    return asking(FakeEngine(), requests)


def long_command() -> str:
    return "\n".join(f"echo {number}" for number in range(LINES))


async def test_a_request_that_a_toast_covers_is_not_approved() -> None:
    engine = commands_of("make one; " * 60)  # fills the view
    app = app_on(engine)
    async with app.run_test(size=NARROW, notifications=True) as pilot:
        await open_inbox(pilot)
        view = inbox_of(app).whole
        app.notify("a notice\n" * 6, timeout=60)
        await settled(pilot)
        assert view.is_covered
        view.painted_to = 0  # as if the cursor had just come here
        view.refresh()
        await settled(pilot)
        assert view.painted_to == 0
        await press(pilot, "y")
        assert decisions(engine) == {}
        assert isinstance(app.screen, BulkAnswerDialog)
        await press(pilot, "y")  # the toast covers its text, too: it is dismissed
        assert decisions(engine) == {}
        assert not app.screen.query("Toast")
        await press(pilot, *["pagedown"] * 3, "y")
        assert decisions(engine) == {"r0": Decision.APPROVE}


async def test_a_move_dismisses_the_toasts_over_the_next_request() -> None:
    engine = commands_of("make one", "make two")
    app = app_on(engine)
    async with app.run_test(size=NARROW, notifications=True) as pilot:
        await open_inbox(pilot)
        for number in range(3):
            app.notify(f"notice {number}\n" * 3, timeout=60)
        await settled(pilot)
        assert inbox_of(app).whole.is_covered
        await press(pilot, "j")
        assert toasts(app) == []
        assert not app.screen.query("Toast")
        await press(pilot, "y")
        assert decisions(engine) == {"r1": Decision.APPROVE}


async def test_equal_toasts_replace_each_other() -> None:
    engine = commands_of("make one")
    app = app_on(engine)
    async with app.run_test(size=NARROW, notifications=True) as pilot:
        await open_inbox(pilot)
        await press(pilot, *"nnnnnn")
        assert decisions(engine) == {"r0": Decision.DENY}
        assert len(toasts(app)) == 1
        app.notify("another")
        await painted(pilot)
        assert len(toasts(app)) == 2


async def test_a_second_y_does_not_approve_an_unread_command() -> None:
    engine = commands_of(long_command())
    app = app_on(engine)
    async with app.run_test(size=NARROW, notifications=True) as pilot:
        await open_inbox(pilot)
        await press(pilot, "y", "y")
        assert isinstance(app.screen, BulkAnswerDialog)
        assert decisions(engine) == {}
        assert "Nothing is approved" in plain(app)
        app.screen.query_one("#answer", Button).press()
        await settled(pilot)
        assert decisions(engine) == {}
        await press(pilot, "G", "y")  # the lines between were not on the screen
        assert decisions(engine) == {}
        await press(pilot, "g", *["pagedown"] * 10)
        assert f"echo {LINES - 1}" in shown(app)
        await press(pilot, "y")
        assert decisions(engine) == {"r0": Decision.APPROVE}


async def test_an_unread_command_is_denied_at_once() -> None:
    engine = commands_of(long_command(), "make two")
    app = app_on(engine)
    async with app.run_test(size=NARROW, notifications=True) as pilot:
        await open_inbox(pilot)
        await press(pilot, "A", "n", "n")
        assert decisions(engine) == {"r0": Decision.DENY, "r1": Decision.DENY}


async def test_the_dialog_of_a_denial_names_what_is_denied() -> None:
    app = app_on(commands_of("rm -rf [b]build"))
    async with app.run_test(size=NARROW, notifications=True) as pilot:
        await open_inbox(pilot)
        await press(pilot, "N")
        assert isinstance(app.screen, WriteDialog)
        assert "Deny · rm -rf [b]build" in plain(app)

"""The inbox: each request whole, and answers to nothing but what was shown."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asking import NPM, ask, end, many_kinds, patch, request, start
from fake_engine import (
    LIMIT_S,
    NARROW,
    WIDE,
    FakeEngine,
    app_on,
    listed,
    painted,
    plain,
    screen_of,
    shown,
    toasts,
)
from textual.events import Key
from textual.pilot import Pilot
from textual.strip import Strip

from engine.domain.errors import UserError
from engine.domain.events import Event, Step
from engine.domain.interaction import Decision, RequestAnswer, RequestKind, RequestPhase
from engine.domain.model import Run, Status
from tui.app import SwarmApp
from tui.models.open_requests import OpenRequests
from tui.screens.bulk_answer import AllRequests, BulkAnswerDialog
from tui.screens.inbox import InboxScreen
from tui.screens.runs import RunsScreen
from tui.screens.write import WriteDialog
from tui.widgets.lists.request_list import RequestList


def inbox_of(app: SwarmApp) -> InboxScreen:
    screen = app.live_screen
    assert isinstance(screen, InboxScreen)
    return screen


async def open_inbox(pilot: Pilot[None]) -> None:
    await pilot.press("7")
    await painted(pilot)
    await settled(pilot)


async def settled(pilot: Pilot[None]) -> None:
    """Wait until workers have ended, and all is painted."""
    for _ in range(2):  # what a worker found is shown by a message
        while any(not worker.is_finished for worker in pilot.app.workers):
            await pilot.pause()
        await painted(pilot)


async def sees(pilot: Pilot[None], text: str) -> None:
    """Wait until a text is on the screen."""
    app = pilot.app
    assert isinstance(app, SwarmApp)
    async with asyncio.timeout(LIMIT_S):
        while text not in plain(app):
            await pilot.pause(0.01)


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settled(pilot)


def decisions(engine: FakeEngine) -> dict[str, Decision]:
    """Return the decision about each run's request."""
    return {
        run.id: request.decision
        for run in engine.view.runs.values()
        for request in run.input_requests
        if request.decision
    }


async def test_twenty_equal_requests_are_answered_by_one_key() -> None:
    engine = FakeEngine()
    for number in range(20):
        start(engine, f"r{number:02}", batch="nightly")
        ask(engine, f"r{number:02}", request(NPM))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await sees(pilot, "7 Inbox: 20 need you")
        await open_inbox(pilot)
        assert "×20" in shown(app)
        assert "nightly" in shown(app)
        await press(pilot, "y")
        assert decisions(engine) == dict.fromkeys(engine.view.runs, Decision.APPROVE)
        await sees(pilot, "on its way to the agent")
        for run in engine.view.runs:
            end(engine, run, RequestPhase.APPLIED)
        await sees(pilot, "approved by you; the agent has the answer")
        await press(pilot, "j")
        assert "No agent asks for anything" in plain(app)
        assert "need you" not in shown(app)


@pytest.mark.parametrize("size", [WIDE, NARROW, (160, 45)])
async def test_all_of_a_request_is_shown(size: tuple[int, int]) -> None:
    app = app_on(many_kinds())
    async with app.run_test(size=size) as pilot:
        await open_inbox(pilot)
        for text in (
            NPM,
            "Folder: the workspace",
            "┆ May I install the packages?",
            "Asked by 9 runs",
        ):
            assert text in shown(app)
        await press(pilot, "j")
        for text in (
            "2 lines, hidden characters",
            "echo ok # fine⏎",
            r"rm -rf build \x1b[8m \u202e",
        ):
            assert text in shown(app)
        assert "Folder OUTSIDE THE WORKSPACE: /srv/shop" in shown(app)
        assert "┆ [bold]Just[/bold] tidying up" in shown(app)  # markup is text
        await press(pilot, "j")
        assert "modified OUTSIDE THE WORKSPACE: /etc/hosts" in shown(app)
        await press(pilot, "j")
        assert 'fileSystem.write[0]: "/srv/data"' in shown(app)


async def test_steps_before_the_request_are_shown() -> None:
    app = app_on(many_kinds())
    async with app.run_test(size=(160, 60)) as pilot:
        await open_inbox(pilot)
        assert "Before this in Update package 0" in plain(app)
        assert "✓ ran cat package.json" in plain(app)
        assert "says The packages are missing." in plain(app)


async def test_steps_of_an_earlier_attempt_are_not_shown() -> None:
    engine = FakeEngine()
    start(engine, "a")
    engine.happen("a", Step("assistant", "message", "completed", "From before."))
    engine.pass_through("a", Status.FAILED, Status.QUEUED, Status.PREPARING, Status.RUNNING)
    engine.happen("a", Step("assistant", "message", "completed", "From now."))
    ask(engine, "a", request(NPM))
    app = app_on(engine)
    async with app.run_test(size=(160, 60)) as pilot:
        await open_inbox(pilot)
        await sees(pilot, "says From now.")
        assert "From before." not in plain(app)


async def test_the_cursor_stays_on_its_request_while_others_come_and_go() -> None:
    engine = FakeEngine()
    for name in ("a", "b", "c"):
        start(engine, name)
        ask(engine, name, request(f"make {name}"))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        await press(pilot, "j")
        end(engine, "a", RequestPhase.WITHDRAWN)
        start(engine, "d")
        ask(engine, "d", request("make d"))
        await painted(pilot)
        await press(pilot, "y")
        assert decisions(engine) == {"b": Decision.APPROVE}


async def test_a_request_that_vanished_under_the_cursor_is_not_replaced_by_another() -> None:
    engine = FakeEngine()
    for name in ("a", "b"):
        start(engine, name)
        ask(engine, name, request(f"make {name}"))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        end(engine, "a", RequestPhase.WITHDRAWN)
        await sees(pilot, "the request was withdrawn")
        await press(pilot, "y")
        assert decisions(engine) == {}
        assert any("nothing was answered" in one for one in toasts(app))
        await press(pilot, "j", "y")
        assert decisions(engine) == {"b": Decision.APPROVE}
        assert "make a" not in shown(app)


async def test_a_request_that_changed_since_it_was_painted_is_not_answered() -> None:
    engine = FakeEngine()
    start(engine, "a")
    ask(engine, "a", request("make a"))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        end(engine, "a", RequestPhase.WITHDRAWN)  # not on the screen yet when the key comes
        ask(engine, "a", request("rm -rf /"))
        inbox_of(app).action_approve()
        await settled(pilot)
        assert decisions(engine) == {}
        assert any("REQUEST_NOT_PENDING" in one for one in toasts(app))


async def test_a_key_typed_before_the_request_was_painted_answers_nothing() -> None:
    engine = FakeEngine()
    for name in ("a", "b"):
        start(engine, name)
        ask(engine, name, request(f"make {name}"))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        inbox_of(app).listed.action_cursor_down()
        inbox_of(app).action_approve()
        await settled(pilot)
        assert decisions(engine) == {}
        assert any("not on the screen yet" in one for one in toasts(app))


async def test_lost_races_are_reported() -> None:
    class Slow(FakeEngine):
        async def answer(self, run: str, answered: RequestAnswer) -> Run:
            end(self, run, RequestPhase.WITHDRAWN)
            return await super().answer(run, answered)

    engine = Slow()
    start(engine, "a")
    ask(engine, "a", request("make a"))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        await press(pilot, "y")
        assert any("REQUEST_NOT_PENDING" in one for one in toasts(app))
        assert "the request was withdrawn" in plain(app)


async def test_deny_with_a_message_and_stop() -> None:
    engine = FakeEngine()
    for name in ("a", "b", "c"):
        start(engine, name)
        ask(engine, name, request(f"make {name}"))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        await press(pilot, "N")
        assert isinstance(app.screen, WriteDialog)
        await press(pilot, *"[b]no", "enter")
        assert [one.text for one in engine.view.runs["a"].messages] == ["[b]no"]
        await press(pilot, "j", "n", "j", "x")
        expected = {"a": Decision.DENY, "b": Decision.DENY, "c": Decision.STOP}
        assert decisions(engine) == expected


async def test_different_requests_are_answered_together_only_after_a_look() -> None:
    engine = many_kinds()
    app = app_on(engine)
    async with app.run_test(size=(120, 60)) as pilot:
        await open_inbox(pilot)
        await press(pilot, "A", "y")
        assert isinstance(app.screen, BulkAnswerDialog)
        assert decisions(engine) == {}
        assert "Approve 12 requests that ask for 4 different things?" in plain(app)
        assert "2 of them need a second look" in plain(app)
        for text in (NPM, "echo ok # fine⏎", "rm -rf build", "/etc/hosts", "+other", "/srv/data"):
            assert text in shown(app)
        await press(pilot, "escape")
        assert decisions(engine) == {}
        await press(pilot, "y", "y")
        assert decisions(engine) == dict.fromkeys(engine.view.runs, Decision.APPROVE)


async def test_a_key_typed_ahead_of_the_question_answers_nothing() -> None:
    engine = many_kinds()
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        await press(pilot, "A", "y")
        dialog = app.screen
        assert isinstance(dialog, BulkAnswerDialog)
        dialog.query_one(AllRequests).is_painted = False
        dialog.on_key(Key("y", "y"))
        await settled(pilot)
        assert app.screen is dialog
        assert decisions(engine) == {}


async def test_a_line_is_dim_until_the_agent_has_the_answer() -> None:
    engine = FakeEngine()
    for name in ("a", "b"):
        start(engine, name)
        ask(engine, name, request("make all"))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        view = inbox_of(app).listed

        def is_dim() -> bool:
            styles = [part.style for part in view.draw(0, 60) if "make" in part.text]
            return [style.color for style in styles if style] == [view.paint.tone("faint").color]

        assert not is_dim()
        asked = engine.view.runs["a"].unanswered[0]
        await engine.answer("a", RequestAnswer(1, "0", asked.digest, Decision.DENY))
        await settled(pilot)
        assert not is_dim()  # one of the two waits
        await press(pilot, "y")
        assert is_dim()
        end(engine, "a", RequestPhase.APPLIED)
        await sees(pilot, "on its way")


async def test_a_marked_request_that_changed_is_not_answered_by_the_question() -> None:
    engine = FakeEngine()
    for name in ("a", "b"):
        start(engine, name)
        ask(engine, name, request(f"make {name}"))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        await press(pilot, "A", "y")
        end(engine, "a", RequestPhase.WITHDRAWN)
        ask(engine, "a", request("rm -rf /"))
        await press(pilot, "y")
        assert decisions(engine) == {"b": Decision.APPROVE}
        assert any("1 of 2 requests got no answer" in one for one in toasts(app))


async def test_a_request_that_is_cut_can_only_be_denied() -> None:
    engine = FakeEngine()
    start(engine, "a")
    ask(engine, "a", request("make a", is_cut=True))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        assert "can only be denied" in plain(app)
        await press(pilot, "y")
        assert decisions(engine) == {}
        assert any("can only be denied" in one for one in toasts(app))
        await press(pilot, "n")
        assert decisions(engine) == {"a": Decision.DENY}


async def test_a_request_longer_than_the_screen_is_not_approved_unread() -> None:
    engine = FakeEngine()
    start(engine, "a")
    ask(engine, "a", request("\n".join(f"echo {number}" for number in range(200))))
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await open_inbox(pilot)
        await press(pilot, "y")
        assert isinstance(app.screen, BulkAnswerDialog)
        await press(pilot, "escape", "tab", *["pagedown"] * 20)
        assert "echo 199" in shown(app)
        await press(pilot, "y")
        assert decisions(engine) == {"a": Decision.APPROVE}


async def test_requests_that_only_look_alike_are_two_lines() -> None:
    engine = FakeEngine()
    for name, cwd in (("a", "."), ("b", "/etc")):
        start(engine, name)
        ask(engine, name, request("make all", cwd=cwd))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        assert "Requests 2" in shown(app)
        await press(pilot, "y")
        assert decisions(engine) == {"a": Decision.APPROVE}


async def test_enter_leads_from_the_run_to_its_request_and_back_to_its_log() -> None:
    engine = FakeEngine()
    for name in ("a", "b"):
        start(engine, name)
        ask(engine, name, request(f"make {name}"))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await sees(pilot, "! needs you")
        assert "run `make a`" in plain(app)
        await press(pilot, "j", "enter")
        chosen = inbox_of(app).listed.chosen
        assert chosen
        assert chosen.open[0].run == "a"
        await press(pilot, "enter")
        assert isinstance(app.live_screen, RunsScreen)
        assert app.live_screen.panes.pane == "log"
        assert screen_of(app).panes.chosen.run_id == "a"
        assert "needs you: run `make a`" in plain(app)


async def test_y_and_n_answer_nothing_on_the_screen_of_runs() -> None:
    engine = FakeEngine()
    start(engine, "a")
    ask(engine, "a", request("make a"))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await painted(pilot)
        await press(pilot, "y", "n")
        assert decisions(engine) == {}


async def test_n_starts_no_run_in_the_inbox_even_without_requests() -> None:
    app = app_on(FakeEngine())
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        assert "Runs that were started with --interactive ask here" in plain(app)
        await press(pilot, "n", "y", "N", "x", "enter")
        assert app.screen is inbox_of(app)
        await press(pilot, "escape")
        assert isinstance(app.live_screen, RunsScreen)


async def test_runs_that_ask_come_first_among_those_that_need_attention() -> None:
    engine = FakeEngine()
    start(engine, "a")
    ask(engine, "a", request("make a"))
    start(engine, "b")
    engine.pass_through("b", Status.FAILED)
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await painted(pilot)
        assert listed(app) == ["a", "b"]
        await press(pilot, "w")
        assert listed(app) == ["a", "b"]


async def test_clicks_choose_a_request_and_open_its_run() -> None:
    app = app_on(many_kinds())
    async with app.run_test(size=WIDE) as pilot:
        await pilot.click("TopBar", offset=(79, 0))
        await settled(pilot)
        await pilot.click("RequestList", offset=(8, 3))
        await sees(pilot, "/etc/hosts")
        await pilot.click("RequestList", offset=(8, 3), times=2)
        await settled(pilot)
        assert screen_of(app).panes.chosen.run_id == "s1"


async def test_requests_without_a_digest_are_never_joined() -> None:
    engine = FakeEngine()
    for name in ("a", "b"):
        start(engine, name)
        ask(engine, name, request("make all", digest=""))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        assert "Requests 2" in shown(app)


async def test_answers_by_others_are_seen() -> None:
    engine = FakeEngine()
    start(engine, "a")
    asked = request("make a")
    ask(engine, "a", asked)
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        await engine.answer("a", RequestAnswer(1, "0", asked.digest, Decision.DENY))
        end(engine, "a", RequestPhase.APPLIED)
        await sees(pilot, "denied by you; the agent has the answer")
        with pytest.raises(UserError):
            await engine.answer("a", RequestAnswer(1, "0", asked.digest, Decision.APPROVE))


async def test_patch_diff_keeps_every_line() -> None:
    engine = FakeEngine()
    start(engine, "a")
    ask(engine, "a", patch())
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        for line in ("@@ -1 +1 @@", "-old", "+new", "-local", "+other"):
            assert line in shown(app)


async def test_a_kind_of_a_newer_version_is_shown_and_can_be_denied() -> None:
    engine = FakeEngine()
    start(engine, "a")
    newer = request("magic", kind=RequestKind.read("hologram"), details='{"size": 3}')
    ask(engine, "a", newer)
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        assert "hologram" in shown(app)
        assert "size: 3" in shown(app)
        await press(pilot, "n")
        assert decisions(engine) == {"a": Decision.DENY}


async def test_the_work_of_a_batch_does_not_grow_with_the_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = FakeEngine()
    for number in range(200):
        start(engine, f"r{number:03}")
        for each in range(3 if number < 100 else 2):
            ask(engine, f"r{number:03}", request(f"make {number} {each}", number=str(each)))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        assert "Requests 500" in shown(app)
        drawn: list[int] = []
        read: list[str] = []
        draw, events = RequestList.draw, engine.events

        def counted(self: RequestList, line: int, width: int) -> Strip:
            drawn.append(line)
            return draw(self, line, width)

        async def noted(run: str, **fields: Any) -> list[Event]:
            read.append(run)
            return await events(run, **fields)

        monkeypatch.setattr(RequestList, "draw", counted)
        monkeypatch.setattr(engine, "events", noted)
        for number in range(100, 110):
            end(engine, f"r{number}", RequestPhase.WITHDRAWN)
        await sees(pilot, "Requests 490")
        assert len(set(drawn)) < 40
        assert read == []
        await press(pilot, "G")
        assert "make 199 1" in shown(app)
        assert read == ["r199"]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_groups_are_kept_current_from_changed_runs_alone(number: int) -> None:
    engine = FakeEngine()
    groups = OpenRequests(engine.view.runs)
    for name in ("a", "b", "c"):
        start(engine, name)
        ask(engine, name, request("make all"))
    groups.update(["a", "b", "c"])
    assert [group.run_count for group in groups] == [3]
    name = ("a", "b", "c")[number]
    end(engine, name, RequestPhase.WITHDRAWN)
    assert groups.update([name])
    assert not groups.update([name])
    assert [group.run_count for group in groups] == [2]
    assert [ref.run for group in groups for ref in group.open] == sorted({*"abc"} - {name})
    again = OpenRequests(engine.view.runs)
    again.rebuild()
    assert [group.open for group in again] == [group.open for group in groups]


def test_the_oldest_group_comes_first_in_whatever_order_runs_are_read() -> None:
    engine = FakeEngine()
    start(engine, "a")
    start(engine, "b")
    ask(engine, "a", request("make one"))
    ask(engine, "b", request("make two"))
    ask(engine, "b", request("make three", number="1"))
    ask(engine, "a", request("make two", number="1"))
    for order in (["a", "b"], ["b", "a"]):
        groups = OpenRequests({name: engine.view.runs[name] for name in order})
        groups.rebuild()
        assert [group.request.text for group in groups] == ["make one", "make two", "make three"]
        assert [ref.run for ref in groups[1].open] == ["b", "a"]

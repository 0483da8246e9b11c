"""The key `ctrl+g`: a dialog that pushes the branch of a run, with a pull request if asked."""

from __future__ import annotations

import asyncio

import pytest
from fake_engine import (
    LIMIT_S,
    FakeEngine,
    app_on,
    choose,
    four_runs,
    painted,
    shown,
    toasts,
    until,
)

from engine.domain.errors import user_error
from engine.domain.events import Progressed
from engine.domain.model import Stage
from engine.domain.push import BranchPushed
from engine.engine import PullRequest, PushRequest, PushResult
from tui.screens.push import PushDialog

URL = "https://github.com/o/r/pull/7"
PLACE = {"path": "/w", "kind": "worktree", "source": "/s"}


class Pushes:
    """Pushes that are kept; `refusal` is the problem of the next one."""

    def __init__(self, engine: FakeEngine) -> None:
        self.engine, self.wanted = engine, list[PushRequest]()
        self.refusal = ""
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def draft(self, run: str) -> PullRequest:
        return PullRequest("Write the docs", "All pages.")

    async def push(self, run: str, wanted: PushRequest) -> PushResult:
        self.wanted.append(wanted)
        await self.may_end.wait()
        if self.refusal:
            raise user_error("PUSH_FAILED", self.refusal)
        url = URL if wanted.pull_request else ""
        pushed = BranchPushed("origin", "git@github.com:o/r.git", "b", "c", "web", url)
        return PushResult(self.engine.view.runs[run], pushed, True)


@pytest.fixture
def pushes(monkeypatch: pytest.MonkeyPatch) -> Pushes:
    """The pushes of an engine with one run in a worktree."""
    engine = four_runs()
    engine.happen("a1", Progressed(Stage.WORKSPACE_PREP, "ready", 20, PLACE))
    pushes = Pushes(engine)
    monkeypatch.setattr(FakeEngine, "pushes", pushes)
    return pushes


async def test_a_branch_is_pushed_without_a_pull_request(pushes: Pushes) -> None:
    app = app_on(pushes.engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await choose(pilot, "a1")
        await pilot.press("ctrl+g")
        await painted(pilot)
        assert "Push · Write the docs" in shown(app)
        pushes.refusal = "There is no remote."
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "There is no remote." in shown(app))
        pushes.refusal = ""
        await pilot.press("ctrl+s")
        await until(pilot, lambda: bool(toasts(app)))
        assert not isinstance(app.screen, PushDialog)
    assert pushes.wanted == [PushRequest(), PushRequest()]


async def test_title_and_text_of_a_draft_are_edited_first(pushes: Pushes) -> None:
    app = app_on(pushes.engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await choose(pilot, "a1")
        await pilot.press("ctrl+g")
        await until(pilot, lambda: isinstance(app.screen, PushDialog))
        await pilot.press("left", "tab", *"fork", "tab", *"docs", "tab", "end", *" now")
        await until(
            pilot, lambda: "Write the docs now" in shown(app) and "All pages." in shown(app)
        )
        await pilot.press("ctrl+s")
        await until(pilot, lambda: bool(toasts(app)))
        assert URL in toasts(app)[-1]
    (wanted,) = pushes.wanted
    assert wanted == PushRequest(
        "fork", "docs", PullRequest("Write the docs now", "All pages.", is_draft=True)
    )


async def test_the_dialog_stays_until_a_push_that_began_has_ended(pushes: Pushes) -> None:
    app = app_on(pushes.engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await choose(pilot, "a1")
        await pilot.press("ctrl+g")
        await painted(pilot)
        pushes.may_end.clear()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: bool(pushes.wanted))
        await pilot.press("escape")
        await until(pilot, lambda: "closes when the push has ended" in shown(app))
        assert isinstance(app.screen, PushDialog)
        pushes.may_end.set()
        async with asyncio.timeout(LIMIT_S):
            while not toasts(app):
                await pilot.pause()
        assert "pushed to origin" in toasts(app)[-1]
        assert not isinstance(app.screen, PushDialog)

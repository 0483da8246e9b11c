"""Open pull requests are read from time to time: only those that are due, a few at a time."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from engine.domain.errors import user_error
from engine.domain.events import Body, Event
from engine.domain.model import Run, RunSpec
from engine.domain.projection import View
from engine.domain.pull_request import PullRequestSeen, PullRequestState
from engine.domain.push import BranchPushed
from engine.runs.pull_requests import AT_ONCE, LONGEST_S, PullRequestUpdates

URL = "https://github.com/o/r/pull/7"


class Home:
    """Runs with pull requests, and the reads of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.view, self.reads, self.now = View(), Counter[str](), 0.0
        self.failing, self.at_once, self.most = set[str](), 0, 0
        self.program: str | None = "/usr/bin/gh"
        monkeypatch.setattr("engine.workspaces.git.gh.program", lambda: self.program)
        self.updates = PullRequestUpdates(self.view, self.refresh, 300.0, lambda: self.now)

    def add(self, run: str, *bodies: Body) -> None:
        """Add a run to which this happened."""
        self.view.put(Run(id=run, spec=RunSpec("x", "x", "p"), created_at=0.0, seq=1))
        self.happen(run, *bodies)

    def happen(self, run: str, *bodies: Body) -> None:
        """Apply these events to a run."""
        seq = self.view.runs[run].seq
        self.view.apply([Event(run, seq + n, 0.0, 1, body) for n, body in enumerate(bodies, 1)])

    async def refresh(self, run: str) -> None:
        """Count a read."""
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.reads[run] += 1
        self.at_once -= 1
        if run in self.failing:
            raise user_error("PULL_REQUEST_UNREADABLE")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home without runs."""
    return Home(monkeypatch)


def pushed(url: str = URL) -> BranchPushed:
    """A push, with a pull request unless its address is empty."""
    return BranchPushed("origin", "git@github.com:o/r.git", "b", "c" * 40, "", url, 1)


async def test_open_ones_are_read_at_the_interval_until_they_are_merged(home: Home) -> None:
    home.add("a", pushed())
    home.add("b", pushed(""))
    home.add("c")
    for now in (0.0, 1.0, 299.0, 300.0):
        home.now = now
        await home.updates.check()
    assert home.reads == {"a": 2}
    home.happen("a", PullRequestSeen(URL, 7, PullRequestState.MERGED))
    home.now = 10_000.0
    await home.updates.check()
    assert home.reads == {"a": 2}


async def test_a_few_are_read_at_a_time(home: Home) -> None:
    for n in range(2 * AT_ONCE):
        home.add(f"r{n}", pushed())
    await home.updates.check()
    assert home.reads.total() == AT_ONCE
    await home.updates.check()
    assert home.reads == dict.fromkeys(home.view.runs, 1)


async def test_after_failures_the_pauses_double(home: Home) -> None:
    home.add("a", pushed())
    home.failing.add("a")
    times: list[float] = []
    while home.now < 20_000:
        before = home.reads["a"]
        await home.updates.check()
        times += [home.now] * (home.reads["a"] - before)
        home.now += 100.0
    pauses = [later - at for at, later in pairwise(times)]
    assert pauses[:3] == [600.0, 1200.0, 2400.0]
    assert max(pauses) <= LONGEST_S


async def test_nothing_is_read_without_gh_or_without_an_interval(home: Home) -> None:
    home.add("a", pushed())
    home.program = None
    await home.updates.check()
    await PullRequestUpdates(home.view, home.refresh, None).run()
    assert not home.reads

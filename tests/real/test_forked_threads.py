"""Forks of runs of the real Codex: the thread is copied, in both modes and with both binaries."""

from __future__ import annotations

import os

import pytest
from house import House, ended, task
from loopback import LoopbackServer, codex_binary, message

from engine.disk.cleanup_plan import CleanupFilter
from engine.domain.interaction import ModeChange
from engine.domain.model import Status


@pytest.fixture(params=["packaged", "newest"])
def codex(request: pytest.FixtureRequest) -> str:
    """Return one of the two binaries."""
    named = os.environ.get("SWARM_TEST_CODEX") if request.param == "newest" else codex_binary()
    if named is None or not os.access(named, os.X_OK):
        pytest.skip("no Codex of npm's: set SWARM_TEST_CODEX")
    return named


@pytest.mark.parametrize("is_interactive", [False, True], ids=["exec", "interactive"])
async def test_fork_goes_on_in_a_copy_of_the_thread(
    house: House, server: LoopbackServer, codex: str, is_interactive: bool
) -> None:
    prompt = server.script("a", *[[message(word)] for word in ("one", "two", "three", "four")])
    mode = ModeChange(interactive=is_interactive)
    async with house.engine() as engine:
        first = await ended(engine, await engine.start(task(prompt, codex_bin=codex)))
        fork = await ended(engine, await engine.forks.fork(first.id, "fork-it", mode))
        assert (fork.status, fork.is_interactive) == (Status.SUCCEEDED, is_interactive)
        assert fork.thread_id not in (None, first.thread_id)
        said = str(server.requests[-1].body["input"])
        assert said.index(prompt) < said.index("fork-it")
        # One request to the model each: the fork does not count that of the original.
        assert fork.usage.input == first.usage.input
        await ended(engine, await engine.resume(first.id, "original-goes-on"))
        assert "fork-it" not in str(server.requests[-1].body["input"])
        fork = await ended(engine, await engine.resume(fork.id, "fork-goes-on"))
        said = str(server.requests[-1].body["input"])
        assert "original-goes-on" not in said
        assert said.index(prompt) < said.index("fork-it") < said.index("fork-goes-on")
        assert fork.usage.input == 2 * first.usage.input
        await engine.forgetting.forget([first.id])
        (entry,) = await engine.disk.trash()
        await engine.disk.empty([entry])
        plan = await engine.disk.plan(CleanupFilter(sessions=True))
        assert plan.take == ()
        assert any("a fork needs it" in item.why for item in plan.keep)
        fork = await ended(engine, await engine.resume(fork.id, "without-the-original"))
        assert fork.status is Status.SUCCEEDED

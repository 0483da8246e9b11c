"""A second run of the real Codex learns from the first: what it is told is what is sent."""

from __future__ import annotations

import json
from dataclasses import replace

from house import House, ended, task
from loopback import LoopbackServer, command, message

from engine.domain.model import Status
from engine.domain.pattern import SuccessRate


async def test_what_worked_is_told_to_the_next_run(house: House, server: LoopbackServer) -> None:
    async with house.engine() as engine:
        first = server.script("first-work", [command("echo ok >made.txt"), message("Done.")])
        run = await ended(engine, await engine.start(task(first, verify="test -f made.txt")))
        assert run.status is Status.SUCCEEDED
        (known,) = await engine.patterns.all()
        assert known.runs == (run.id,) and known.pattern.outcome.startswith("1 file changed")
        server.requests.clear()
        wanted = task(server.script("second-work", [message("Done.")]), learn_from=run.id)
        second = await ended(engine, await engine.start(wanted))
        told = json.dumps(server.requests[0].body["input"])
        for said in ("<earlier-work>", "1. run: echo ok >made.txt", "2. check: test -f made.txt"):
            assert json.dumps(said)[1:-1] in told
        assert told.index("</earlier-work>") < told.index("second-work")
        assert (second.spec.learn_from, second.spec.prompt) == (known.id, wanted.prompt)
        again = await ended(engine, await engine.start(replace(wanted, learn_from=known.id)))
        assert again.spec.lesson == second.spec.lesson
        shown = await engine.patterns.find(known.id)
        assert shown.used_by == (again.id, second.id) and shown.with_it == SuccessRate(2, 2)
        assert shown.without == SuccessRate(1, 1)
        # A message to its thread is no new task: nothing is told again.
        resumed = await ended(engine, await engine.resume(second.id, "go on"))
        assert house.attempt(resumed).prompt.read_text() == "go on"

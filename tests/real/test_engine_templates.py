"""Every built-in template run once by the real Codex; a check that talks to its thread."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from house import House, ended, task
from loopback import LoopbackServer, command, message

from engine.domain.model import Status


async def test_every_built_in_template_runs(house: House, server: LoopbackServer) -> None:
    async with house.engine() as engine:
        known = await engine.templates.all()
        assert len(known) == 8
        runs = []
        for name, template in known.items():
            prompt = server.script(f"template-{name}", [command("ls"), message(f"{name} done.")])
            given = {k: "src" for k, it in template.params.items() if it.default is None}
            if "command" in template.params and name != "format":
                given["command"] = "test -d ."
            filled = await engine.templates.fill(template, given, task(prompt))
            runs.append(await engine.start(filled))
        done = await asyncio.gather(*(ended(engine, run) for run in runs))
        assert {run.status for run in done} == {Status.SUCCEEDED}, [run.error for run in done]
        assert {run.spec.template for run in done} == known.keys()


async def test_a_failed_check_is_told_to_the_same_thread(
    house: House, server: LoopbackServer
) -> None:
    steps = [command("echo 1 >answer"), message("Done.")]
    prompt = server.script("wrong-answer", steps)
    check = "echo seen >>checked; test $(wc -l <checked) -ge 2"
    async with house.engine() as engine:
        wanted = replace(task(prompt), verify=check, retries=1)
        run = await ended(engine, await engine.start(wanted))
    assert (run.status, run.attempt) == (Status.SUCCEEDED, 2)
    said = house.attempt(run).prompt.read_text()
    assert said.startswith("The check failed: ") and check in said
    assert run.thread_id and run.thread_id in house.attempt(run).stdout.read_text()

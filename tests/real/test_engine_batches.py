"""A flow with the real Codex: each step goes on in the workspace of the one before."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from house import House, ended, task
from loopback import LoopbackServer, command, message

from engine.domain.model import Status
from engine.engine import BatchRequest


async def test_research_write_review(house: House, server: LoopbackServer, lab: Path) -> None:
    scripts = {
        "research": "echo oak >notes",
        "write": "cat notes notes >text",
        "review": "test $(wc -l <text) -eq 2 && echo good >review",
    }
    lines, before = ["steps:"], None
    for name, words in scripts.items():
        prompt = server.script(f"flow-{name}", [command(words), message("Done.")])
        lines += [f"  - name: {name}", f"    prompt: {json.dumps(prompt)}"]
        lines += [f"    from: {before}"] if before else []
        before = name
    file = lab / "flow.yaml"
    file.write_text("\n".join([*lines, "    verify: grep -q good review"]))
    async with house.engine() as engine:
        plan = await engine.swarms.plan(BatchRequest(task(""), file=file))
        for consent in await engine.swarms.consents(plan):
            await engine.trust.grant(consent)
        _, runs = await engine.swarms.start(plan)
        done = await asyncio.gather(*(ended(engine, run) for run in runs))
    assert {run.status for run in done} == {Status.SUCCEEDED}, [run.error for run in done]
    assert done[2].workspace
    made = sorted(path.name for path in Path(done[2].workspace.path).iterdir())
    assert made == ["notes", "review", "text"]

"""The real Codex of a run as a client of our MCP server: it starts runs of its own."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from bridge_run import newest_codex
from house import ROOT, House, task
from loopback import (
    Json,
    LoopbackServer,
    Step,
    add_file,
    call_in,
    codex_binary,
    hang,
    message,
    patch,
)

from engine.config.settings import McpSettings
from engine.domain.children import descendants
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run, Status
from engine.engine import Engine

PATIENCE_S = 90
EXAMPLE = Path(__file__).parents[2] / "docs/examples/split.md"
TOOLS = "mcp__swarm_tui"
_STARTED = re.compile(r'\\*"run\\*":\s*\{\\*"id\\*":\s*\\*"(\w+)')


@pytest.fixture(params=["packaged", "newest"])
def codex(request: pytest.FixtureRequest) -> str:
    """Return one of the two binaries."""
    found = codex_binary() if request.param == "packaged" else newest_codex()
    if found is None:
        pytest.skip("no Codex of npm's: set SWARM_TEST_CODEX")
    return found


class AgentServer(LoopbackServer):
    """A model that knows the runs that its agent has started: `$RUNS` and `$RUN` are their ids."""

    def choose(self, path: str, headers: Mapping[str, str], body: Json) -> Step:
        """Return the step that is due, with the ids."""
        step = super().choose(path, headers, body)
        found = list(dict.fromkeys(_STARTED.findall(json.dumps(body["input"]))))
        items = json.dumps(step.items).replace("$RUNS", '\\", \\"'.join(found))
        items = items.replace("$RUN", found[0] if found else "none")
        return replace(step, items=tuple(json.loads(items)))


def tool(name: str, **arguments: object) -> Step:
    return call_in(TOOLS, name, arguments)


def answers(server: LoopbackServer) -> list[str]:
    """Return what the tools answered, as the last request of the parent holds it."""
    last = [one for one in server.requests if one.script == "parent"][-1]
    found = [one["output"] for one in last.body["input"] if "output" in one]
    return [one if isinstance(one, str) else json.dumps(one) for one in found]


async def until_ended(engine: Engine, run: Run) -> Run:
    batches = engine.batches(0)
    async with asyncio.timeout(PATIENCE_S):
        while engine.view.runs[run.id].status not in FINISHED:
            await anext(batches)
    return engine.view.runs[run.id]


def use(house: House, server: LoopbackServer, more: str = "") -> None:
    """Let the Codex of a house ask this server."""
    config = house.codex_home / "config.toml"
    config.write_text(re.sub(r"http://[^\"]+", server.url, config.read_text()) + more)


@pytest.mark.parametrize("interactive", [False, True])
async def test_agent_starts_three_runs_waits_and_reads_their_results(
    house: House, codex: str, interactive: bool
):
    house.paths.config.write_text("mcp: {agents: true}\n")
    with AgentServer() as server:
        use(house, server)
        server.script("child", [patch(add_file("a.txt", "by a child")), message("Child done.")])
        start = tool("start_run", prompt="[script:child] Do a part.")
        looser = tool("start_run", prompt="x", sandbox="danger-full-access")
        wait = tool("wait_for_runs", runs=["$RUNS"], timeout_s=PATIENCE_S)
        read = [tool("read_result", run="$RUN"), tool("diff_run", run="$RUN")]
        server.script("parent", [start, start, start, looser, wait, *read, message("All done.")])
        async with house.engine(mcp=McpSettings(agents=True), slots=5) as engine:
            more = {"codex_bin": codex, "interactive": interactive}
            parent = await engine.start(task("[script:parent] Split it.", **more))
            ended = await until_ended(engine, parent)
            children = descendants(engine.view.runs.values(), [parent.id])
        assert ended.status is Status.SUCCEEDED, answers(server)
        assert [run.status for run in children] == [Status.SUCCEEDED] * 3, answers(server)
        assert {run.spec.codex_bin for run in children} == {codex}
        said = answers(server)
        assert "RIGHTS_EXCEEDED" in said[3]
        assert "Child done." in said[5] and "+by a child" in said[6]


async def test_example_of_an_agent_that_splits_a_task_and_reviews_the_parts(house: House) -> None:
    codex = codex_binary()
    if codex is None:
        pytest.skip("Codex is missing")
    house.paths.config.write_text("mcp: {agents: true}\n")
    with AgentServer() as server:
        use(house, server)
        server.script("child", [patch(add_file("a.txt", "by a child")), message("Part done.")])
        server.script("more", [message("Rest done.")])
        start = tool("start_run", prompt="[script:child] Do a part.")
        wait = tool("wait_for_runs", runs=["$RUNS"], timeout_s=PATIENCE_S)
        review = [tool("read_result", run="$RUN"), tool("diff_run", run="$RUN")]
        again = [tool("resume_run", run="$RUN", message="[script:more] Do the rest."), wait]
        server.script("parent", [*[start] * 5, wait, *review, *again, message("| run | part |")])
        prompt = EXAMPLE.read_text("utf-8") + "[script:parent] Port the tests."
        async with house.engine(mcp=McpSettings(agents=True), slots=6) as engine:
            parent = await engine.start(task(prompt, codex_bin=codex))
            ended = await until_ended(engine, parent)
            children = descendants(engine.view.runs.values(), [parent.id])
        assert ended.status is Status.SUCCEEDED, answers(server)
        assert [run.status for run in children] == [Status.SUCCEEDED] * 5, answers(server)
        assert [run.attempt for run in children].count(2) == 1
        assert "Part done." in answers(server)[6] and "+by a child" in answers(server)[7]


async def test_agent_that_works_alone_may_cancel_its_run(house: House, codex: str):
    house.paths.config.write_text("mcp: {agents: true}\n")
    with AgentServer() as server:
        use(house, server)
        server.script("child", [hang()])
        start = tool("start_run", prompt="[script:child] Do a part.")
        cancel = tool("cancel_runs", runs=["$RUN"], kill=True)
        server.script("parent", [start, cancel, message("All done.")])
        async with house.engine(mcp=McpSettings(agents=True)) as engine:
            parent = await engine.start(task("[script:parent] Do it.", codex_bin=codex))
            await until_ended(engine, parent)
            assert "cancelled by" not in answers(server)[1], answers(server)
            (child,) = descendants(engine.view.runs.values(), [parent.id])
            assert (await until_ended(engine, child)).status is Status.CANCELLED, answers(server)


async def test_server_of_the_users_own_codex_settings_changes_nothing_in_a_run(
    house: House, codex: str
):
    with AgentServer() as server:
        words = ["-E", "-P", str(ROOT / "swarm_tui.py"), "mcp"]
        names = {"SWARM_HOME": str(house.paths.home), "SWARM_CONFIG": str(house.paths.config)}
        env = ", ".join(f"{name} = {json.dumps(value)}" for name, value in names.items())
        use(
            house,
            server,
            f"[mcp_servers.swarm-tui]\ncommand = {json.dumps(sys.executable)}\n"
            f"args = {json.dumps(words)}\nrequired = true\nenv = {{{env}}}\n",
        )
        steps = [tool("list_runs"), tool("start_run", prompt="[script:child] x", empty=True)]
        server.script("parent", [*steps, message("All done.")])
        async with house.engine() as engine:
            run = await engine.start(task("[script:parent] Do it.", codex_bin=codex))
            await until_ended(engine, run)
            assert list(engine.view.runs) == [run.id]
    said = answers(server)
    assert run.id in said[0] and run.id not in said[1], said

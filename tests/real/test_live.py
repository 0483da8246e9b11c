"""Live output and the turn's diff of the real Codex, read by a process that does not supervise."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from house import LIMIT_S, House, ended, happened, until
from loopback import LoopbackServer, add_file, command, message, patch, rate_limits
from test_interactive import interactive
from test_interactive_cli import SWARM

from engine.domain.events import Step, UsageCounted
from engine.domain.live import CommandEnded, CommandOutput, LiveReport, TurnDiff
from engine.domain.model import Run, Status
from engine.engine import Engine
from engine.ports.engine import LiveReportsPort

GATED = "printf 'caf\\303'; sleep 0.2; printf '\\251 \\033[31mred\\033[0m\\n'; "
GATED += "while [ ! -e go ]; do echo tick; sleep 0.05; done; echo last"


async def read_until(live: LiveReportsPort, wanted: Callable[[list[LiveReport]], bool]) -> None:
    """Read live reports until they are those that are wanted."""
    found: list[LiveReport] = []
    async with asyncio.timeout(LIMIT_S):
        while not wanted(found):
            found += await live.read()
            await asyncio.sleep(0.02)


def texts(reports: list[LiveReport]) -> str:
    """Return the output of all commands."""
    return "".join(one.text for one in reports if isinstance(one, CommandOutput))


def open_gate(run: Run) -> None:
    """Let the command of a run end."""
    assert run.workspace
    (Path(run.workspace.path) / "go").touch()


async def test_output_comes_while_the_command_runs_and_is_not_stored(
    house: House, server: LoopbackServer
) -> None:
    prompt = server.script("a", [command(GATED, yield_time_ms=30_000), message("done")])
    async with house.engine() as engine, Engine.open(house.paths) as watcher:
        run = await engine.start(interactive(prompt))
        run = await until(engine, run, lambda now: now.doing.startswith("running"))
        live = watcher.live_output(run)
        assert live
        await read_until(live, lambda found: texts(found).count("tick") >= 3)
        late = watcher.live_output(run)  # as one that takes over
        assert late
        await read_until(late, lambda found: "tick" in texts(found))
        open_gate(run)
        await read_until(live, lambda found: CommandEnded in map(type, found))
        run = await ended(engine, run)
        events = await engine.events(run.id)
        steps = [one for one in await happened(engine, run, Step) if one.output]
    assert run.status is Status.SUCCEEDED
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert not {event.body.type for event in events} & {"output", "raw"}
    assert "tick" in steps[0].output
    assert steps[0].output.endswith("last\n")
    assert watcher.live_output(run) is None


async def test_diff_of_the_turn_and_tokens_come_within_it(
    house: House, server: LoopbackServer
) -> None:
    added = patch(add_file("new.txt", "one\n")).with_headers(rate_limits(42.4))
    wait = command("while [ ! -e go ]; do sleep 0.05; done", yield_time_ms=30_000)
    prompt = server.script("a", [added, wait, message("done")])
    async with house.engine() as engine:
        run = await engine.start(interactive(prompt))
        run = await until(engine, run, lambda now: now.doing.startswith("running"))
        live = engine.live_output(run)
        assert live

        def is_shown(found: list[LiveReport]) -> bool:
            return any(isinstance(one, TurnDiff) and "+one" in one.diff for one in found)

        await read_until(live, is_shown)
        run = await until(engine, run, lambda now: now.usage.input > 0)
        assert run.status is Status.RUNNING
        assert run.limits
        open_gate(run)
        await read_until(live, lambda found: TurnDiff("") in found)
        run = await ended(engine, run)
        counts = await happened(engine, run, UsageCounted)
    assert run.status is Status.SUCCEEDED
    assert len(counts) == len(set(counts))


async def test_watch_prints_output_without_a_number_while_the_command_runs(
    house: House, server: LoopbackServer
) -> None:
    prompt = server.script("a", [command(GATED, yield_time_ms=30_000), message("done")])
    async with house.engine() as engine:
        run = await engine.start(interactive(prompt))
        run = await until(engine, run, lambda now: now.doing.startswith("running"))
        words = (*SWARM, "watch", run.id, "--live", "--json")
        found = await asyncio.to_thread(_watched, words, run)
        run = await ended(engine, run)
    outputs = [one for one in found if one["type"] == "output"]
    assert any("tick" in one["text"] for one in outputs)
    assert all(one["run"] == run.id and "seq" not in one for one in outputs)
    others = [one["seq"] for one in found if one["type"] != "output"]
    assert others == list(range(1, len(others) + 1))


def _watched(words: tuple[str, ...], run: Run) -> list[dict[str, object]]:
    """Return what a command prints to its end; the agent's command ends once it is shown."""
    found: list[dict[str, object]] = []
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout
        for line in watching.stdout:
            found.append(json.loads(line))
            if found[-1]["type"] == "output" and "tick" in str(found[-1]["text"]):
                open_gate(run)
    return found

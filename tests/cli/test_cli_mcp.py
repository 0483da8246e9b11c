"""`swarm-tui mcp` in a process of its own, on stdin and stdout."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp_clients import PROGRAM, ToolFailed, tools_over_stdio
from support import LIMIT_S, script
from typed import Swarm

from engine.agents import simulated
from engine.config.paths import Paths

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def call(number: int, name: str, **arguments: object) -> dict[str, object]:
    params = {"name": name, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


@pytest.fixture
def codex(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The simulated agent in the place of Codex, whose login is not checked."""
    program = Path(simulated.__file__).parent / "__main__.py"
    path = tmp_path / "codex"
    path.write_text(f'#!/bin/sh\n[ "$1" = login ] || exec {sys.executable} -I -S {program} "$@"\n')
    path.chmod(0o755)
    monkeypatch.setenv("SWARM_CODEX", str(path))
    return path


@pytest.fixture
def server(here: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server whose pipes the test holds."""
    process = subprocess.Popen(
        [sys.executable, PROGRAM, "mcp"],
        cwd=here,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        yield process
        process.kill()


def say(server: subprocess.Popen[bytes], *messages: object) -> None:
    assert server.stdin
    server.stdin.write(b"".join(json.dumps(one).encode() + b"\n" for one in messages))
    server.stdin.flush()


def answers_of(server: subprocess.Popen[bytes], *numbers: int) -> dict[int, dict[str, Any]]:
    """Return answers, in whatever order they come; every line is a message of the protocol."""
    assert server.stdout
    found: dict[int, dict[str, Any]] = {}
    for line in server.stdout:
        message = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        if message.get("id") in numbers:
            found[message["id"]] = message
        if len(found) == len(numbers):
            return found
    raise AssertionError("stdout was closed")


async def test_client_starts_a_run_that_a_supervisor_in_the_background_ends(
    here: Path, codex: Path, paths: Paths
):
    async with tools_over_stdio(cwd=here) as tools:
        prompt = script("write a.txt hello", "say finished")
        run = (await tools.call("start_run", prompt=prompt, empty=True))["run"]["id"]
        done = await tools.call("wait_for_runs", runs=[run])
        assert done["done"], done
        assert done["runs"][0]["status"] == "succeeded", done
        result = await tools.call("read_result", run=run)
        assert result["message"]["text"] == "finished"


async def test_server_without_rights_to_change_refuses_to(here: Path, paths: Paths):
    async with tools_over_stdio("--read-only", cwd=here) as tools:
        assert "start_run" not in await tools.names()
        assert (await tools.call("list_runs"))["runs"] == []
        with pytest.raises(ToolFailed) as caught:
            await tools.call("show_run", run="@last")
        assert caught.value.code == "RUN_NOT_FOUND"


def test_stdout_has_only_lines_of_the_protocol(
    here: Path, codex: Path, server: subprocess.Popen[bytes], paths: Paths
):
    paths.config.write_text("nonsense: true\n")  # a warning of other commands
    say(server, HELLO)
    answers_of(server, 1)
    say(server, READY, call(2, "start_run", prompt="sim: say hi", empty=True))
    assert server.stdin and server.stdout
    server.stdin.write(b"no JSON at all\n\xff\xfe\n[]\n{}\n\n")
    server.stdin.flush()
    say(server, call(3, "list_runs"), call(4, "none"))
    assert answers_of(server, 2, 3, 4)[4]["error"]["message"].startswith("There is no such tool.")
    server.stdin.close()
    rest = server.stdout.read()
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in rest.splitlines())
    assert server.wait(LIMIT_S) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_while_its_client_says_nothing(
    server: subprocess.Popen[bytes], number: signal.Signals
):
    say(server, HELLO)
    answers_of(server, 1)
    server.send_signal(number)
    assert server.wait(LIMIT_S) == 128 + number


def test_runs_go_on_when_the_server_is_killed(
    here: Path, codex: Path, server: subprocess.Popen[bytes], swarm: Swarm
):
    say(server, HELLO, READY)
    answers_of(server, 1)
    say(server, call(2, "start_run", prompt="sim: wait 0.5\nsim: say hi", empty=True))
    run = answers_of(server, 2)[2]["result"]["structuredContent"]["run"]["id"]
    say(server, call(3, "wait_for_runs", runs=[run]))
    os.kill(server.pid, signal.SIGKILL)
    server.wait(LIMIT_S)
    assert swarm("wait", run).code == 0
    assert swarm("show", run, "--json").json["status"] == "succeeded"


def test_message_that_is_too_long_ends_the_connection(swarm: Swarm):
    done = swarm("mcp", stdin=b"x" * (5 * 1024 * 1024))
    assert (done.code, done.out) == (0, "") and "too long" in done.err


def test_missing_extra_is_named(swarm: Swarm, tmp_path: Path):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, importlib.util as u\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'mcp' else find(name, *more)\n"
    )
    done = swarm("mcp", PYTHONPATH=str(tmp_path))
    assert (done.code, done.out) == (3, "") and "MCP_MISSING" in done.err

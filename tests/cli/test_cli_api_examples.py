"""The examples of docs/api.md, each against a real server."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import script
from test_cli_api import ADDRESS, serving
from typed import PATIENCE_S, ROOT, Swarm

EXAMPLES = ROOT / "docs/examples"
GOOD = script("write tree.txt elm", "say done")
pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="curl is missing")


@pytest.fixture
def repository(here: Path) -> Path:
    def git(*words: str) -> None:
        me = ["-c", "user.name=me", "-c", "user.email=me@localhost"]
        subprocess.run(["git", *me, *words], cwd=here, check=True)

    git("init", "-q", "-b", "main")
    (here / "tree.txt").write_text("oak\n")
    git("add", ".")
    git("commit", "-qm", "first")
    return here


@pytest.fixture
def token(swarm: Swarm) -> str:
    return swarm("api", "token", "create", "example", "--scope", "run").out.strip()


async def _run(token: str, *words: str | Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *map(str, words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "TOKEN": token, "AGENT": "simulated", "no_proxy": "*"},
    )
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_curl(repository: Path, token: str) -> None:
    async with serving("--port", "0") as served:
        address = (await served.line(ADDRESS.pattern))[1]
        code, out = await _run(token, EXAMPLES / "api.sh", address, repository, GOOD, "simulated")
    assert code == 0, out
    assert '"status": "succeeded"' in out or '"status":"succeeded"' in out
    assert out.endswith("+elm\n"), out


async def test_python(repository: Path, token: str) -> None:
    async with serving("--port", "0") as served:
        address = (await served.line(ADDRESS.pattern))[1]
        tasks = (GOOD, script("exit 1"))
        program = EXAMPLES / "api_runs.py"
        code, out = await _run(token, sys.executable, program, address, repository, *tasks)
    assert code == 0, out
    assert " succeeded +1 " in out
    assert " failed +0 " in out


@pytest.mark.parametrize(("second", "expected"), [("sim: say done", 0), ("sim: exit 1", 1)])
async def test_nightly(
    repository: Path, token: str, tmp_path: Path, second: str, expected: int
) -> None:
    tasks = tmp_path / "tasks"
    tasks.write_text(f"sim: say done\n\n{second}")  # an empty line, and no end of the last one
    door = tmp_path / "api.sock"
    async with serving("--socket", str(door)) as served:
        await served.line("api.sock")
        code, out = await _run(token, EXAMPLES / "nightly.sh", door, repository, tasks, "simulated")
    assert code == expected, out
    assert out.count(" succeeded ") == 2 - expected

"""The limit on open files: higher for the supervisor, as it was for what it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.config.paths import Paths

PROGRAM = """
import asyncio, resource, subprocess, sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from support import spec, quick, settled
from engine.engine import Engine
from engine.system.open_files import with_own_limit
from engine.config.paths import Paths

async def main():
    paths = Paths(Path(sys.argv[3]), Path(sys.argv[4]))
    async with Engine.open(paths, quick(), supervise=True) as engine:
        run = await engine.start(spec("say hello", verify="ulimit -S -n > limit"))
        await settled(engine)
        folder = Path(engine.view.runs[run.id].workspace.path)
    own = subprocess.check_output(with_own_limit(["sh", "-c", "ulimit -S -n"]), text=True)
    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], (folder / "limit").read_text(), own)

resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
asyncio.run(main())
"""


def test_the_supervisor_may_open_more_files_and_what_it_starts_as_many_as_before(
    paths: Paths, tmp_path: Path
) -> None:
    root = Path(__file__).parents[2]
    words = [sys.executable, "-c", PROGRAM, root, root / "tests", paths.home, paths.config]
    done = subprocess.run(
        [os.fspath(word) for word in words], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    ours, agents, programs = map(int, done.stdout.split())
    if ours == 256:
        pytest.skip("the hard limit on open files is as low")
    assert ours > 256
    assert (agents, programs) == (256, 256)

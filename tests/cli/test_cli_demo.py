"""`demo` without a terminal."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path

from typed import COMMAND, Swarm

from engine.config.paths import Paths
from engine.config.settings import Config
from engine.domain.errors import UserError, user_error
from engine.domain.events import Event
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run, RunSpec, Status
from engine.engine import ApplyMode, Engine
from tui.cli.support import demo_script
from tui.cli.support.follow import RunFollower


def test_demo_ends_as_scripted_and_leaves_nothing(
    swarm: Swarm, tmp_path: Path, paths: Paths
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = swarm("demo", TMPDIR=str(temporary))
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("All 20 runs ended as scripted.\n")
    for scene in (*demo_script.SCENES, *demo_script.COPIES):
        assert f"{scene.title} (simulated)" in done.out
    assert list(temporary.iterdir()) == []
    assert not paths.home.exists()


def test_demo_says_what_did_not_end_as_scripted() -> None:
    scenes = {f"r{number}": scene for number, scene in enumerate(demo_script.SCENES)}
    runs = {
        run_id: Run(
            run_id,
            RunSpec(scene.prompt, scene.title, "garden"),
            0.0,
            status=scene.ends,
            attempt=scene.attempts,
            error=user_error(scene.error).info if scene.error else None,
        )
        for run_id, scene in scenes.items()
    }
    assert demo_script.faults(runs, scenes) == []
    runs["r0"].status = Status.FAILED
    (told,) = demo_script.faults(runs, scenes)
    assert told == "Fix the date parser: failed in attempt 1 instead of succeeded in attempt 1"


async def test_changes_of_the_demo_can_be_applied(paths: Paths) -> None:
    async with Engine.open(paths, Config(slots=1, grace_s=1), supervise=True) as engine:
        batches = engine.batches()
        scenes = await demo_script.start(engine, 12.0)
        first = next(iter(scenes))
        try:
            while engine.view.runs[first].status not in FINISHED:
                await anext(batches)
            done = await engine.workspaces.apply(first, ApplyMode.EDITS)
        finally:
            for run_id in scenes:
                with suppress(UserError):  # it has ended
                    await engine.cancel(run_id, kill=True)
            await engine.settle()
    assert done.fits
    assert done.files


def test_demo_can_be_interrupted(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [*COMMAND, "demo"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    try:
        assert process.stdout
        assert any(b"thinks" in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert list(temporary.iterdir()) == []


async def test_following_ends_when_nobody_is_left_who_starts_runs_again(paths: Paths) -> None:
    async with Engine.open(paths, Config(), follow=False) as engine:
        until = asyncio.get_running_loop().create_future()
        follower = RunFollower(engine, [], until=until)
        following = asyncio.ensure_future(_drained(follower.news()))
        await asyncio.sleep(0)
        assert not following.done()
        until.set_result(None)
        assert not any(await asyncio.wait_for(following, 30))


async def _drained(news: AsyncGenerator[list[Event]]) -> list[list[Event]]:
    return [events async for events in news]

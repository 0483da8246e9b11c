"""The dashboard as it soaks: 50 simulated runs at work, a new one for each that ends.

`python -m benchmarks.dashboard.soak_face HOME RUNS`: it appends what cannot be seen from outside,
its tasks and its events, to `HOME/soak.jsonl`. From time to time a run is cancelled, and one that
failed or was cancelled is retried. With `--supervise` it shows nothing, and supervises the home.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import threading
import time
from collections import Counter
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

from engine.config.paths import Paths
from engine.config.settings import Config, QueueSettings
from engine.domain.errors import UserError
from engine.domain.model import Agent, RunSpec, Status
from engine.engine import Engine
from engine.ports.engine import EnginePort

SAMPLE_S = 1.0
DISTURB_S = 30.0
"""Time from one run that is cancelled, and one that is retried, to the next."""
WORK = """sim: say I begin with part {number}.
sim: command "cat part-{number}.txt" output="nothing yet"
sim: write part-{number}.txt done
sim: wait {pause}
sim: command "pytest -q" takes=2 output="....... 7 passed"
sim: write notes.md more of {number}
sim: numbered 20 every=0.5
sim: wait {pause}
sim: say Part {number} is done."""


def spec(number: int, chance: random.Random) -> RunSpec:
    """Return a run that takes about a minute and writes two files."""
    prompt = WORK.format(number=number, pause=f"{chance.uniform(15, 40):.1f}")
    return RunSpec(prompt, f"Soak {number:05}", f"project-{number % 5}", agent=Agent.SIMULATED)


async def play(engine: EnginePort, runs: int, report: Path) -> None:
    """Keep so many runs from ending all at once, and tell how the process stands."""
    chance, number = random.Random(1), 0
    done: Counter[str] = Counter()
    disturb_at = time.monotonic() + DISTURB_S
    with report.open("a") as file:
        while True:
            if time.monotonic() >= disturb_at:
                disturb_at += DISTURB_S
                await _disturb(engine, chance, done)
            for _ in range(min(3, runs - len(engine.view.live))):  # not all in one breath
                number += 1
                await engine.start(spec(number, chance))
            told = {
                "tasks": len(asyncio.all_tasks()),
                "threads": threading.active_count(),
                "live": len(engine.view.live),
                "runs": len(engine.view.runs),
                "events": sum(run.seq for run in engine.view.runs.values()),
                "done": done,
            }
            file.write(json.dumps(told) + "\n")
            file.flush()
            await asyncio.sleep(SAMPLE_S)


async def _disturb(engine: EnginePort, chance: random.Random, done: Counter[str]) -> None:
    """Cancel a run, and retry one that failed or was cancelled."""
    runs = list(engine.view.runs.values())
    running = [run.id for run in runs if run.status is Status.RUNNING]
    ended = [run.id for run in runs if run.status in (Status.FAILED, Status.CANCELLED)]
    with suppress(UserError):  # it has ended meanwhile
        if running:
            await engine.cancel(chance.choice(running))
            done["run cancelled"] += 1
    with suppress(UserError):  # somebody else retried it
        if ended:
            await engine.retry(chance.choice(ended))
            done["run retried"] += 1


async def supervise(paths: Paths, config: Config) -> None:
    """Supervise a home until this process is killed; a line on stdout tells that it does."""
    async with Engine.open(paths, config, supervise=True) as engine:
        while not engine.supervises:  # noqa: ASYNC110  the kernel frees the lock without a word
            await asyncio.sleep(0.05)
        print("supervises", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Show the dashboard."""
    from tui.cli.commands import dashboard
    from tui.cli.support import log_file

    home, runs = Path(sys.argv[1]), int(sys.argv[2])
    paths = Paths(home, home / "config.yaml")
    log_file.keep(paths)
    config = Config(slots=runs, queue=QueueSettings(stagger_s=0.1), grace_s=1.0)

    if "--supervise" in sys.argv:
        asyncio.run(supervise(paths, config))
        return

    def opening() -> AbstractAsyncContextManager[Engine]:
        return Engine.open(paths, config, supervise=True)

    asyncio.run(dashboard.show(opening, lambda app: play(app.engine, runs, home / "soak.jsonl")))


if __name__ == "__main__":
    main()

"""The dashboard as it soaks: 50 simulated runs at work, a new one for each that ends.

`python -m benchmarks.dashboard.soak_face HOME RUNS`: it appends what cannot be seen from outside,
its tasks and its events, to `HOME/soak.jsonl`.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import threading
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from engine.config.paths import Paths
from engine.config.settings import Config, QueueSettings
from engine.domain.model import Agent, RunSpec
from engine.engine import Engine

SAMPLE_S = 1.0
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


async def play(engine: Engine, runs: int, report: Path) -> None:
    """Keep so many runs from ending all at once, and tell how the process stands."""
    chance, number = random.Random(1), 0
    with report.open("a") as file:
        while True:
            for _ in range(min(3, runs - len(engine.view.live))):  # not all in one breath
                number += 1
                await engine.start(spec(number, chance))
            told = {
                "tasks": len(asyncio.all_tasks()),
                "threads": threading.active_count(),
                "live": len(engine.view.live),
                "runs": len(engine.view.runs),
                "events": sum(run.seq for run in engine.view.runs.values()),
            }
            file.write(json.dumps(told) + "\n")
            file.flush()
            await asyncio.sleep(SAMPLE_S)


def main() -> None:
    """Show the dashboard."""
    from tui.cli.commands import dashboard
    from tui.cli.support import log_file

    home, runs = Path(sys.argv[1]), int(sys.argv[2])
    paths = Paths(home, home / "config.yaml")
    log_file.keep(paths)
    config = Config(slots=runs, queue=QueueSettings(stagger_s=0.1), grace_s=1.0)

    def opening() -> AbstractAsyncContextManager[Engine]:
        return Engine.open(paths, config, supervise=True)

    asyncio.run(dashboard.show(opening, lambda app: play(app.engine, runs, home / "soak.jsonl")))


if __name__ == "__main__":
    main()

"""Faults of every kind against one home, while runs of every kind are in play.

`python tests/chaos/chaos.py --faults 1000` prints its figures. Supervisors, dashboards, waiters,
shims, agents and git are killed or stopped; the disk is filled; the power is cut (the disk image is
copied under write-back and opened elsewhere); the wall clock moves. At the end everything that was
reported must still be true, every line of every agent stored once, and nothing left behind.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from chaos_home import ChaosHome
from disk_image import disk_image
from faults import FAULTS
from storm import integrity, left_alive
from verdicts import after_power_cut, spooled_and_stored, undone

END_S = 300.0
WAITERS_S = 60.0


@dataclass
class Verdict:
    """What a storm of faults came to; everything after `seconds` must be zero or empty."""

    faults: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    lines: int = 0
    power_cuts: int = 0
    seconds: float = 0.0
    lost: int = 0
    doubled: int = 0
    undone: list[str] = field(default_factory=list)
    left_alive: int = 0
    hanging: list[str] = field(default_factory=list)
    why: str = ""
    """What the program itself says of what hangs."""
    damage: str = ""
    not_notified: list[str] = field(default_factory=list)

    @property
    def failures(self) -> dict[str, object]:
        """Return what is not as it must be."""
        good = {"faults", "runs", "lines", "power_cuts", "seconds"}
        return {name: it for name, it in vars(self).items() if name not in good and it}


def storm_of_faults(folder: Path, *, faults: int, seed: int, live: int = 8) -> Verdict:
    """Inject `faults` faults into a home below `folder`, let everything end, and judge it."""
    chance = random.Random(seed)
    found = Verdict()
    started = time.monotonic()
    with disk_image(folder) as disk, ChaosHome(folder, disk, chance) as home:
        kinds = [fault for fault in FAULTS if fault.works_on(home)]
        while found.faults.total() < faults:
            home.keep_busy(live)
            fault = chance.choices(kinds, [kind.weight for kind in kinds])[0]
            if fault.inject(home):
                found.faults[fault.name] += 1
            home.observe()
        home.calm()
        _let_end(home, found)
        found.power_cuts = len(home.cuts)
        for cut in home.cuts:
            found.undone += after_power_cut(home, cut)
        found.runs = len(home.accepted)
        found.undone += undone(home)
        found.lines, found.lost, found.doubled = spooled_and_stored(home)
        found.left_alive = left_alive(home.paths)
        found.damage = "" if (said := integrity(home.paths)) == "ok" else said
        found.not_notified = sorted(home.ended.keys() - home.notified)
    found.seconds = round(time.monotonic() - started, 1)
    return found


def _let_end(home: ChaosHome, found: Verdict) -> None:
    """Supervise until nothing is left to do; name what does not come to an end."""
    if not home.ends("supervise", within_s=END_S):
        found.hanging.append("supervise")
        found.why = home.diagnosis()
    home.observe()
    found.hanging += [run for run in home.accepted if run not in home.ended]
    deadline = time.monotonic() + WAITERS_S
    for name, process in home.waiters:
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        if process.poll() is None:
            found.hanging.append(name)


def main() -> None:
    """Run a storm of faults and print what it came to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--live", type=int, default=8)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    asked = parser.parse_args()
    print(f"faults of every kind, seed {asked.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        found = storm_of_faults(Path(folder), faults=asked.faults, seed=asked.seed, live=asked.live)
    for name, value in vars(found).items():
        shown = json.dumps(value) if isinstance(value, (dict, list)) else value
        print(f"{name:>14} {shown}")
    sys.exit(bool(found.failures))


if __name__ == "__main__":
    main()

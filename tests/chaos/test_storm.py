"""Engines killed at random moments lose nothing, double nothing and leave nothing behind."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from storm import storm

FAULTS = ("lost", "doubled", "disordered", "gaps", "unfinished", "left_alive")


@pytest.mark.timeout(300)
def test_killed_engines_lose_nothing(tmp_path: Path):
    seed = random.randrange(10**6)
    found = storm(tmp_path / "home", kills=30, runs=6, numbers=400, seed=seed)
    print(found)
    wrong = {name: getattr(found, name) for name in FAULTS if getattr(found, name)}
    assert not wrong, f"seed {seed}"
    assert found.kills == 30
    assert found.integrity == "ok"

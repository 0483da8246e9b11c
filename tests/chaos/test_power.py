"""What was reported survives a power cut: the disk is copied under load, and the copy opened."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from power import loop_mounts, power_cuts

WHY_NOT = loop_mounts()


@pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or "")
@pytest.mark.timeout(120)
def test_nothing_that_was_reported_is_undone_by_a_power_cut(tmp_path: Path):
    seed = random.randrange(10**6)
    found = power_cuts(tmp_path, cuts=3, seed=seed)
    assert found.undone == [], f"seed {seed}"
    assert found.reported > 0

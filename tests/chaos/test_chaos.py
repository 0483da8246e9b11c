"""A short storm of faults of every kind: no promise is broken and nothing is left behind."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from chaos import storm_of_faults


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_faults_of_every_kind_break_no_promise(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    found = storm_of_faults(tmp_path, faults=20, seed=seed, live=4)
    print(found)
    assert not found.failures, f"seed {seed}"
    assert found.faults.total() == 20
    assert found.lines > 0

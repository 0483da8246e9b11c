"""Processes killed while agents ask and read: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from request_storm import storm


@pytest.mark.timeout(300)
def test_kills_with_open_requests_lose_and_double_nothing(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    found = storm(tmp_path, kills=10, runs=3, steps=4, seed=seed)
    assert found.faults == {}, f"seed {seed}: {found}"
    assert found.kills.total() == 10
    assert found.commands > 0

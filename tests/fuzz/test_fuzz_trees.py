"""A short fuzz of hostile trees; the long one is `make fuzz`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fuzz_trees import fuzz

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what is read is seen by inotify")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_command_leaves_a_hostile_tree(tmp_path: Path, seed: int) -> None:
    tally = fuzz([seed], 4, tmp_path)
    assert tally.trees == 1
    assert tally.faults == []

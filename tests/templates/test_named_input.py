"""Files that the user names, but a stranger may have made: pipes and links in a circle."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.batches import rows
from engine.domain.errors import UserError
from engine.patterns import pattern_file
from tui.cli.support.named_paths import absolute


def test_a_pipe_or_a_link_in_a_circle_is_no_pattern(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "own.yaml").write_text("goal: x\n")
    (tmp_path / "link.yaml").symlink_to("own.yaml")
    for name in ("pipe.yaml", "loop.yaml"):
        with pytest.raises(UserError) as caught:
            pattern_file.load(tmp_path / name)
        assert caught.value.code == "INPUT_INVALID"
    assert pattern_file.load(tmp_path / "link.yaml") == "goal: x\n"


def test_a_link_in_a_circle_is_no_file_of_rows(tmp_path: Path) -> None:
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    assert absolute(str(tmp_path / "loop.csv")) == tmp_path / "loop.csv"
    with pytest.raises(UserError) as caught:
        rows.read_file(tmp_path / "loop.csv")
    assert caught.value.code == "BATCH_INVALID"

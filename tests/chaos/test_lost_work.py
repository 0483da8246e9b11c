"""A few random sequences of work by user and agent; `make lost-work` plays many."""

from __future__ import annotations

from pathlib import Path

import pytest
from lost_work import sequences

SEEDS = range(8)


@pytest.fixture(autouse=True)
def _nobodys_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


async def test_every_byte_is_somewhere_after_applies_and_clean_ups(tmp_path: Path) -> None:
    found = await sequences(tmp_path, SEEDS)
    assert found.sequences == len(SEEDS)
    assert (found.lost, found.failed) == ([], [])

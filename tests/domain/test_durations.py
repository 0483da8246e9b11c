"""Lengths of time in words."""

from __future__ import annotations

import pytest

from engine.domain.activity import took


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0:00"), (0.04, "0.1s"), (0.8, "0.8s"), (0.97, "0.9s"), (1, "0:01"), (61.5, "1:01")],
)
def test_a_length_below_a_second_has_tenths(seconds: float, words: str) -> None:
    assert took(seconds) == words

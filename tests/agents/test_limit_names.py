"""Rate limits that the provider has for some models apart from the plan's own."""

from __future__ import annotations

import json

import pytest

from engine.agents.codex.rollout import TokenCount, read_record
from engine.domain.limit_names import MOST_WINDOWS, merged
from engine.domain.model import LimitWindow
from tui.formatting.limits import window_name


def record(limit: object, percent: float = 10.0) -> TokenCount:
    window = {"used_percent": percent, "window_minutes": 300, "resets_at": 2e9}
    limits = {"limit_id": limit, "primary": window, "secondary": None}
    payload = {"type": "token_count", "info": None, "rate_limits": limits}
    found = read_record(json.dumps({"type": "event_msg", "payload": payload}).encode())
    assert isinstance(found, TokenCount)
    return found


@pytest.mark.parametrize(
    ("limit", "name"),
    [
        (None, "primary"),
        ("", "primary"),
        ("codex", "primary"),
        ("codex_other", "codex_other:primary"),
        ("a:b\x1b[1m", "a_b"),
        (3, "primary"),
        ([], "primary"),
    ],
)
def test_window_of_another_limit_has_a_name_of_its_own(limit: object, name: str) -> None:
    (window,) = record(limit).windows
    assert window.name.startswith(name)
    assert ("\x1b" not in window.name) and window.name.endswith("primary")


def test_limits_do_not_replace_each_other() -> None:
    plan, other = record("codex", 80.0).windows, record("codex_other", 5.0).windows
    after = merged(merged((), plan), other)
    assert [(one.name, one.used_percent) for one in after] == [
        ("primary", 80.0),
        ("codex_other:primary", 5.0),
    ]
    newer = merged(after, record("codex", 90.0).windows)
    assert [one.used_percent for one in newer] == [90.0, 5.0]
    assert [window_name(one) for one in newer] == ["5h", "codex_other 5h"]


def test_number_of_limits_is_bounded() -> None:
    found: tuple[LimitWindow, ...] = ()
    for n in range(100):
        found = merged(found, record(f"limit{n}").windows)
    assert len(found) == MOST_WINDOWS
    assert found[0].name == "limit99:primary"

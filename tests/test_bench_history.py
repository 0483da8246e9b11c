"""Results of the benchmarks over the commits: read from git, drawn, and compared."""

from __future__ import annotations

import json
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from benchmarks.drawing import picture
from benchmarks.history import KEPT, history
from benchmarks.results import is_worse


def _row(low: float, median: float, high: float, **more: Any) -> dict[str, Any]:
    value = {"low": low, "median": median, "high": high}
    kind = {"name": "a<b", "what": "a", "unit": "s", "relation": "ratio", "better": "lower"}
    return {**kind, "target": 2.0, "date": "2026-01-03", "quick": False, "value": value, **more}


def test_kept_results_are_read_and_drawn_in_order(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        me = ["-c", "user.name=me", "-c", "user.email=me@localhost"]
        subprocess.run(["git", *me, *words], cwd=tmp_path, check=True)

    git("init", "-q")
    (tmp_path / KEPT).parent.mkdir()
    for text in (
        json.dumps({"rows": [_row(1, 2, 3)]}),
        "no JSON",
        json.dumps({"rows": [_row(1, 1, 1)]}),
    ):
        (tmp_path / KEPT).write_text(text)
        git("add", ".")
        git("commit", "-qm", "keep")
    found = history(tmp_path)
    assert [kept.rows["a<b"]["value"]["median"] for kept in found] == [2, 1]
    drawn = ET.fromstring(picture([_row(0.5, 0.5, 0.5)], found))
    dots = [one for one in drawn.iter() if one.tag.endswith("title")]
    assert [dot.text.split(": ")[1] for dot in dots if dot.text] == ["2×", "1×", "0.5×"]


def test_without_git_there_is_no_history(tmp_path: Path) -> None:
    assert history(tmp_path / "missing") == []


@pytest.mark.parametrize(
    ("now", "before", "worse"),
    [
        (_row(3, 4, 5), _row(1, 2, 2.9), True),
        (_row(2.9, 4, 5), _row(1, 2, 2.9), False),
        (_row(1, 1, 1), _row(3, 3, 3), False),
        (_row(1, 1, 1, better="higher"), _row(2, 3, 4, better="higher"), True),
        (_row(3, 4, 5, quick=True), _row(1, 1, 1), False),
        (_row(3, 4, 5), None, False),
        (_row(3, 4, 5), _row(1, 1, 1, value=None), False),
    ],
)
def test_worse_is_beyond_the_spread_of_both(
    now: dict[str, Any], before: dict[str, Any] | None, worse: bool
) -> None:
    assert is_worse(now, before) is worse

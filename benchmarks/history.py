"""Results of earlier commits, read from git: each commit that kept figures has some."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
KEPT = "benchmarks/results.json"
_LIMIT_S = 60


@dataclass(frozen=True, slots=True)
class KeptResult:
    """The figures that a commit kept, by the names of their rows."""

    commit: str
    date: str
    rows: dict[str, dict[str, Any]]


def history(root: Path = ROOT) -> list[KeptResult]:
    """Return the kept results, oldest first; none without git or its history."""
    log = _git(root, "log", "--reverse", "--format=%h %cs", "--", KEPT)
    found = (line.split() for line in log.splitlines())
    results = [_result(root, commit, date) for commit, date in found]
    return [result for result in results if result.rows]


def _result(root: Path, commit: str, date: str) -> KeptResult:
    text = _git(root, "show", f"{commit}:{KEPT}")
    try:
        rows = {row["name"]: row for row in json.loads(text)["rows"]}
    except (ValueError, KeyError, TypeError):  # removed in that commit, or of another format
        rows = {}
    return KeptResult(commit, date, rows)


def _git(root: Path, *words: str) -> str:
    command = ["git", "-C", str(root), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""

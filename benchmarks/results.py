"""Results kept as JSON: nothing in it but figures and what kind of machine they are from."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.measuring import Measured


def result(measured: Measured, *, quick: bool) -> dict[str, Any]:
    """Return a row's figures as they are kept."""
    row = measured.row
    return {
        "name": row.name,
        "what": (row.quick_what if quick else "") or row.what,
        "yardstick": row.yardstick,
        "unit": row.unit,
        "relation": row.relation,
        "better": row.better,
        "target": row.target,
        "aim": row.aim,
        "ours": _figure(measured.ours),
        "yardstick_figure": _figure(measured.yardstick),
        "value": _figure(measured.value),
        "rounds": measured.rounds,
        "verdict": measured.verdict,
        "missing": measured.missing,
        "note": row.note,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "quick": quick,
    }


def _figure(figure: object) -> dict[str, float] | None:
    if figure is None:
        return None
    return {name: float(f"{value:.4g}") for name, value in asdict(figure).items()}  # type: ignore[call-overload]  a Figure


def machine() -> dict[str, Any]:
    """Return where the figures are from, and nothing that names the machine."""
    return {
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "implementation": sys.implementation.name,
    }


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of a kept result by their names; none where there is no such file."""
    if not path.exists():
        return {}
    return {row["name"]: row for row in json.loads(path.read_text("utf-8"))["rows"]}


def is_worse(row: Mapping[str, Any], before: Mapping[str, Any] | None) -> bool:
    """Return whether a row got worse than an earlier result by more than the spread of both.

    Quick and full results measure different amounts: those are not compared.
    """
    if not before or not (row["value"] and before["value"]) or row["quick"] != before["quick"]:
        return False
    now, then = row["value"], before["value"]
    if row["better"] == "higher":
        return now["high"] < then["low"]
    return now["low"] > then["high"]


def write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Keep rows, those that are new in the place of those of the same name."""
    date = f"{datetime.now(UTC):%Y-%m-%d}"
    kept = {"date": date, **machine(), "rows": list(rows)}
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")

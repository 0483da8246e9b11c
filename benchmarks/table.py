"""Results as a table in Markdown, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
_AT = {"lower": "≤", "higher": "≥"}


def table(rows: Iterable[Mapping[str, Any]], before: Mapping[str, Mapping[str, Any]]) -> str:
    """Write rows as a table, with what there was `before` in a column where it is given."""
    rows = list(rows)
    head = ["what", "against", "ours", "yardstick", "result", "spread", "target", "aim", ""]
    head += ["before"] if before else []
    lines = [_line(head), _line(["---"] * len(head))]
    lines += [_line(_cells(row, before)) for row in rows]
    notes = [f"- **{row['what']}**: {row['note']}" for row in rows if row["note"]]
    return "\n".join([*lines, *(["", *notes] if notes else [])]) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(row: Mapping[str, Any], before: Mapping[str, Mapping[str, Any]]) -> list[str]:
    value = row["value"]
    spread = f"{judged(row, value['low'])} – {judged(row, value['high'])}" if value else ""
    at = _AT[row["better"]]
    cells = [
        row["what"],
        row["yardstick"],
        quantity(row["ours"]["median"], row["unit"]) if value else "",
        quantity(row["yardstick_figure"]["median"], row["unit"]) if _has_yardstick(row) else "",
        judged(row, value["median"]) if value else "",
        spread,
        f"{at} {judged(row, row['target'])}",
        f"{at} {judged(row, row['aim'])}",
        f"not measured: {row['missing']}" if row["missing"] else row["verdict"],
    ]
    if before:
        earlier = before.get(row["name"], {}).get("value")
        cells.append(judged(row, earlier["median"]) if earlier else "")
    return cells


def _has_yardstick(row: Mapping[str, Any]) -> bool:
    return row["value"] is not None and row["relation"] != "alone"


def judged(row: Mapping[str, Any], value: float) -> str:
    """Write what is judged: a ratio as `1.25×`, else a quantity."""
    return f"{value:.3g}×" if row["relation"] == "ratio" else quantity(value, row["unit"])


def quantity(value: float, unit: str) -> str:
    """Write a quantity with its unit; seconds as what they are best read in."""
    if unit == "MiB":
        return f"{value:.1f} MiB"
    if unit != "s":
        return f"{value:,.0f} {unit}" if abs(value) >= 100 else f"{value:.3g} {unit}"
    name, scale = next(((n, s) for n, s in _UNITS if abs(value) >= s), _UNITS[-1])
    return f"{value / scale:.3g} {name}" if value else "0 s"

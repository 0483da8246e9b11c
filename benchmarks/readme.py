"""The figures in the README: a few rows that users care about, written there by `make bench`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.table import judged, quantity

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
NAMES = (
    "start.frame",
    "start.live",
    "start.ls",
    "dashboard.key.10k",
    "dashboard.processor",
    "dashboard.idle",
    "dashboard.memory",
    "dashboard.key.5000",
    "start.folder",
    "engine.supervise",
    "engine.cancel",
    "store.page",
)
"""Rows by the start of their names, in the order of the README."""


def write(rows: Sequence[Mapping[str, Any]]) -> None:
    """Put the rows' figures between the marks in the README; other text stays."""
    text = README.read_text("utf-8")
    if BEGIN not in text or END not in text:
        return
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    README.write_text(f"{before}{BEGIN}\n{_table(rows)}{END}{after}", "utf-8")


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| what | here | against | |", "|---|---:|---|---:|"]
    for name in NAMES:
        lines += [_line(row) for row in rows if row["name"].startswith(name) and row["value"]]
    return "\n".join(lines) + "\n"


def _line(row: Mapping[str, Any]) -> str:
    ours = quantity(row["ours"]["median"], row["unit"])
    return (
        f"| {row['what']} | {ours} | {row['yardstick']} | {judged(row, row['value']['median'])} |"
    )

"""A picture of every figure over the commits that kept results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.history import KeptResult
from benchmarks.table import judged

PICTURE = Path(__file__).parents[1] / "docs" / "figures.svg"
WIDTH, HEIGHT, COLUMNS = 300, 110, 3
_LEFT, _TOP, _RIGHT, _BOTTOM = 12, 44, 60, 14
_STYLE = (
    "text{font:11px sans-serif;fill:#888}.name{fill:#4a90d9;font-weight:bold}"
    ".value{fill:none;stroke:#4a90d9;stroke-width:1.5}.spread{stroke:#4a90d9;opacity:.4}"
    ".target{stroke:#d9534f;stroke-dasharray:3 3}.dot{fill:#4a90d9}"
)


def picture(rows: Sequence[Mapping[str, Any]], history: Sequence[KeptResult]) -> str:
    """Return an SVG with a chart for each row: its value, its spread, and its target.

    `rows` are the newest results; a chart begins with the first commit that has the row.
    """
    charts = [_chart(row, history, place) for place, row in enumerate(rows) if row["value"]]
    height = HEIGHT * -(-len(rows) // COLUMNS)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH * COLUMNS} {height}">'
        f"<style>{_STYLE}</style>{''.join(charts)}</svg>\n"
    )


def _chart(row: Mapping[str, Any], history: Sequence[KeptResult], place: int) -> str:
    found = [(kept.date, kept.rows[row["name"]]) for kept in history if row["name"] in kept.rows]
    points = [(date, one["value"]) for date, one in found if one["value"]]
    if not points or points[-1][1] != row["value"]:
        points.append((row["date"], row["value"]))
    scale = _Scale([row["target"], *(value[end] for _, value in points for end in ("low", "high"))])
    x0, y0 = place % COLUMNS * WIDTH, place // COLUMNS * HEIGHT
    name, value = escape(row["name"]), judged(row, row["value"]["median"])
    words = f"{value}, target {judged(row, row['target'])}"
    lines = [
        f'<text class="name" x="{_LEFT}" y="16">{name}</text>',
        f'<text x="{_LEFT}" y="32">{escape(words)}</text>',
        _line("target", _LEFT, scale.y(row["target"]), WIDTH - _RIGHT, scale.y(row["target"])),
    ]
    at = [
        _LEFT + (WIDTH - _LEFT - _RIGHT) * n / max(1, len(points) - 1) for n in range(len(points))
    ]
    middle = [(x, scale.y(one["median"])) for x, (_, one) in zip(at, points, strict=True)]
    for x, (date, one) in zip(at, points, strict=True):
        spread = _line("spread", x, scale.y(one["low"]), x, scale.y(one["high"]))
        title = f"{date}: {judged(row, one['median'])}"
        dot = f'<circle class="dot" cx="{x:.1f}" cy="{scale.y(one["median"]):.1f}" r="3">'
        lines += [spread, f"{dot}<title>{escape(title)}</title></circle>"]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in middle)
    lines.append(f'<polyline class="value" points="{path}"/>')
    return f'<g transform="translate({x0} {y0})">{"".join(lines)}</g>'


class _Scale:
    """The height of a value in a chart; from zero, so that small changes look small."""

    def __init__(self, values: Iterable[float]) -> None:
        found = [0.0, *values]
        self._low, self._high = min(found), max(found)

    def y(self, value: float) -> float:
        """Return the height of a value, from the top of the chart."""
        share = (value - self._low) / ((self._high - self._low) or 1.0)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'

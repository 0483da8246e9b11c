"""Changed files as a tree: a line for each folder and each file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.domain.text import printable_name
from tui import formatting

STEP = "  "


@dataclass(frozen=True, slots=True)
class TreeLeaf:
    """Changed file; `figures` is shown beside its name."""

    path: str
    change: str
    figures: str = ""


def tree(leaves: Sequence[TreeLeaf], limit: int) -> list[str]:
    """Draw the files below their folders, at most `limit` files, each with A, M or D."""
    rows: list[tuple[str, str]] = []
    above: tuple[str, ...] = ()
    for leaf in sorted(leaves, key=lambda leaf: leaf.path.split("/"))[:limit]:
        *parents, name = map(printable_name, leaf.path.split("/"))
        folder = tuple(parents)
        if folder != above:
            rows += [
                (f"  {STEP * depth}{folder[depth]}/", "")
                for depth in range(_common(folder, above), len(folder))
            ]
            above = folder
        letter = formatting.change_letter(leaf.change)
        rows.append((f"{letter} {STEP * len(folder)}{name}", leaf.figures))
    width = max((len(row) for row, figures in rows if figures), default=0)
    lines = [f"{row:<{width}}  {figures}" if figures else row for row, figures in rows]
    left_out = len(leaves) - limit
    return [*lines, f"… and {left_out} more"] if left_out > 0 else lines


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Count the folders that two paths have in common at their beginning."""
    for depth, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return depth
    return min(len(one), len(other))

"""Rows measured: rounds of ours and its yardstick, and what they come to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from subprocess import SubprocessError

from benchmarks.row import Bench, Relation, Round, Row, Unavailable

TRIES = 3


@dataclass(frozen=True, slots=True)
class Figure:
    """The middle of several rounds, and their extremes."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Measured:
    """The result of a row; without figures, `missing` has the reason."""

    row: Row
    ours: Figure | None = None
    yardstick: Figure | None = None
    value: Figure | None = None
    """Figure that is judged: a ratio of each pair, or how much more."""
    rounds: int = 0
    took_s: float = 0.0
    missing: str = ""

    @property
    def verdict(self) -> str:
        """Return in words how good it is."""
        if self.value is None:
            return "not measured"
        value = self.value.median
        if self.row.meets(value, self.row.aim):
            return "aim met"
        if self.row.meets(value, self.row.target):
            return "target met"
        return "far off" if self.row.is_far_off(value) else "missed"


def measure(row: Row, bench: Bench) -> Measured:
    """Measure a row, and up to twice more where it is far off: others use the machine too."""
    began = time.perf_counter()
    times = row.quick_times if bench.quick else row.times
    try:
        measured = _measure(row, bench, times)
        for _ in range(TRIES - 1):
            if measured.verdict == "far off":
                measured = _measure(row, bench, times)
    except (Unavailable, OSError, SubprocessError) as missing:  # the machine's, not ours
        measured = Measured(row, missing=str(missing))
    return Measured(
        row,
        measured.ours,
        measured.yardstick,
        measured.value,
        measured.rounds,
        time.perf_counter() - began,
        measured.missing,
    )


def _measure(row: Row, bench: Bench, times: int) -> Measured:
    with row.rounds(bench) as round_:
        pairs = _pairs(round_, times)
    values = [_value(row.relation, *pair) for pair in pairs]
    ours, yardstick = ([pair[side] for pair in pairs] for side in (0, 1))
    return Measured(row, _figure(ours), _figure(yardstick), _figure(values), times)


def _pairs(round_: Round, times: int) -> list[tuple[float, float]]:
    return [round_() for _ in range(times)]


def _value(relation: Relation, ours: float, yardstick: float) -> float:
    match relation:
        case Relation.RATIO:
            return ours / yardstick if yardstick else float("inf")
        case Relation.MORE:
            return ours - yardstick
        case Relation.ALONE:
            return ours


def _figure(values: list[float]) -> Figure:
    return Figure(median(values), min(values), max(values))

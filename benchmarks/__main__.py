"""`python -m benchmarks`: measure, print a table, keep the figures."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import drawing, readme, results, table
from benchmarks.history import history
from benchmarks.measuring import measure
from benchmarks.row import Bench, Row
from benchmarks.rows import all_rows

HERE = Path(__file__).parent
KEPT = HERE / "results.json"
PAGE = HERE / "results.md"
INTRODUCTION = """# Measured

Written by `make bench`; `make bench-quick` takes two minutes. Ours and its yardstick are measured
in turn, in one run; what is judged is the median of the rounds, pair by pair.

"""


def main() -> int:
    """Measure what is asked for; 1 where something is far off, broke, or got worse than before."""
    asked = _asked()
    rows = [row for row in all_rows() if _wanted(row, asked)]
    before = results.read(asked.against) if asked.against else {}
    scratch = Path(tempfile.mkdtemp(prefix="bench-"))
    found: list[dict[str, Any]] = []
    try:
        bench = Bench(scratch, asked.quick)
        for row in rows:
            print(f"{row.name} … ", end="", file=sys.stderr, flush=True)
            measured = measure(row, bench)
            print(f"{measured.verdict} ({measured.took_s:.0f} s)", file=sys.stderr)
            found.append(results.result(measured, quick=asked.quick))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(table.table(found, before))
    if asked.write:
        _keep(found)
    worse = [row["what"] for row in found if results.is_worse(row, before.get(row["name"]))]
    for what in worse:
        print(f"Worse than before by more than the spread: {what}", file=sys.stderr)
    return 1 if worse or any(row["verdict"] == "far off" for row in found) else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help="rows, by the start of their names; none: all")
    parser.add_argument("--quick", action="store_true", help="the short rows, fewer rounds")
    parser.add_argument("--against", type=Path, metavar="FILE", help="fail where a row got worse")
    parser.add_argument("--write", action="store_true", help="keep the figures")
    return parser.parse_args()


def _wanted(row: Row, asked: argparse.Namespace) -> bool:
    named = not asked.names or any(row.name.startswith(name) for name in asked.names)
    return named and (row.quick or not asked.quick)


def _keep(found: list[dict[str, Any]]) -> None:
    """Keep figures; rows that were not measured now stay as they were."""
    known = {**results.read(KEPT), **{row["name"]: row for row in found}}
    kept = [known[row.name] for row in all_rows() if row.name in known]
    results.write(KEPT, kept)
    machine = results.machine()
    where = f"{machine['processors']} processors, Python {machine['python']}, {machine['system']}."
    readme.write(kept)
    drawing.PICTURE.write_text(drawing.picture(kept, history()), "utf-8")
    PAGE.write_text(f"{INTRODUCTION}{where}\n\n{table.table(kept, {})}", "utf-8")


if __name__ == "__main__":
    sys.exit(main())

"""All rows in the order of the table; a module here is a group that shares a subject.

A group is a module with `ROWS`; its heavy imports are inside the functions that need them.
"""

from __future__ import annotations

from importlib import import_module

from benchmarks.row import Row

GROUPS = (
    "ingest",
    "dashboard",
    "starting",
    "year",
    "supervising",
    "cancelling",
    "interactive",
    "scan",
    "watching",
    "workspaces",
    "paging",
    "sessions",
    "streams",
    "cluster",
)


def all_rows() -> list[Row]:
    """Return all rows, each with a name of its own."""
    rows = [row for name in GROUPS for row in import_module(f"{__name__}.{name}").ROWS]
    assert len({row.name for row in rows}) == len(rows)
    return rows

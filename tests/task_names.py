"""The names of all long-lived tasks and guarded callbacks: in the code, and in its tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
TREES = frozenset({"tasks", "_tasks", "branch", "tree"})
"""The variables and attributes by which the code calls a tree of tasks."""

EVERYWHERE = frozenset({
    "journal", "lookout", "settings watch", "supervision", "scheduler", "follower", "watcher",
    "look-after", "maintenance", "search", "notifications", "receiver", "faults", "heartbeat",
    "imports", "unreadable runs", "run", "checkpoint", "settings", "search news", "run records",
    "notification news", "scheduler news", "queue", "budgets", "radar", "clock", "login check",
    "approval rules", "rules news", "reminders", "pull requests", "spending",
    "spending news", "limit news", "other sessions", "nodes",
})  # fmt: skip
"""Tasks and guards of every face with a supervising engine."""
OF_FACE = {
    "background": frozenset({"lines"}),
    "foreground": frozenset({"attendant"}),
    "dashboard": frozenset(
        {"forecast", "dashboard", "overlaps", "alerts", "screen", "whole screen"}
    ),
}
OF_API = frozenset({"feed", "streams"})
"""Tasks of a server of the API: `tests/api/test_api_event_faults.py`."""
OF_PROGRAM = frozenset({"answers", "demo", "browser window", "screens"})
"""Tasks that only a whole program starts: `tests/cli/test_cli_every_task.py`."""

OF_CLUSTER = frozenset({"nodes"})
"""Tasks of a dashboard whose home has a cluster: `tests/tui/test_nodes_screen.py`."""


def in_code() -> set[str]:
    """Return the name of every task and guard in the source, without that of a run or receiver.

    Raises ValueError where a name cannot be read from the source.
    """
    sources = [path for part in ("engine", "tui") for path in (ROOT / part).rglob("*.py")]
    return {name for path in sources for name in _names(ast.parse(path.read_text()), path)}


def _names(tree: ast.AST, path: Path) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = ast.unparse(node.func).split(".")
        is_start = called[-1] == "start" and len(node.args) > 1 and called[-2] in TREES
        if is_start or called[-1] == "guard":
            yield _name(node.args[0], f"{path}:{node.lineno}")


def _name(node: ast.expr, place: str) -> str:
    match node:
        case ast.Constant(value=str(name)):
            return name
        case ast.JoinedStr(values=[ast.Constant(value=str(begin)), *_]):
            return begin.split()[0]
        case _:
            raise ValueError(f"{place}: the name of a task or guard has to be written out")

"""No long-lived task is started outside of the tree that restarts what fails and shows it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
STARTS = {"create_task", "ensure_future"}
SHORT = {
    "engine/execution/task_tree.py": "the tree itself",
    "engine/execution/cluster/cluster.py": "removals on a node that answers again, kept and ended",
    "engine/execution/cluster/dask/requests.py": "one request, ended with its limit",
    "engine/system/stopping.py": "one piece of work, awaited even by who is cancelled",
    "engine/execution/follower.py": "one transaction, awaited by the next tick",
    "engine/execution/stages/stage_commands.py": "a stop, awaited or cancelled by who began it",
    "engine/execution/supervisor.py": "a stop, awaited or cancelled by who began it",
    "engine/execution/local/workspaces.py": "one workspace made, awaited even by who is cancelled",
    "engine/execution/cluster/workspaces.py": "one workspace, awaited even by who is cancelled",
    "engine/execution/cluster/node/operations.py": "work of a node, awaited by messages",
    "engine/execution/cluster/node/inspection.py": "one look at the agent, kept and cancelled",
    "engine/execution/cluster/node/service.py": "regular looks of a node, which has no tree",
    "engine/cluster_processes.py": "a command's own work, awaited in the same function",
    "engine/execution/cluster/dask/node_process.py": "a process's own work, awaited there",
    "engine/store/whole_check.py": "one check, awaited even by who is cancelled",
    "engine/store/connect.py": "one piece of work on the database's thread",
    "engine/workspaces/git/git.py": "one call of git, in a task group",
    "engine/system/short_command.py": "one start, awaited even by who is cancelled",
    "engine/execution/cluster/calls.py": "one call, awaited or cancelled in the same function",
    "engine/execution/cluster/output_reader.py": "one call, kept and cancelled with its executor",
    "engine/config/locks.py": "one piece of work, awaited even by who is cancelled",
    "engine/workspaces/git/gh.py": "readers of pipes, awaited in the same function",
    "engine/workspaces/git/contents.py": "a reader of a pipe, awaited in the same function",
    "engine/workspaces/create/create.py": "one piece of work, awaited even by who is cancelled",
    "engine/workspaces/checkpoints/snapshot.py": "one listing, awaited in the same function",
    "engine/workspaces/create/worktree.py": "one listing, awaited in the same function",
    "engine/disk/service.py": "one measurement, in a task group",
    "tui/cli/api/event_feed.py": "waits of one request, awaited or cancelled in the same function",
    "tui/cli/api/routes/run_waiting.py": "waits of one request, awaited in the same function",
    "tui/cli/api/server.py": "a command's own work, awaited in the same function",
    "tui/cli/commands/cluster.py": "a command's own work, awaited in the same function",
    "tui/cli/commands/demo.py": "script and tour of the demo, in a group in a task of the tree",
    "tui/cli/support/answers_in_place.py": "one question, awaited in a task of the tree",
    "tui/cli/support/attendant.py": "a command's own work, awaited in the same function",
    "tui/cli/support/foreground.py": "a command's own work, a question, a cancel: all awaited",
    "tui/cli/support/follow.py": "the next batch of events, awaited in the same function",
    "tui/cli/support/suspend.py": "one hand-over of seconds, cancelled where the command ends",
    "tui/cli/support/session.py": "a command's own work, awaited in the same function",
    "tui/cli/support/work_line.py": "a search that Ctrl-C ends, awaited in the same function",
    "tui/screens/applying.py": "one apply that esc stops, awaited in the same function",
    "tui/screens/long_work.py": "a search that esc ends, awaited in the same function",
}
"""Where tasks may be started without the tree, and why: they are short, and somebody waits."""


def started() -> Iterator[tuple[str, int]]:
    for folder in ("engine", "tui"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                func = node.func if isinstance(node, ast.Call) else None
                if isinstance(func, ast.Attribute) and func.attr in STARTS:
                    yield path.relative_to(ROOT).as_posix(), func.lineno


def test_no_task_is_started_beside_the_tree_that_is_not_known_to_be_short() -> None:
    unknown = [f"{path}:{line}" for path, line in started() if path not in SHORT]
    assert not unknown, "start these in the tree (engine/execution/task_tree.py), or say why not"


def test_the_list_of_short_tasks_names_no_file_without_any() -> None:
    assert SHORT.keys() <= {path for path, _ in started()}

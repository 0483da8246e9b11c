"""Processes, spool files and folders of this machine are used by its executor alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCAL = "engine/execution/local/"

ALLOWED = {
    "import of local": {
        "engine/execution/executors.py": "the registry: it has this machine by default",
        "engine/execution/cluster/node/": "a node: it carries attempts of other machines here",
    },
    "files of an attempt": {
        "engine/execution/executor.py": "names the folder in which an agent's command writes",
        "engine/execution/cluster/executor.py": "names files on a node",
        "engine/agents/base.py": "the same, in the request for that command",
        "engine/execution/cluster/node/": "a node: the guard of an attempt watches its folder",
        "engine/agents/codex/command.py": "the command with the names of these files",
    },
    "process": {
        "engine/execution/cluster/node/": "a node: the guard of an attempt, and its free memory",
        "engine/system/short_command.py": "ends the program that it starts",
        "engine/system/ending.py": "ends a program that was started, for git and gh",
        "tui/app.py": "stops the dashboard itself",
        "tui/cli/support/suspend.py": "stops the command itself",
    },
    "path of a workspace": {
        "engine/domain/hosts.py": "the check that the workspace is here",
        "engine/domain/projection.py": "compared as text, with its host",
        "engine/agents/codex/command.py": "text of the command, which runs on that host",
        "engine/agents/codex/interactive/safety.py": "text of another machine, compared",
        "engine/execution/stages/start_request.py": "removed as text from the agent's PATH",
        "engine/execution/stages/command_guard.py": "only its name, for a note in the home",
        "engine/execution/supervisor.py": "text, removed from the paths in the output",
        "engine/execution/cluster/workspaces.py": "text, in a message to that host",
        "engine/execution/cluster/node_checkpoints.py": "its name, and text in a message",
        "engine/execution/run_rebuilding.py": "text, removed from the paths in the output",
        "engine/disk/cleanup.py": "text, in a message to that host",
        "engine/disk/cleanup_plan.py": "text to show, with its host",
        "engine/disk/node_workspaces.py": "text, in a message to that host",
    },
}
"""Uses outside, by file or folder, each with its reason. The list may only shrink."""

FILES = ("engine.config.paths.AttemptFolder", "engine.config.paths.StageFolder")


def _uses(tree: ast.AST) -> set[str]:
    return {kind for node in ast.walk(tree) for kind in (*_imports(node), *_attributes(node))}


def _imports(node: ast.AST) -> Iterator[str]:
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return
    module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
    names = {f"{module}.{alias.name}".lstrip(".") for alias in node.names}
    if any(f"{name}.".startswith("engine.execution.local.") for name in names):
        yield "import of local"
    if names & set(FILES):
        yield "files of an attempt"
    if any(name.split(".")[0] == "psutil" for name in names):
        yield "process"


def _attributes(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Call(func=ast.Attribute(attr="attempt")):
            yield "files of an attempt"
        case ast.Attribute(attr="kill" | "killpg", value=ast.Name(id="os")):
            yield "process"
        case ast.Attribute(attr="path", value=ast.Name(id="workspace")):
            yield "path of a workspace"
        case ast.Attribute(attr="path", value=ast.Attribute(attr="workspace")):
            yield "path of a workspace"
        case _:
            pass


@cache
def _found() -> dict[str, set[str]]:
    """Return the files outside with each kind of use."""
    found: dict[str, set[str]] = {kind: set() for kind in ALLOWED}
    for part in ("engine", "tui"):
        for path in (ROOT / part).rglob("*.py"):
            name = str(path.relative_to(ROOT))
            if not name.startswith(LOCAL) and name != "engine/config/paths.py":
                for kind in _uses(ast.parse(path.read_text("utf-8"))):
                    found[kind].add(name)
    return found


@pytest.mark.parametrize("kind", ALLOWED)
def test_what_is_local_is_used_in_the_local_executor_alone(kind: str) -> None:
    found, allowed = _found()[kind], ALLOWED[kind]
    assert {name for name in found if not name.startswith(tuple(allowed))} == set()
    unused = {name for name in allowed if not any(one.startswith(name) for one in found)}
    assert not unused, "no longer used: remove it from the list"


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("from engine.execution.local.process import start", "import of local"),
        ("from engine.execution import local", "import of local"),
        ("self._paths.attempt(run.id, 1).stdout.read_bytes()", "files of an attempt"),
        ("import psutil", "process"),
        ("os.killpg(1, 9)", "process"),
        ("open(run.workspace.path)", "path of a workspace"),
        ("Path(workspace.path).is_dir()", "path of a workspace"),
    ],
)
def test_each_kind_of_use_is_recognized(source: str, kind: str) -> None:
    assert kind in _uses(ast.parse(source))

"""The parts of Codex's requests that approval rules compare, and requests that have none."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from engine.agents.codex.interactive import input_requests
from engine.agents.codex.interactive.patches import proposed_changes
from engine.agents.codex.interactive.wire import WireChange
from engine.domain.interaction import InputRequest, ProposedChange

COMMAND = "item/commandExecution/requestApproval"
PATCH = "item/fileChange/requestApproval"
TOOL = "mcpServer/elicitation/request"
PERMISSIONS = "item/permissions/requestApproval"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace with a folder, and with a link that leads out of it."""
    workspace, outside = tmp_path / "work", tmp_path / "outside"
    for folder in (workspace / "docs", outside):
        folder.mkdir(parents=True)
    (workspace / "out").symlink_to(outside)
    (workspace / "link").symlink_to("docs")
    return workspace


def asked(
    root: Path, method: str, changes: list[ProposedChange] | None = None, **params: Any
) -> InputRequest:
    return input_requests.raised("0", method, params, changes or [], str(root), is_of_agent=False)


def command(root: Path, text: str, **params: Any) -> tuple[str, ...]:
    return asked(root, COMMAND, **{"command": text, "cwd": str(root), **params}).subject


@pytest.mark.parametrize("script", ["npm ci", "ls", "a && b", "it's", 'say "x"', "a $x", "a \\$x"])
def test_script_in_the_shell_of_codex(root: Path, script: str) -> None:
    for shell in ("/bin/bash", "/usr/bin/bash", "/bin/sh", "/bin/zsh"):
        wrapped = shlex.join([shell, "-lc", script])
        assert command(root, wrapped) == (shell.rpartition("/")[2], script)


def test_script_in_double_quotes(root: Path) -> None:
    assert command(root, '/bin/bash -lc "it\'s"') == ("bash", "it's")
    doubtful = '/bin/bash -lc "it\'s \\$x"'
    assert command(root, doubtful) == ("", doubtful)


@pytest.mark.parametrize(
    "text",
    [
        "npm ci",
        "/tmp/bash -lc 'npm ci'",
        "bash -lc 'npm ci'",
        "/bin/bash -lc 'npm ci' x",
        "/bin/bash -ic 'npm ci'",
        "/bin/bash --rcfile x -c 'npm ci'",
        "/bin/bash -lc 'npm'' ci'",
        "/bin/bash  -lc 'npm ci'",
        "/bin/bash -lc 'npm ci' '",
        "env X=1 /bin/bash -lc 'npm ci'",
    ],
)
def test_other_commands_are_their_own_whole_text(root: Path, text: str) -> None:
    assert command(root, text) == ("", text)


@pytest.mark.parametrize("char", ["\n", "\t", "\r", "\x1b", "\x00", "\u202e", "\u200b", "\u00ad"])
def test_command_with_a_character_that_cannot_be_seen_has_none(root: Path, char: str) -> None:
    assert command(root, f"/bin/bash -lc 'npm{char} ci'") == ()


def test_command_outside_the_workspace_has_none(root: Path) -> None:
    assert command(root, "ls", cwd=str(root / "docs"))
    for cwd in (root.parent, root / "out", root / "docs/../..", "/", "docs", None):
        assert command(root, "ls", cwd=cwd and str(cwd)) == ()


@pytest.mark.parametrize(
    "more",
    [
        {"additionalPermissions": {"network": {"enabled": True}}},
        {"networkApprovalContext": {"host": "evil.example", "protocol": "https"}},
        {"environmentId": "remote"},
        {"kind": "writeStdin"},
        {"kind": "humanCommand"},
        {"unknown": 1},
    ],
)
def test_command_that_asks_for_more_has_none(root: Path, more: dict[str, Any]) -> None:
    assert command(root, "ls", environmentId="local", kind="command")
    assert command(root, "ls", **more) == ()
    request = asked(root, COMMAND, command="ls", cwd=str(root), **more)
    assert next(iter(more)) in request.details


def test_request_of_a_sub_agent_or_for_permissions_has_none(root: Path) -> None:
    params = {"command": "ls", "cwd": str(root)}
    of_agent = input_requests.raised("0", COMMAND, params, [], str(root), is_of_agent=True)
    assert of_agent.subject == ()
    rights = {"permissions": {"network": {"enabled": True}}, "cwd": str(root)}
    assert asked(root, PERMISSIONS, **rights).subject == ()


def patched(root: Path, *paths: str, diff: str = "+x\n", **params: Any) -> tuple[str, ...]:
    changes = [input_requests.proposed(path, "modified", diff, str(root)) for path in paths]
    return asked(root, PATCH, changes, **params).subject


def test_paths_of_a_patch_with_links_followed(root: Path) -> None:
    assert patched(root, str(root / "docs/a.md"), "b") == ("docs/a.md", "b")
    assert patched(root, "link/a.md") == ("docs/a.md",)
    for path in ("out/x", "/etc/x", "../x", "docs/../b", "a\x1bb", "a\nb", "a\\x1bb"):
        assert patched(root, "b", path) == ()
    assert patched(root) == ()
    assert patched(root, "b", grantRoot="/") == ()
    for diff in ("+\x1b[31m\n", "+\u202e\n", "+a\r\n"):
        assert patched(root, "b", diff=diff) == ()


def test_rename_out_of_the_workspace_has_none(root: Path) -> None:
    def renamed(target: str) -> tuple[str, ...]:
        kind = {"type": "update", "move_path": target}
        changes = proposed_changes([WireChange("a", kind, "x")], str(root))
        return asked(root, PATCH, list(changes)).subject

    assert renamed("docs/b") == ("a", "docs/b")
    for target in (str(root / "out/stolen"), "/etc/x", "../x"):
        assert renamed(target) == ()


def tool(root: Path, **more: Any) -> tuple[str, ...]:
    meta = {"codex_approval_kind": "mcp_tool_call", "tool_name": "deploy", "tool_params": {"a": 1}}
    params = {"serverName": "lab", "mode": "form", "message": "Allow?", **more}
    return asked(root, TOOL, _meta={**meta, **more.pop("meta", {})}, **params).subject


def test_tool_is_its_server_and_its_name(root: Path) -> None:
    assert tool(root) == ("lab", "deploy")
    assert tool(root, meta={"codex_approval_kind": "other"}) == ()
    assert tool(root, meta={"tool_name": None}) == ()
    assert tool(root, meta={"tool_params": {"a": ["x\x1b"]}}) == ()
    assert tool(root, serverName="") == ()
    assert asked(root, TOOL, serverName="lab", _meta=None, message="Which port?").subject == ()

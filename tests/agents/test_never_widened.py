"""Rights that no answer and no setting of ours may ever widen."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.agents.codex.interactive import command, safety
from engine.agents.codex.interactive.bridge import forms, options, protocol
from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.model import Run, RunSpec, Workspace, WorkspaceKind

BRIDGE = command.BRIDGE.parent
WIDENING = ("ForSession", "Amendment", "amendment", "persist", "always", "grantRoot", "cwd")
"""Words of Codex for decisions that it remembers, rules that it writes, and folders it trusts."""
ASKED: dict[str, Any] = {
    "threadId": "t",
    "itemId": "c",
    "command": "x",
    "cwd": "/",
    "proposedExecpolicyAmendment": ["x"],
    "availableDecisions": ["accept", {"acceptWithExecpolicyAmendment": {}}, "acceptForSession"],
    "permissions": {"network": {"enabled": True}, "fileSystem": {"write": ["/data"]}},
    "questions": [{"id": "q", "header": "", "question": "?", "options": [{"label": "always"}]}],
    "message": "x",
    "mode": "form",
    "requestedSchema": {"type": "object", "properties": {}},
}
METHODS = (
    protocol.COMMAND,
    protocol.PATCH,
    protocol.PERMISSIONS,
    protocol.ELICITATION,
    forms.QUESTION,
)
METAS = (None, {"codex_approval_kind": "mcp_tool_call", "persist": ["session", "always"]})
DECISIONS = st.one_of(
    st.sampled_from(
        ["approve", "deny", "stop", "answer", "accept", "acceptForSession", "always", "session"]
    ),
    st.just({"acceptWithExecpolicyAmendment": {"execpolicy_amendment": ["x"]}}),
    st.none(),
    st.text(max_size=5),
)


@given(st.sampled_from(METHODS), st.sampled_from(METAS), DECISIONS, st.booleans())
def test_answer_holds_once_and_for_what_was_asked(
    method: str, meta: object, decision: object, has_values: bool
) -> None:
    values = [[]] if has_values else None
    result = protocol.answer(method, {**ASKED, "_meta": meta}, decision, values)
    said = json.dumps(result)
    assert not [word for word in WIDENING if word in said]
    assert (result or {}).get("scope", "turn") == "turn"
    assert (result or {}).get("_meta") is None
    if result and decision not in ("approve", "answer"):
        kept = {key: value for key, value in result.items() if key not in ("scope", "_meta")}
        assert kept in (
            {"decision": "decline"},
            {"decision": "cancel"},
            {"permissions": {}},
            {"answers": {}},
            {"action": "decline", "content": None},
            {"action": "cancel", "content": None},
        )


@pytest.mark.parametrize("thread", ["", "01a22527-a4df-7c20-a428-c4e1e745ccd7"])
def test_thread_is_opened_without_a_folder_and_with_its_rights(thread: str) -> None:
    words = ["--codex", "codex", "--inbox", "i", "--prompt-id", "p", "--sandbox", "read-only"]
    words += ["--approvals", "untrusted", "--add-dir", "/data", "--model", "m"]
    _, params = protocol.open_thread(
        options.parse([*words, *(["--thread", thread] if thread else [])])
    )
    assert "cwd" not in params
    assert "config" not in params
    assert (params["sandbox"], params["approvalPolicy"]) == ("read-only", "untrusted")
    assert params["approvalsReviewer"] == "user"


def _texts(path: Path) -> Iterator[str]:
    """Yield the texts in a program, without its docstrings."""
    tree = ast.parse(path.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in docstrings:
            continue
        if isinstance(node.value, str):
            yield node.value


def test_bridge_has_no_word_for_what_widens_rights() -> None:
    known = {"grantRoot"}  # a request that has one is refused
    for path in BRIDGE.glob("*.py"):
        for text in _texts(path):
            found = {word for word in WIDENING if word in text} - known
            assert not found, f"{path.name}: {text!r}"


def test_home_in_the_systems_temporary_folder_is_refused() -> None:
    paths = Paths(Path("/tmp/swarm-tui-never/home"), Path("/etc/swarm-tui/config.yaml"))
    workspace = Workspace("/data/work", WorkspaceKind.IN_PLACE)
    spec = RunSpec("x", title="x", project="x", interactive=True)
    run = Run("run-1", spec, 0.0, attempt=1, workspace=workspace)
    with pytest.raises(UserError) as refused:
        safety.check_home(spec, paths, {"HOME": "/nobody"}, Path("/nobody/.codex"), run)
    assert refused.value.code == "HOME_UNSAFE"

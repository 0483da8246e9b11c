"""The part of the app-server's protocol that the bridge speaks.

Nothing that widens rights beyond one answer is part of it: no `cwd` in `thread/start` (it would
write trust into the user's settings), no `acceptForSession`, no amendments, no `persist`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from . import forms
from .json_values import Json, as_dict, as_list
from .options import BridgeOptions

UNWANTED = [
    # Parts of items: the completed item has all of them.
    "item/agentMessage/delta",
    "item/reasoning/textDelta",
    "item/reasoning/summaryTextDelta",
    "item/reasoning/summaryPartAdded",
    "item/plan/delta",
    "remoteControl/status/changed",
    "skills/changed",
    "thread/started",
    "thread/settings/updated",
]
COMMAND = "item/commandExecution/requestApproval"
PATCH = "item/fileChange/requestApproval"
PERMISSIONS = "item/permissions/requestApproval"
ELICITATION = forms.ELICITATION
_KIND, _TOOL = "codex_approval_kind", "mcp_tool_call"
_DECISIONS = {"approve": "accept", "deny": "decline", "stop": "cancel"}


def key_login(variable: str) -> Json:
    """Return the parameters of a login with the API key in a variable."""
    return {"type": "apiKey", "apiKey": os.environ.get(variable, "")}


def handshake() -> Json:
    """Return the parameters of `initialize`."""
    return {
        "clientInfo": {"name": "swarm_tui", "title": "swarm-tui", "version": "0"},
        "capabilities": {
            "experimentalApi": True,
            "requestAttestation": False,
            "optOutNotificationMethods": UNWANTED,
        },
    }


def open_thread(options: BridgeOptions) -> tuple[str, Json]:
    """Return the method and parameters that start, resume or fork the thread.

    A resumed thread forgets its sandbox and its approvals: both are passed every time.
    """
    params: Json = {
        "approvalPolicy": options.approvals,
        "sandbox": options.sandbox,
        "approvalsReviewer": "user",
    }
    if options.model:
        params["model"] = options.model
    if options.folders:
        # The current folder is named, too: these replace it.
        params["runtimeWorkspaceRoots"] = [os.getcwd(), *options.folders]  # noqa: PTH109  no pathlib
    if options.fork:
        return "thread/fork", {**params, "threadId": options.fork, "excludeTurns": True}
    if not options.thread:
        return "thread/start", params
    return "thread/resume", {**params, "threadId": options.thread, "excludeTurns": True}


def last_turn(thread: str) -> Json:
    """Return the parameters of `thread/turns/list`; only the full view has steered messages."""
    return {"threadId": thread, "limit": 1, "sortDirection": "desc", "itemsView": "full"}


def message(name: str, text: str, images: Sequence[str] = ()) -> Json:
    """Return the parameters that every message to the agent has."""
    part: Json = {"type": "text", "text": text, "text_elements": []}
    shown: list[Json] = [{"type": "localImage", "path": path} for path in images]
    return {"clientUserMessageId": name, "input": [part, *shown]}


def schema(path: str) -> object:
    """Read the JSON schema of the agent's last message; raises OSError and ValueError."""
    with open(path, "rb") as file:  # noqa: PTH123  no pathlib: it takes long to import
        return json.load(file)


def is_answerable(method: str, params: Json) -> bool:
    """Return whether a request is one that can be shown whole, and answered for once."""
    if not isinstance(params.get("threadId"), str):
        return False
    if method == COMMAND:
        kind = params.get("kind") or "command"
        is_shown = isinstance(params.get("command"), str)
        return is_shown and kind == "command" and not params.get("networkApprovalContext")
    if method == PATCH:
        return isinstance(params.get("itemId"), str) and not params.get("grantRoot")
    if is_approval_of_tool(method, params):
        return True
    return method == PERMISSIONS or forms.fields_of(method, params) is not None


def is_approval_of_tool(method: str, params: Json) -> bool:
    """Return whether the request is the approval of an MCP tool: it has the form of a form."""
    return method == ELICITATION and as_dict(params.get("_meta")).get(_KIND) == _TOOL


def ends_turn(method: str, decision: object) -> bool:
    """Return whether a decision ends the turn by a request of its own.

    Codex ends the turn itself with the `cancel` of a command or a patch alone.
    """
    return decision == "stop" and method not in (COMMAND, PATCH)


def answer(
    method: str,
    params: Json,
    decision: object,
    values: object = None,
    secrets: object = None,
) -> Json | None:
    """Return the result that carries a decision; None for one that does not fit the request."""
    is_tool = is_approval_of_tool(method, params)
    fields = None if is_tool else forms.fields_of(method, params)
    if fields is not None:
        if decision == "answer":
            return forms.result(method, fields, values, secrets)
        is_refused = decision in ("deny", "stop")
        return forms.refusal(method, is_stop=decision == "stop") if is_refused else None
    if not isinstance(decision, str) or decision not in _DECISIONS:
        return None
    known = _DECISIONS[decision]
    if method in (COMMAND, PATCH):
        return {"decision": known}
    if method == PERMISSIONS:
        wanted = as_dict(params.get("permissions")) if decision == "approve" else {}
        granted = {name: value for name, value in wanted.items() if value is not None}
        return {"permissions": granted, "scope": "turn"}
    return {"action": known, "content": {} if decision == "approve" else None, "_meta": None}


def id_of(found: object) -> str:
    """Return the id of a thread or a turn."""
    return str(as_dict(found).get("id") or "")


def client_ids(listed: object) -> set[str]:
    """Return the ids of the messages that a list of turns has."""
    turns = map(as_dict, as_list(as_dict(listed).get("data")))
    items = [as_dict(item) for turn in turns for item in as_list(turn.get("items"))]
    return {str(item.get("clientId")) for item in items}

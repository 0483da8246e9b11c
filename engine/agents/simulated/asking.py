"""Directives that ask the client: approvals, questions and forms, and waiting for its messages.

Without a client (`codex exec`) nothing is asked, and every request is refused.
"""
# Not pathlib: importing it would take a fifth of the time to start.
# ruff: noqa: PTH118

from __future__ import annotations

import json
import os
from collections.abc import Callable

from .files import add_line
from .items import shell_command
from .script import ScriptStep
from .turn import Turn, TurnInterrupted

Json = dict[str, object]

_REFUSED = "exec command rejected by user"
_RESULTS = {"accept": "completed", "decline": "declined", "cancel": "declined"}


def ask(turn: Turn, step: ScriptStep) -> None:
    """Ask for a command outside the sandbox; it is not run, only its line is written."""
    text = step.words[0]
    shown, kind, item_id = shell_command(text), "command_execution", turn.new_id()
    turn.item("started", item_id, kind, command=shown, aggregated_output="", exit_code=None,
              status="in_progress")  # fmt: skip
    words = text.split()
    decision = _decision(
        turn,
        "item/commandExecution/requestApproval",
        {
            "kind": "command",
            "itemId": item_id,
            "environmentId": "local",
            "reason": step.options.get("reason"),
            "command": shown,
            "cwd": turn.options.cwd,
            "commandActions": [{"type": "unknown", "command": text}],
            "proposedExecpolicyAmendment": words,
            "availableDecisions": [
                "accept",
                {"acceptWithExecpolicyAmendment": {"execpolicy_amendment": words}},
                "cancel",
            ],
        },
    )
    is_run = decision == "accept"
    if is_run:
        turn.pause(step.number("takes"))
        if path := step.options.get("writes"):
            add_line(turn, path, text)
    turn.item("completed", item_id, kind, command=shown,
              aggregated_output="ok\n" if is_run else _REFUSED, exit_code=0 if is_run else None,
              status=_RESULTS.get(decision, "failed"))  # fmt: skip
    _go_on(turn, decision, len(shown))


def ask_patch(turn: Turn, step: ScriptStep) -> None:
    """Ask for a patch; an approved one is written only inside the working directory."""
    path = os.path.join(turn.options.cwd, step.words[0])
    diff = "".join(f"{line}\n" for line in step.text.split("\n"))
    changes = [{"path": path, "kind": "add", "diff": diff}]
    item_id, kind = turn.new_id(), "file_change"
    turn.item("started", item_id, kind, changes=changes, status="in_progress")
    asked: Json = {"itemId": item_id, "reason": None, "grantRoot": None}
    decision = _decision(turn, "item/fileChange/requestApproval", asked)
    if decision == "accept":
        add_line(turn, step.words[0], step.text)
    status = _RESULTS.get(decision, "failed")
    turn.item("completed", item_id, kind, changes=changes, status=status)
    _go_on(turn, decision, len(diff))


def ask_rights(turn: Turn, step: ScriptStep) -> None:
    """Ask for the network or for a further folder, for this turn."""
    what = step.words[0]
    is_network = what == "network"
    files = None if is_network else {"read": None, "write": [what], "entries": None}
    asked: Json = {
        "itemId": turn.new_id(),
        "reason": step.options.get("reason"),
        "cwd": turn.options.cwd,
        "permissions": {"network": {"enabled": True} if is_network else None, "fileSystem": files},
    }
    response = turn.request("item/permissions/requestApproval", asked)
    _report(turn, "granted", response, "permissions")


def ask_tool(turn: Turn, step: ScriptStep) -> None:
    """Ask for a call of an MCP tool, as Codex does: by a form without fields."""
    server, tool = step.words
    item_id, kind = turn.new_id(), "mcp_tool_call"
    arguments: Json = {"query": "simulated"}
    turn.item("started", item_id, kind, server=server, tool=tool, arguments=arguments,
              result=None, error=None, status="in_progress")  # fmt: skip
    asked: Json = {
        "serverName": server,
        "mode": "form",
        "message": f"Allow {server} to run the tool {tool}?",
        "requestedSchema": {"type": "object", "properties": {}},
        "_meta": {
            "codex_approval_kind": "mcp_tool_call",
            "persist": ["session", "always"],
            "tool_name": tool,
            "tool_params": arguments,
        },
    }
    action = (turn.request("mcpServer/elicitation/request", asked) or {}).get("action")
    is_run = action == "accept"
    turn.item("completed", item_id, kind, server=server, tool=tool, arguments=arguments,
              result={"content": [{"type": "text", "text": "ok"}]} if is_run else None,
              error=None if is_run else {"message": "user rejected MCP tool call"},
              status="completed" if is_run else "failed")  # fmt: skip
    _go_on(turn, str(action), len(tool))


def question(turn: Turn, step: ScriptStep) -> None:
    """Ask a question with choices; of the answer to a secret one, only its length is printed."""
    text, choices = step.words
    is_secret = "secret" in step.options
    asked: Json = {
        "itemId": turn.new_id(),
        "questions": [
            {
                "id": "q1",
                "header": "Question",
                "question": text,
                "isOther": is_secret,
                "isSecret": is_secret,
                "options": [{"label": one, "description": ""} for one in choices.split("|")],
            }
        ],
        "isBlocking": True,
        "autoResolutionMs": None,
    }
    response = turn.request("item/tool/requestUserInput", asked)
    shown: Json = {"answers": f"{len(json.dumps(response))} characters"}
    _report(turn, "answered", shown if is_secret else response, "answers")


def form(turn: Turn, step: ScriptStep) -> None:
    """Ask, as an MCP server, for the fields of a JSON schema."""
    asked: Json = {
        "serverName": "simulated",
        "mode": "form",
        "message": "Please fill in this form.",
        "requestedSchema": json.loads(step.text),
        "_meta": None,
    }
    _report(turn, "answered", turn.request("mcpServer/elicitation/request", asked), "content")


def ask_unknown(turn: Turn, step: ScriptStep) -> None:
    """Send a request that no version knows."""
    turn.request(step.words[0], {"detail": {"level": 3}})
    turn.count_request(0)


def until(turn: Turn, _: ScriptStep) -> None:
    """Wait for a message of the user."""
    turn.wait_for_message()


def _decision(turn: Turn, method: str, params: Json) -> str:
    """Return the client's decision on a command or a patch; nonsense is ignored."""
    response = turn.request(method, params)
    if response is None:
        return "decline"
    return str(response.get("decision") or "")


def _go_on(turn: Turn, decision: str, characters: int) -> None:
    """Go on after a request: `cancel` ends the turn."""
    if decision == "cancel":
        raise TurnInterrupted
    turn.count_request(characters)


def _report(turn: Turn, verb: str, response: Json | None, key: str) -> None:
    """Print the answer, as a model would."""
    value = (response or {}).get(key)
    turn.print_message(f"{verb}: {json.dumps(value, ensure_ascii=False)}")
    turn.count_request(0)


PLAYS: dict[str, Callable[[Turn, ScriptStep], None]] = {
    "ask": ask,
    "ask-patch": ask_patch,
    "ask-rights": ask_rights,
    "ask-tool": ask_tool,
    "question": question,
    "form": form,
    "ask-unknown": ask_unknown,
    "until": until,
}

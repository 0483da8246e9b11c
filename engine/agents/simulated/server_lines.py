"""Events of `codex exec` in the words of the app-server."""

from __future__ import annotations

from .trouble import FAILURES

Json = dict[str, object]

_TYPES = {
    "agent_message": "agentMessage",
    "command_execution": "commandExecution",
    "file_change": "fileChange",
    "mcp_tool_call": "mcpToolCall",
    "simulated_novelty": "simulatedNovelty",
    "web_search": "webSearch",
}
_STATUSES = {"in_progress": "inProgress"}
_KEYS = {"aggregated_output": "aggregatedOutput", "exit_code": "exitCode"}
_CAUSES: dict[str, object] = {
    FAILURES["auth"]: {"httpConnectionFailed": {"httpStatusCode": 401}},
    FAILURES["rate"]: {"responseTooManyFailedAttempts": {"httpStatusCode": 429}},
    FAILURES["quota"]: "usageLimitExceeded",
    FAILURES["usage"]: "usageLimitExceeded",
    FAILURES["overloaded"]: "internalServerError",
    FAILURES["context"]: "contextWindowExceeded",
}


def error(message: object) -> Json:
    """Return an error as the app-server has it, with its code."""
    info = _CAUSES.get(str(message), "other")
    return {"message": message, "codexErrorInfo": info, "additionalDetails": None}


def item(known: Json, cwd: str) -> Json:
    """Return an item of `codex exec` as one of the app-server."""
    kind = str(known["type"])
    made = {_KEYS.get(key, key): value for key, value in known.items()}
    made["type"] = _TYPES.get(kind, kind)
    status = str(known.get("status"))
    if "status" in made:
        made["status"] = _STATUSES.get(status, status)
    if kind == "reasoning":
        return {"type": kind, "id": known["id"], "summary": [known["text"]], "content": []}
    if kind == "command_execution":
        made |= {"cwd": cwd, "commandActions": [], "source": "agent", "processId": None}
        made["aggregatedOutput"] = known["aggregated_output"] or None
    if kind == "file_change":
        made["changes"] = [_change(as_dict(one)) for one in as_list(known["changes"])]
    return made


def plan(known: Json) -> list[Json]:
    """Return the steps of a to-do list: the first that is not completed is at work."""
    steps: list[Json] = []
    is_first = True
    for one in map(as_dict, as_list(known["items"])):
        status = "completed" if one["completed"] else "inProgress" if is_first else "pending"
        is_first = is_first and bool(one["completed"])
        steps.append({"step": one["text"], "status": status})
    return steps


def window(known: object) -> Json | None:
    """Return a rate-limit window of a rollout as the app-server has it, in whole percent."""
    if not (found := as_dict(known)):
        return None
    return {
        "usedPercent": int(float(str(found["used_percent"]))),
        "windowDurationMins": found["window_minutes"],
        "resetsAt": found["resets_at"],
    }


def tokens(known: dict[str, int]) -> Json:
    """Return token counts as the app-server has them."""
    return {
        "totalTokens": known["input_tokens"] + known["output_tokens"],
        "inputTokens": known["input_tokens"],
        "cachedInputTokens": known["cached_input_tokens"],
        "outputTokens": known["output_tokens"],
        "reasoningOutputTokens": known["reasoning_output_tokens"],
    }


def _change(known: Json) -> Json:
    return {"path": known["path"], "kind": {"type": known["kind"]}, "diff": known.get("diff", "")}


def as_dict(value: object) -> Json:
    """Return an object; an empty one in the place of anything else."""
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]  # keys of JSON are text


def as_list(value: object) -> list[object]:
    """Return an array; an empty one in the place of anything else."""
    return value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]  # of any values

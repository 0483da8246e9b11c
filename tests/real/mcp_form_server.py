"""An MCP server over stdio whose one tool asks its user: `ask` passes its arguments on.

Run by path: `python mcp_form_server.py`. The tool returns the answer of the user as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

Json = dict[str, Any]
TOOL: Json = {
    "name": "ask",
    "description": "Ask the user",
    "inputSchema": {"type": "object", "properties": {}, "additionalProperties": True},
    "annotations": {"readOnlyHint": True, "destructiveHint": False, "openWorldHint": False},
}


def _send(**fields: object) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **fields}) + "\n")
    sys.stdout.flush()


def _result(asked: Json, version: str) -> Json:
    match asked.get("method"):
        case "initialize":
            info = {"name": "forms", "version": "1"}
            return {
                "protocolVersion": version,
                "capabilities": {"tools": {}},
                "serverInfo": info,
            }
        case "tools/list":
            return {"tools": [TOOL]}
        case _:
            return {}


def main() -> None:
    """Answer requests until stdin ends."""
    calls: Json = {}
    for line in sys.stdin:
        asked = json.loads(line)
        method, number = asked.get("method"), asked.get("id")
        if method == "tools/call":
            name = f"ask-{number}"
            calls[name] = number
            _send(id=name, method="elicitation/create", params=asked["params"]["arguments"])
        elif method is None and number in calls:
            text = json.dumps(asked.get("result") or asked.get("error"))
            content = [{"type": "text", "text": text}]
            _send(id=calls.pop(number), result={"content": content})
        elif method and number is not None:
            version = asked.get("params", {}).get("protocolVersion", "2025-06-18")
            _send(id=number, result=_result(asked, version))


if __name__ == "__main__":
    main()

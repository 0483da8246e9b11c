"""Our MCP server for the agent of a run: with it, the agent starts runs of its own.

Codex starts it outside of the sandbox, in the workspace. So it loads no module from there, and
home and settings are named: Codex passes on few variables.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from engine.agents.base import CommandRequest
from engine.domain.errors import user_error

NAME = "swarm-tui"
PROGRAM = Path(__file__).resolve().parents[3] / "swarm_tui.py"
STARTUP_S = 60
TOOL_S = 3700
"""Seconds that a tool may take: longer than the longest wait for runs."""


def server_table(request: CommandRequest) -> dict[str, object]:
    """Return the settings of the server, as Codex has them; raises `UserError` MCP_MISSING."""
    if find_spec("mcp") is None:
        raise user_error("MCP_MISSING")
    paths = request.paths
    # Without a user, Codex refuses tools that are destructive; the settings have enabled them.
    mode = {} if request.run.is_interactive else {"default_tools_approval_mode": "approve"}
    words = [str(PROGRAM), "mcp", "--parent", request.run.id]
    return {
        "command": sys.executable,
        "args": ["-E", "-P", *words],  # no variable and no current folder names its modules
        "env": {"SWARM_HOME": str(paths.home), "SWARM_CONFIG": str(paths.config)},
        "required": True,  # otherwise the first requests of the model can be without its tools
        "startup_timeout_sec": STARTUP_S,
        "tool_timeout_sec": TOOL_S,
        **mode,
    }

"""Commands of the command line, for a user who looks for them in the dashboard."""

from __future__ import annotations

from collections.abc import Callable, Container

CommandNames = Callable[[], Container[str]]
"""Function that returns the names; it imports the command line, so it is called late."""


def command_line_hint(typed: str, names: CommandNames) -> str:
    """Return where a typed command of the command line is; empty for other words."""
    words = typed.lower().removeprefix("swarm-tui ").split()
    if not words or words[0] not in names():
        return ""
    command = f"swarm-tui {words[0]}"
    return f"`{command}` is on the command line."

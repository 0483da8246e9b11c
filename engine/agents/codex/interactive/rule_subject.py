"""The subjects of requests: the parts that approval rules compare, read strictly.

Codex shows a command as the arguments of the shell that runs it, and names its own reading of the
script beside it; that reading is not used here.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from engine.domain.interaction import ProposedChange, RequestKind
from engine.domain.text import escaped

USUAL_DETAILS = {"environmentId": "local"}
"""Details that ask for nothing."""
_SHELLS = ("bash", "sh", "zsh")
_FOLDERS = ("/bin", "/usr/bin")
_LONGEST = 10_000
_ESCAPED = re.compile(r"\\(?:r|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
"""The escapes of invisible characters in a diff, and text that looks like one."""


def of(
    kind: RequestKind,
    params: Mapping[str, Any],
    changes: Sequence[ProposedChange],
    details: Mapping[str, Any],
    root: str,
) -> tuple[str, ...]:
    """Return the subject of a request; empty where no rule may approve it.

    `details` are all of the request beside the command and its folder.
    """
    match kind:
        case RequestKind.COMMAND if not details or details == USUAL_DETAILS:
            command, cwd = params.get("command"), params.get("cwd")
            return _command(command, cwd, root)
        case RequestKind.PATCH if not details or details == USUAL_DETAILS:
            return _paths(changes, root)
        case RequestKind.TOOL:
            return _tool(params)
        case _:
            return ()


def _command(command: object, cwd: object, root: str) -> tuple[str, ...]:
    if not isinstance(command, str) or not isinstance(cwd, str) or not _is_plain(command):
        return ()
    if not cwd.startswith("/") or _inside(root, cwd) is None:
        return ()
    return _unwrapped(command)


def _unwrapped(command: str) -> tuple[str, str]:
    """Return the shell and its script; no shell and the whole command where there is none."""
    if len(command) > _LONGEST:
        return "", command
    try:
        words = shlex.split(command)
    except ValueError:
        return "", command
    if len(words) != 3 or words[1] not in ("-c", "-lc"):
        return "", command
    folder, _, name = words[0].rpartition("/")
    is_shell = folder in _FOLDERS and name in _SHELLS
    # The script is what Codex quoted: quoted again, it has to be the same command.
    forms = [shlex.join(words)]
    if "\\" not in words[2]:
        forms.append(f'{words[0]} {words[1]} "{words[2]}"')
    return (name, words[2]) if is_shell and command in forms else ("", command)


def _paths(changes: Sequence[ProposedChange], root: str) -> tuple[str, ...]:
    found: list[str] = []
    for change in changes:
        real = _inside(root, change.path)
        is_plain = "\\" not in change.path and ".." not in change.path.split("/")
        if change.outside or real is None or not is_plain or _ESCAPED.search(change.diff):
            return ()
        found.append(real)
    return tuple(found)


def _tool(params: Mapping[str, Any]) -> tuple[str, ...]:
    meta = params.get("_meta")
    if not isinstance(meta, dict):
        return ()
    held = cast("dict[str, Any]", meta)
    named = (params.get("serverName"), held.get("tool_name"))
    is_call = held.get("codex_approval_kind") == "mcp_tool_call"
    is_named = all(isinstance(name, str) and name for name in named)
    asked = {key: value for key, value in params.items() if key != "message"}
    return cast("tuple[str, ...]", named) if is_call and is_named and _all_plain(asked) else ()


def _is_plain(text: str) -> bool:
    return escaped(text) == text and "\n" not in text and "\t" not in text


def _all_plain(value: object) -> bool:
    """Return whether all texts in a JSON value are without characters that cannot be seen."""
    match value:
        case str():
            return _is_plain(value)
        case dict():
            held = cast("dict[object, object]", value)
            return all(_all_plain(part) for pair in held.items() for part in pair)
        case list():
            return all(map(_all_plain, cast("list[object]", value)))
        case _:
            return True


def _inside(root: str, path: str) -> str | None:
    """Return a path relative to the workspace, links followed; None if it leads out of it."""
    if not root:
        return None
    real_root = Path(os.path.realpath(root))
    try:
        real = Path(os.path.realpath(real_root / path))
        return str(real.relative_to(real_root))
    except ValueError:
        return None

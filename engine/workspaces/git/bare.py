"""Check for bare repositories, also hubs: bare repositories with worktrees beside them."""

from __future__ import annotations

import re
from pathlib import Path

from engine.system.files import read_regular
from engine.workspaces.files.special_files import SETTINGS_BYTES

_SECTION = re.compile(rb"\s*\[\s*([A-Za-z0-9.-]+)\s*([\]\"])")
_BARE = re.compile(
    rb"(?:\s*\[\s*core\s*\])?\s*bare\s*(?:=\s*\"?(\w*)\"?)?\s*(?:[#;].*)?", re.IGNORECASE
)
_TRUE = (b"true", b"yes", b"on", b"1")


def is_bare(common_dir: Path) -> bool:
    """Return whether the settings of a repository declare it bare, without a working tree.

    They are read as data; those that they include do not count. Blocking.
    """
    found = False
    for name in ("config", "config.worktree"):
        try:
            data = read_regular(common_dir / name, SETTINGS_BYTES)
        except OSError:
            continue
        said = _core_bare(data)
        found = found if said is None else said
    return found


def _core_bare(data: bytes) -> bool | None:
    section, found = b"", None
    for line in data.splitlines():
        if begun := _SECTION.match(line):
            section = begun[1].lower() if begun[2] == b"]" else b""
        if section == b"core" and (said := _BARE.fullmatch(line)):
            found = said[1] is None or said[1].lower() in _TRUE
    return found

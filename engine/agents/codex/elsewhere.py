"""Checks of settings that name files of this machine, for a run on another one."""

from __future__ import annotations

import re
from collections.abc import Iterable

from engine.domain.errors import user_error
from engine.domain.text import printable_name

_FILE = re.compile(r"[\w.\"'-]*_(file|path)[\"']?\s*=\s*(\"[^\"]*\"|'[^']*'|\S+)")
"""A setting with a file, at the top or in a table."""


def check(program: str | None, settings: Iterable[str]) -> None:
    """Raise `UserError` NODE_CANNOT where Codex on another machine would not find a file."""
    if program:
        raise user_error(
            "NODE_CANNOT",
            f"The program {printable_name(program)} is a file of this machine.",
            "Leave out --codex-bin: each node uses its own Codex.",
        )
    for setting in settings:
        if found := _FILE.search(setting):
            name = printable_name(found.group()[:80])
            raise user_error(
                "NODE_CANNOT",
                f"The Codex setting {name} names a file of this machine.",
                "Put it into the settings of Codex on the nodes, or start the run with "
                "`--on local`.",
            )

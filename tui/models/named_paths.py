"""Folders and files that are named in the dashboard."""

from __future__ import annotations

import os
from pathlib import Path

from engine.system.files import expanded


def here() -> str:
    """Return the folder that the dashboard was started in, or the root where it is gone."""
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return "/"


def absolute(path: str) -> str:
    """Return a path that was typed as an absolute one."""
    return str(Path(here()) / expanded(os.path.expandvars(path.strip())))

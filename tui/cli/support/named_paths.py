"""Folders and files that are named on the command line."""

from __future__ import annotations

import errno
from pathlib import Path

from engine.domain.errors import user_error
from engine.system.files import expanded, real_path


def here() -> Path:
    """Return the current folder; raises `UserError` where it is gone."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise user_error(
            "SOURCE_NOT_FOUND", "The current folder no longer exists.", "Change to another folder."
        ) from None


def absolute(path: str) -> Path:
    """Return the absolute path of a file or folder, links resolved."""
    return resolved(here() / expanded(path))


def resolved(path: Path) -> Path:
    """Return a path with its links resolved; raises `UserError` for one that no file can have."""
    try:
        path.lstat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise user_error("INPUT_INVALID", "The path is too long.") from None
    except ValueError:  # a NUL, which the engine names
        pass
    return real_path(path)


def program_path(named: str | None) -> str | None:
    """Return an absolute path, as another process may start it; a bare name is looked for there."""
    return str(here() / expanded(named)) if named and "/" in named else named

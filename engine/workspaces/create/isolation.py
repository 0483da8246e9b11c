"""Folders that an agent may write, kept apart from what makes us and agents do things.

In our home, our settings or the home of an agent it would write what runs outside its sandbox.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from engine.agents import profiles
from engine.config import paths, workspace_roots
from engine.domain.errors import user_error
from engine.domain.text import printable_name
from engine.system.files import real_path
from engine.workspaces.files.control_files import git_directory_around

_MODULES = Path(__file__).resolve().parents[2]
_PYTHON = Path(sys.prefix).resolve()
"""Our own modules, and the environment with all that they import."""


def check_apart(folder: Path, home: Path, *, may_contain: bool = False) -> None:
    """Raise `UserError` WORKSPACE_UNSAFE where a folder lies in one of ours, or contains one.

    `may_contain`: it is not worked in, and only may not lie in one of them. Links are resolved.
    """
    roots = (("the workspaces of swarm-tui", root) for root in workspace_roots.chosen(home))
    _check(folder, chain(_protected(home), roots), may_contain=may_contain)


def check_no_git_directory(folder: Path) -> None:
    """Raise `UserError` WORKSPACE_UNSAFE where a folder is a git directory, or lies in one.

    Its settings and hooks name programs that git runs outside the sandbox. Blocking.
    """
    found = git_directory_around(folder)
    if found is None:
        return
    name = printable_name(str(found))
    where = "is" if found == real_path(folder) else f"lies in {name},"
    raise user_error(
        "WORKSPACE_UNSAFE",
        f"{printable_name(str(folder))} {where} a git directory: agents do not work on git's own "
        "files.",
        f"Use --worktree {name}: the run gets the files of a commit.",
    )


def check_root_apart(folder: Path, home: Path) -> None:
    """Raise `UserError` WORKSPACE_UNSAFE where a root of workspaces lies in or around ours."""
    _check(folder, _protected(home), may_contain=False)


def _check(folder: Path, places: Iterable[tuple[str, Path]], *, may_contain: bool) -> None:
    real = real_path(folder)
    for what, place in places:
        there = real_path(place)
        if real == there or real.is_relative_to(there):
            raise _unsafe(folder, f"lies in {what}")
        if not may_contain and there.is_relative_to(real):
            raise _unsafe(folder, f"contains {what}")
    if not may_contain and (
        real.is_relative_to(_MODULES) or any(at.is_relative_to(real) for at in (_MODULES, _PYTHON))
    ):
        raise _unsafe(folder, "holds the program of swarm-tui")


def _protected(home: Path) -> Iterator[tuple[str, Path]]:
    config = paths.find().config
    yield "the home of swarm-tui", home
    yield "the settings of swarm-tui", config
    yield "the templates of swarm-tui", config.parent / "templates"
    if config.parent.name == paths.APP:
        yield "the settings of swarm-tui", config.parent
    for title, folder in profiles.homes(os.environ):
        yield f"the home of {title}", folder


def _unsafe(folder: Path, why: str) -> Exception:
    name = printable_name(str(folder))
    return user_error(
        "WORKSPACE_UNSAFE", f"{name} {why}: an agent there could change what runs as you."
    )

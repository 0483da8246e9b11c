"""A repository's settings files, read before git reads them: bounded, and without their hooks.

git 2.54 and newer run commands that `hook.<name>.command` defines, there and in included files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from engine.files import read_regular
from engine.workspace.special_files import unreadable

FILE_BYTES = 1024 * 1024
FILES = 100
"""Included files that are followed; git itself allows no deeper includes than ten."""
HOOKS = 1000
_POINTER_BYTES = 16 * 1024
_QUOTED = re.compile(rb'\[\s*hook\s+"((?:[^"\\\n]|\\.)*)"\s*\]', re.IGNORECASE)
_DOTTED = re.compile(rb"\[\s*hook\.([^\]\s\"]+)\s*\]", re.IGNORECASE)
_INCLUDES = re.compile(rb"\[\s*include(?:if)?\b", re.IGNORECASE)
_PATH = re.compile(rb"(?:^|\]|\n)[ \t]*path[ \t]*=[ \t]*([^\n]*)", re.IGNORECASE)


def hooks_disabled(git_dir: Path) -> dict[str, str]:
    """Return the environment in which git runs no hook that the repository's settings define.

    Raises `UserError` WORKSPACE_UNSAFE for a settings file that git cannot be let read.
    """
    names = sorted({name for data in _settings(git_dir) for name in _hooks(data)})
    if not names:
        return {}
    if len(names) > HOOKS:
        raise unreadable(git_dir / "config", f"defines more than {HOOKS} hooks")
    env = {"GIT_CONFIG_COUNT": str(len(names))}
    for number, name in enumerate(names):
        env[f"GIT_CONFIG_KEY_{number}"] = f"hook.{os.fsdecode(name)}.enabled"
        env[f"GIT_CONFIG_VALUE_{number}"] = "false"
    return env


def _settings(git_dir: Path) -> Iterator[bytes]:
    """Return what the settings files hold, with those they include, whatever the conditions."""
    common = _common(git_dir)
    waiting = [common / "config", *{common / "config.worktree", git_dir / "config.worktree"}]
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in seen or path == Path(os.devnull):
            continue
        seen.add(path)
        if len(seen) > FILES:
            raise unreadable(git_dir / "config", f"includes more than {FILES} files")
        data = _read(path)
        yield data
        waiting += _included(path, data)


def _common(git_dir: Path) -> Path:
    try:
        data = read_regular(git_dir / "commondir", _POINTER_BYTES)
    except OSError:
        return git_dir
    return git_dir / os.fsdecode(data.strip(b"\n"))


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, FILE_BYTES).replace(b"\\\r\n", b"").replace(b"\\\n", b"")
    except (FileNotFoundError, NotADirectoryError, PermissionError, IsADirectoryError):
        return b""  # git cannot read it either
    except OSError as error:
        raise unreadable(path, f"is not usable as settings ({error.strerror})") from error


def _hooks(data: bytes) -> Iterator[bytes]:
    for name in (*_QUOTED.findall(data), *_DOTTED.findall(data)):
        yield re.sub(rb"\\(.)", rb"\1", name)


def _included(path: Path, data: bytes) -> Iterator[Path]:
    if not _INCLUDES.search(data):
        return
    for value in _PATH.findall(data):
        plain = re.sub(rb'\s+[#;].*$|"', b"", value.strip()).replace(rb"\\", b"\\").strip()
        if plain and b"\0" not in plain:
            named = Path(os.path.expanduser(os.fsdecode(plain)))  # noqa: PTH111  `~x` may be unknown
            yield Path(os.path.realpath(path.parent / named))

"""A repository's settings files, read before git reads them: bounded, and without their hooks.

git 2.54 and newer run commands that `hook.<name>.command` defines, there and in included files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.domain.errors import user_error
from engine.domain.text import printable_name
from engine.system.files import read_regular
from engine.workspaces.files.special_files import unreadable

Setting = tuple[str, str]
"""A key and its value."""
FILE_BYTES = 1024 * 1024
FILES = 100
"""Included files that are followed; git itself allows no deeper includes than ten."""
HOOKS = 1000
_POINTER_BYTES = 16 * 1024
# `[hook "name"]`; `[hook.name]`, which git takes in small letters; `[hook.na "me"]`: `na.me`.
_HOOK = re.compile(
    rb'\[\s*hook(?:\.([A-Za-z0-9.-]*))?(?:\s+"((?:[^"\\\n]|\\.)*)")?\s*\]', re.IGNORECASE
)
_INCLUDES = re.compile(rb"\[\s*include(?:if)?\b", re.IGNORECASE)
_PATH = re.compile(rb"(?<![A-Za-z0-9-])path[ \t]*=", re.IGNORECASE)
_REF_STORAGE = re.compile(rb"refStorage[ \t]*=", re.IGNORECASE)
"""Since git 2.54 this may be an address, of any folder."""
_PIECE = re.compile(rb'"|\\\r?\n|\\.|[^"\\\n]', re.DOTALL)
_LONGEST_VALUE = 16 * 1024
_ESCAPES = {rb"\t": b"\t", rb"\b": b"\b", rb"\n": b"\n"}


def in_environment(settings: Sequence[Setting]) -> dict[str, str]:
    """Return the variables that pass these settings to git."""
    if not settings:
        return {}
    env = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings):
        env[f"GIT_CONFIG_KEY_{number}"] = key
        env[f"GIT_CONFIG_VALUE_{number}"] = value
    return env


def hooks_disabled(git_dir: Path) -> tuple[Setting, ...]:
    """Return the settings with which git runs no hook that the repository's settings define.

    Raises `UserError` WORKSPACE_UNSAFE for a settings file that git cannot be let read.
    """
    names = sorted({name for data in _settings(git_dir) for name in _hooks(data)})
    if len(names) > HOOKS:
        raise unreadable(git_dir / "config", f"defines more than {HOOKS} hooks")
    return tuple((f"hook.{os.fsdecode(name)}.enabled", "false") for name in names)


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
        _check_refs(path, data)
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
        return read_regular(path, FILE_BYTES)
    except (FileNotFoundError, NotADirectoryError, PermissionError, IsADirectoryError):
        return b""  # git cannot read it either
    except OSError as error:
        raise unreadable(path, f"is not usable as settings ({error.strerror})") from error


def _check_refs(path: Path, data: bytes) -> None:
    if found := _REF_STORAGE.search(data):
        value = _value(data[found.end() : found.end() + _LONGEST_VALUE])
        if value is None or b":" in value or _REF_STORAGE.search(data, found.end()):
            name = printable_name(str(path))
            raise user_error("WORKSPACE_UNSAFE", f"{name} keeps its refs elsewhere.")


def _hooks(data: bytes) -> Iterator[bytes]:
    """Return the names of hooks, wherever they stand: in a comment they do no harm."""
    for dotted, quoted in _HOOK.findall(data):
        parts = (dotted.lower(), re.sub(rb"\\(.)", rb"\1", quoted))
        if name := b".".join(part for part in parts if part):
            yield name


def _included(path: Path, data: bytes) -> Iterator[Path]:
    if not _INCLUDES.search(data):
        return
    # The last line of a comment may end in a backslash: each `path` counts, wherever it stands.
    for count, found in enumerate(_PATH.finditer(data), start=1):
        value = _value(data[found.end() : found.end() + _LONGEST_VALUE])
        if value is None or count > FILES:
            raise unreadable(path, f"includes more than {FILES} files, or a path that is too long")
        if value and b"\0" not in value:
            named = Path(os.path.expanduser(os.fsdecode(value)))  # noqa: PTH111  `~x` may be unknown
            yield Path(os.path.realpath(path.parent / named))


def _value(data: bytes) -> bytes | None:
    """Return the value at the beginning of `data` by git's rules; None where it does not end."""
    value, kept, at, is_quoted = bytearray(), 0, 0, False
    for found in _PIECE.finditer(data):
        piece = found[0]
        if found.start() != at or (piece in (b";", b"#") and not is_quoted):
            return bytes(value[:kept])  # a newline, or a comment
        at = found.end()
        if piece == b'"':
            is_quoted = not is_quoted
        elif not piece.startswith(b"\\"):
            value += piece if value or is_quoted or not piece.isspace() else b""
        elif not piece.endswith(b"\n"):
            value += _ESCAPES.get(piece, piece[1:])
        if is_quoted or not piece.isspace():
            kept = len(value)
    return bytes(value[:kept]) if len(data) < _LONGEST_VALUE else None

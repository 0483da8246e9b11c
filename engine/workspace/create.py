"""Workspaces made: a fresh folder, or a copy of one."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from engine.domain.errors import user_error
from engine.domain.model import Workspace, WorkspaceKind, WorkspaceSpec
from engine.domain.text import printable_name
from engine.paths import private_folder

ABOVE_WORKSPACES = 2
"""How deep in the home, at most, a folder is that holds workspaces: `workspaces/<project>`."""


def check(spec: WorkspaceSpec, limit_bytes: int, home: Path) -> None:
    """Check a wish for a workspace before anything is made; raises `UserError`.

    `home` is where the workspaces are: nothing of it that holds them all can be copied into one.
    """
    if spec.kind is WorkspaceKind.EMPTY:
        return
    if spec.kind is not WorkspaceKind.COPY or not spec.source:
        raise user_error("INPUT_INVALID", f"Workspaces of kind {spec.kind} are not there yet.")
    source = Path(spec.source)
    name = printable_name(spec.source)
    if not source.is_dir():
        raise user_error("SOURCE_NOT_FOUND", f"The source folder {name} does not exist.")
    real = source.resolve()
    if real in (Path("/"), Path.home().resolve()):
        raise user_error("WORKSPACE_UNSAFE", f"{name} is too wide to be copied.")
    home = home.resolve()
    if real.is_relative_to(home) and len(real.relative_to(home).parts) <= ABOVE_WORKSPACES:
        raise user_error("WORKSPACE_UNSAFE", f"{name} holds the workspaces themselves.")
    _check_size(real, name, limit_bytes)


def _check_size(source: Path, name: str, limit_bytes: int) -> None:
    total = 0
    for entry in _walk(source):
        if entry.is_file(follow_symlinks=False):
            with suppress(FileNotFoundError):
                total += entry.stat(follow_symlinks=False).st_size
            if total > limit_bytes:
                limit = f"{limit_bytes / 1024**3:.1f} GiB"
                raise user_error("WORKSPACE_TOO_LARGE", f"{name} is larger than {limit}.")


def _walk(folder: Path) -> Iterator[os.DirEntry[str]]:
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    yield entry
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:  # a folder that vanished or may not be read counts as empty
            continue


def create(spec: WorkspaceSpec, target: Path, home: Path, stop: Callable[[], bool]) -> Workspace:
    """Make the workspace at `target`, anew if an earlier try was cut short; raises `UserError`.

    `home` is left out of copies; `stop` is asked between folders whether to give up, which raises
    InterruptedError.
    """
    if target.is_symlink():
        target.unlink()
    elif target.exists():
        shutil.rmtree(target)
    private_folder(target.parent)
    if spec.kind is WorkspaceKind.EMPTY or not spec.source:
        target.mkdir(mode=0o700)
        return Workspace(str(target), spec.kind)
    source = Path(spec.source).resolve()
    if not source.is_dir():
        raise user_error("SOURCE_NOT_FOUND")
    try:
        _copy(source, target, home.resolve(), stop)
    except OSError as error:
        if isinstance(error, InterruptedError):
            raise
        raise user_error("INPUT_INVALID", f"The source cannot be copied: {error}.") from error
    return Workspace(str(target), spec.kind, source=str(source))


def _copy(source: Path, target: Path, home: Path, stop: Callable[[], bool]) -> None:
    """Copy a folder: links as links, modes and times kept, devices and sockets left out."""

    def ignore(folder: str, names: list[str]) -> list[str]:
        if stop():
            raise InterruptedError
        return [name for name in names if _left_out(Path(folder) / name, home)]

    try:
        shutil.copytree(source, target, symlinks=True, ignore=ignore, copy_function=_copy_file)
    except shutil.Error as error:
        first = error.args[0][0]
        raise OSError(f"{printable_name(str(first[0]))}: {first[2]}") from error
    target.chmod(0o700)


def _left_out(path: Path, home: Path) -> bool:
    mode = path.lstat().st_mode
    plain = stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)
    return not plain or path == home


def _copy_file(source: str, target: str) -> str:
    return shutil.copy2(source, target, follow_symlinks=False)

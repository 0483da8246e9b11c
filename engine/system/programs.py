"""Programs of this machine: how they are found, and those to which the terminal is lent."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from engine.domain.errors import user_error
from engine.domain.text import printable_name
from engine.system.ending import end
from engine.system.environment import is_distrusted, trusted_path, workspace_environment
from engine.system.open_files import with_own_limit

_EDITORS = ("vi", "nano")
_SHELL = "/bin/sh"
TMUX_S = 2.0


def find(name: str, base: Mapping[str, str] | None = None) -> str | None:
    """Return the absolute path of a program; None where there is none.

    It is looked for on PATH, that of `base` or our own, never in the current folder, where a
    relative path would lead, nor in a folder that an agent can write. An absolute path is taken as
    it is.
    """
    import shutil  # late: it brings three compressors

    if os.sep in name:
        return shutil.which(name) if Path(name).is_absolute() else None
    return find_in(trusted_path(base), name)


def find_in(path: str, name: str) -> str | None:
    """Return the absolute path of a program in the folders of a trusted path; None if missing."""
    import shutil

    first = shutil.which(name, path=path)
    if first is None or not is_distrusted(first):
        return first
    found = (shutil.which(name, path=folder) for folder in path.split(os.pathsep))
    return next((one for one in found if one and not is_distrusted(one)), None)


def editor() -> list[str]:
    """Return the words that start the user's editor; raises `UserError` EDITOR_MISSING."""
    for name in ("VISUAL", "EDITOR"):
        said = os.environ.get(name, "").strip()
        if said:
            return _checked(name, said)
    for name in _EDITORS:
        if found := find(name):
            return [found]
    raise user_error("EDITOR_MISSING")


def _checked(name: str, said: str) -> list[str]:
    try:
        words = shlex.split(said)
    except ValueError as error:
        message = f"{name} cannot be understood: {printable_name(str(error))}."
        raise user_error("EDITOR_MISSING", message) from error
    found = find(os.path.expanduser(words[0])) if words else None  # noqa: PTH111  a name, too
    if found is None:
        message = f"{name} names {printable_name(said[:100])}, which was not found on PATH."
        raise user_error("EDITOR_MISSING", message)
    return [found, *words[1:]]


def shell() -> list[str]:
    """Return the words that start the user's shell."""
    return [find(os.environ.get("SHELL", "")) or _SHELL]


async def lend_terminal(
    words: Sequence[str],
    folder: Path,
    more: Mapping[str, str] | None = None,
    base: Mapping[str, str] | None = None,
) -> int:
    """Run a program on this terminal until it ends, in `folder`; return its exit code.

    It gets `more` beside the environment of programs that run in a workspace, which is made
    from `base`, that of a run, or from our own.

    No other code may read or write the terminal meanwhile. Raises `UserError` where it cannot
    start.
    """
    with _deaf_to_interrupts():
        try:
            process = await asyncio.create_subprocess_exec(
                *with_own_limit(words), cwd=folder, env=workspace_environment(more, base)
            )
        except OSError as error:
            name = printable_name(words[0][:100])
            raise user_error("INPUT_INVALID", f"{name} cannot be started: {error.strerror}.") from (
                error
            )
        return await process.wait()


async def edit(path: Path) -> None:
    """Open a file in the user's editor and wait; raises `UserError` where the editor fails."""
    code = await lend_terminal([*editor(), str(path.absolute())], path.absolute().parent)
    if code:
        raise user_error("INPUT_INVALID", f"The editor ended with exit code {code}.")


def _ignore(number: int, frame: FrameType | None) -> None:
    del number, frame


@contextmanager
def _deaf_to_interrupts() -> Generator[None]:
    """Leave Ctrl-C to the program that has the terminal: it reaches everybody on it."""
    # A handler, not SIG_IGN, which the program would inherit.
    before = signal.signal(signal.SIGINT, _ignore)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


async def copy_in_tmux(text: str) -> None:
    """Put a text into tmux's buffer, and so into the clipboard, if we are in tmux.

    As it comes, tmux does not hear programs that ask the terminal to copy (`set-clipboard`).
    """
    tmux = find("tmux") if os.environ.get("TMUX") else None
    if tmux is None:
        return
    try:
        process = await asyncio.create_subprocess_exec(
            tmux, "load-buffer", "-w", "-", stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL
        )
    except OSError:
        return
    try:
        await asyncio.wait_for(process.communicate(text.encode("utf-8", "replace")), TMUX_S)
    except TimeoutError:
        await end(process)

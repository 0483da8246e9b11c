"""The user's own programs: an editor and a shell, to which the terminal is lent, and tmux."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from engine.domain.errors import user_error
from engine.domain.text import printable_name
from engine.environment import workspace_environment
from engine.open_files import with_own_limit

_EDITORS = ("vi", "nano")
_SHELL = "/bin/sh"
TMUX_S = 2.0


def editor() -> list[str]:
    """Give the words that start the user's editor; raises `UserError` EDITOR_MISSING."""
    for name in ("VISUAL", "EDITOR"):
        said = os.environ.get(name, "").strip()
        if said:
            return _checked(name, said)
    for name in _EDITORS:
        if found := shutil.which(name):
            return [found]
    raise user_error("EDITOR_MISSING")


def _checked(name: str, said: str) -> list[str]:
    try:
        words = shlex.split(said)
    except ValueError as error:
        message = f"{name} cannot be understood: {printable_name(str(error))}."
        raise user_error("EDITOR_MISSING", message) from error
    if not words or shutil.which(words[0]) is None:
        message = f"{name} names {printable_name(said[:100])}, which was not found."
        raise user_error("EDITOR_MISSING", message)
    return words


def shell() -> list[str]:
    """Give the words that start the user's shell."""
    said = os.environ.get("SHELL", "")
    return [said if shutil.which(said) else _SHELL]


async def lend_terminal(words: Sequence[str], folder: Path) -> int:
    """Run a program on this terminal until it ends, in `folder`; gives its exit code.

    Nobody else may read or write the terminal meanwhile. Raises `UserError` where it cannot start.
    """
    with _deaf_to_interrupts():
        try:
            process = await asyncio.create_subprocess_exec(
                *with_own_limit(words), cwd=folder, env=workspace_environment()
            )
        except OSError as error:
            name = printable_name(words[0][:100])
            raise user_error("INPUT_INVALID", f"{name} cannot be started: {error.strerror}.") from (
                error
            )
        return await process.wait()


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
    if not os.environ.get("TMUX"):
        return
    try:
        process = await asyncio.create_subprocess_exec(
            "tmux", "load-buffer", "-w", "-", stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL
        )
    except OSError:
        return
    try:
        await asyncio.wait_for(process.communicate(text.encode("utf-8", "replace")), TMUX_S)
    except TimeoutError:
        with suppress(ProcessLookupError):  # it has ended in this moment
            process.kill()
        await process.wait()

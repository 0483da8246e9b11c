"""Keys of the terminal behind our output, read one by one."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import termios
from collections.abc import Generator
from contextlib import contextmanager, suppress

_SEQUENCES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.)")
"""First byte of keys that send several: cursor and function keys."""


def keyboard() -> int | None:
    """Open the terminal behind our output, if it is one and its keys are ours."""
    try:
        keys = os.open(os.ttyname(sys.stdout.fileno()), os.O_RDONLY | os.O_NOCTTY)
    except (OSError, ValueError):
        return None
    with suppress(OSError):
        if os.tcgetpgrp(keys) == os.getpgrp():
            return keys
    os.close(keys)
    return None


@contextmanager
def pressed(keys: int) -> Generator[asyncio.Queue[bytes]]:
    """Yield the keys that are pressed from now on, each at once and unseen; close `keys`."""
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            typed = os.read(keys, 64)
        except OSError:
            typed = b""
        if not typed:
            loop.remove_reader(keys)
        for code in _SEQUENCES.sub(b"", typed):
            queue.put_nowait(bytes((code,)))

    before = termios.tcgetattr(keys)
    quiet = termios.tcgetattr(keys)
    quiet[3] &= ~(termios.ICANON | termios.ECHO)  # Ctrl-C stays a signal
    termios.tcsetattr(keys, termios.TCSAFLUSH, quiet)
    loop.add_reader(keys, read)
    try:
        yield queue
    finally:
        loop.remove_reader(keys)
        with suppress(termios.error):
            termios.tcsetattr(keys, termios.TCSADRAIN, before)
        os.close(keys)

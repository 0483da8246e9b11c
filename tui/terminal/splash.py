"""A first sight of the dashboard, before anything that takes time is imported.

Only what Python has loaded anyway is used here: the frame is there as soon as the program is.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
_NAME = "\x1b[2J\x1b[1;2H\x1b[1mswarm\x1b[0m"
"""An empty screen but for the name, where the dashboard has it."""

_shown = False


def show(arguments: Sequence[str]) -> None:
    """Show the frame, if what was typed opens the dashboard on a terminal that can show it."""
    global _shown
    if arguments or not (_is_terminal(0) and _is_terminal(1)) or os.environ.get("TERM") == "dumb":
        return
    _see_to_an_early_end()
    _shown = True
    _write(ENTER + _NAME)


def is_shown() -> bool:
    """Return whether the frame is shown and the screen is not restored yet."""
    return _shown


def take() -> bool:
    """Take over the frame's screen, and return whether it was shown."""
    global _shown
    shown, _shown = _shown, False
    return shown


def leave() -> None:
    """Restore the screen where the dashboard has not taken it over: a message follows."""
    if take():
        _write(LEAVE)


def _see_to_an_early_end() -> None:
    """Restore the screen where a signal ends the program before it can handle signals."""
    import signal

    def end(number: int, _: object) -> None:
        leave()
        os._exit(128 + number)

    signal.signal(signal.SIGTERM, end)


def _is_terminal(number: int) -> bool:
    try:
        return os.isatty(number)
    except OSError:
        return False


def _write(text: str) -> None:
    try:
        os.write(1, text.encode())
    except OSError:
        return  # the terminal is gone: the next write reports it

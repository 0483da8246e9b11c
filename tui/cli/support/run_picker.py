"""A list on the terminal from which a run is chosen where a command got none."""

from __future__ import annotations

import os
import re
import shutil
import sys
import termios
import time
import tty
from collections.abc import Callable, Generator, Sequence
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import click

from engine.domain.errors import user_error
from tui.cli.support import output

if TYPE_CHECKING:
    from engine.domain.model import Run

SHOWN = 200
"""Newest fitting runs that are offered."""
MAX_DIGITS = 10
HINT = "↑↓ or a number, Enter to choose, Esc to leave"
_KEYS = re.compile(rb"\x1b(?:\[|O)([A-D])|\x1b\[[0-9;]*[~A-Za-z]|(\x1b)|(.)", re.DOTALL)
_UP, _DOWN, _ENTER, _LEAVE = (
    ("\x1bA", "k"),
    ("\x1bB", "j"),
    ("\r", "\n"),
    ("\x1b", "q", "\x03", "\x04"),
)
_ERASE = ("\x7f", "\x08")


class PickerState(NamedTuple):
    """The row that the cursor is at, and the text typed so far; `missing` names no row.

    While there is a `missing`, Enter chooses nothing: it is not the row that was meant.
    """

    place: int = 0
    typed: str = ""
    missing: str = ""


def may_pick(ctx: click.Context) -> bool:
    """Return whether the user can be asked: on a terminal, and not for JSON."""
    from tui.cli.support.options import GlobalOptions

    options = ctx.find_object(GlobalOptions)
    is_json = options is not None and options.json
    return not (ctx.resilient_parsing or is_json) and output.is_terminal(sys.stdin, sys.stdout)


def pick(ctx: click.Context, fits: Callable[[Run], bool]) -> str:
    """Return the id of the run that the user chooses; raises Abort if none is chosen."""
    from tui.cli.support import session

    runs = session.run(_fitting(fits))
    if not runs:
        raise user_error("RUN_NOT_FOUND", f"No run fits `{ctx.command_path}`.")
    return runs[_choose([_label(run) for run in runs])].id


async def _fitting(fits: Callable[[Run], bool]) -> list[Run]:
    from tui.cli.support import session
    from tui.cli.support.run_pages import all_runs

    async with session.open_engine(quiet=True) as engine:
        found: list[Run] = []
        async with aclosing(all_runs(engine)) as runs:
            async for run in runs:
                found += [run] if fits(run) else []
                if len(found) == SHOWN:
                    break
        return found


def _label(run: Run) -> str:
    """Return a run in one line."""
    from tui import formatting
    from tui.cli.support.summaries import full_title

    status = f"{formatting.glyph(run.status)} {formatting.word(run.status):<11}"
    age = formatting.age(time.time() - run.created_at)
    return f"{run.id}  {status}  {age:>4}  {full_title(run)}"


def _choose(labels: Sequence[str]) -> int:
    """Return the place of the line that the user chooses."""
    state, drawn = PickerState(), 0
    with _keys() as read:
        try:
            while True:
                drawn = _draw(labels, state, drawn)
                for key in read():
                    if key in _LEAVE:
                        raise click.Abort
                    if key in _ENTER and not state.missing:
                        return state.place
                    state = _after(key, state, len(labels))
        finally:
            _erase(drawn)


def _after(key: str, state: PickerState, count: int) -> PickerState:
    """Return the state after a key that neither chooses nor leaves."""
    if key in _ENTER:  # the next text is another one
        return state._replace(typed="")
    is_text = key.isprintable() and not key.isspace()
    step = (key in _DOWN) - (key in _UP)
    if step and not (is_text and state.typed):  # `k` in a name is a letter of it
        return PickerState((state.place + step) % count)
    if not (is_text or key in _ERASE):
        return state
    typed = state.typed + key if is_text else state.typed[:-1]
    row = int(typed) if len(typed) < MAX_DIGITS and typed.isascii() and typed.isdecimal() else 0
    if 0 < row <= count:
        return PickerState(row - 1, typed)
    return PickerState(state.place, typed, missing=typed)


def _draw(labels: Sequence[str], state: PickerState, drawn: int) -> int:
    """Draw the part of the list around a place over the last one; return how many lines it has."""
    from tui.terminal.cells import crop

    columns, rows = shutil.get_terminal_size()
    room = max(1, min(len(labels), rows - 3))
    first = min(max(0, state.place - room // 2), len(labels) - room)
    place = None if state.missing else state.place
    hint = f"There is no row {crop(state.missing, 12)}: {HINT}" if state.missing else HINT
    width = len(str(len(labels)))
    lines = [click.style(crop(hint, columns - 1), dim=True)]
    for at in range(first, first + room):
        text = crop(f"{'›' if at == place else ' '} {at + 1:>{width}}  {labels[at]}", columns - 1)
        lines.append(click.style(text, bold=True) if at == place else text)
    _erase(drawn)
    output.draw("\n".join(lines) + "\n")
    return len(lines)


def _erase(lines: int) -> None:
    if lines:
        output.draw(f"\x1b[{lines}A\r\x1b[J")


@contextmanager
def _keys() -> Generator[Callable[[], list[str]]]:
    """Return a function that waits for keys; an arrow is an Esc with A to D behind it."""
    keyboard = sys.stdin.fileno()

    def read() -> list[str]:
        typed = os.read(keyboard, 64)
        if not typed:
            raise click.Abort
        return [
            f"\x1b{arrow.decode()}" if arrow else (escape or char).decode("utf-8", "replace")
            for arrow, escape, char in _KEYS.findall(typed)
            if arrow or escape or char
        ]

    before = termios.tcgetattr(keyboard)
    tty.setcbreak(keyboard)
    modes = termios.tcgetattr(keyboard)
    # Ctrl+C is a key here: a signal in the midst of drawing would leave the list on the screen.
    modes[6][termios.VINTR] = bytes([os.fpathconf(keyboard, "PC_VDISABLE")])
    termios.tcsetattr(keyboard, termios.TCSADRAIN, modes)
    try:
        yield read
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)

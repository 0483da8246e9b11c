"""The one place where the command line writes: safe text, colours only where they belong."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from engine.domain.text import escaped, visible
from tui.cli.support.colours import BOLD

if TYPE_CHECKING:
    from rich.console import Console


PIECE_BYTES = 1024 * 1024


class PipeClosed(Exception):
    """The reader of our output has gone."""


class Unwritable(Exception):
    """Our output can no longer be written; the cause is the system's word for it."""


def say(text: str) -> None:
    """Write lines to stdout, with everything taken out that could act on a terminal."""
    _write(sys.stdout, visible(text) + "\n")


def say_aside(text: str) -> None:
    """Write lines that are not results to stderr; a closed stderr stops nothing."""
    with suppress(PipeClosed, Unwritable):
        _write(sys.stderr, visible(text) + "\n")


def say_styled(lines: Iterable[Iterable[tuple[str, str | None]]]) -> None:
    """Write lines made of pieces, each a text and its colour; plain outside a terminal."""
    painted = has_colours(sys.stdout)
    written = [
        "".join(
            _painted(visible(text), colour) if painted and colour else visible(text)
            for text, colour in line
        )
        for line in lines
    ]
    _write(sys.stdout, "".join(f"{line.rstrip()}\n" for line in written))


def draw(text: str) -> None:
    """Write what this program draws on a terminal; texts of others in it are harmless already."""
    _write(sys.stdout, text)


def draw_aside(text: str) -> None:
    """Write what this program draws on the terminal of stderr; a closed one stops nothing."""
    with suppress(PipeClosed, Unwritable):
        _write(sys.stderr, text)


def _painted(text: str, colour: str) -> str:
    import click  # late: the dashboard does without

    return click.style(text, bold=True) if colour == BOLD else click.style(text, fg=colour)


def say_json(*values: Any) -> None:  # noqa: ANN401  whatever JSON can hold
    """Write each value as one line of JSON, in ASCII: no terminal can be harmed by it."""
    import json

    _write(sys.stdout, "".join(json.dumps(value, separators=(",", ":")) + "\n" for value in values))


def say_content(data: bytes) -> None:
    """Write what an agent or a file holds: escaped on a terminal, byte for byte elsewhere."""
    if sys.stdout.isatty():
        shown = escaped(data.decode("utf-8", "surrogateescape").replace("\r\n", "\n"))
        _write(sys.stdout, shown if shown.endswith("\n") or not shown else f"{shown}\n")
    else:
        say_bytes(data)


def say_file(file: BinaryIO) -> None:
    """Write what an open file holds, as `say_content` does, without taking it into memory."""
    while piece := b"".join(file.readlines(PIECE_BYTES)):
        say_content(piece)


def say_bytes(data: bytes) -> None:
    """Write bytes as they are; only for what is not a terminal."""
    with _writing(sys.stdout):
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def is_terminal(*streams: IO[str]) -> bool:
    """Return whether all of these are terminals on which a cursor can be moved."""
    return os.environ.get("TERM") != "dumb" and all(stream.isatty() for stream in streams)


def has_colours(stream: IO[str]) -> bool:
    """Return whether colours are wanted there."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def counted(files: int) -> str:
    """Write a number of files as `1 file`, `3 files`."""
    return f"{files} file{'' if files == 1 else 's'}"


def console(stream: IO[str]) -> Console:
    """Make a Rich console that interprets no markup and guesses nothing."""
    from rich.console import Console  # only where a terminal is drawn: it takes 40 ms

    return Console(
        file=stream,
        markup=False,
        emoji=False,
        highlight=False,
        no_color=not has_colours(stream),
        force_terminal=is_terminal(stream),
    )


def prepare() -> None:
    """Make the standard streams take any text at all, whatever their encoding, and closed ones.

    Where one is closed, a file opened later would get its number, and what is printed.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  open until exit
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def forget(stream: IO[str]) -> None:
    """Send the rest nowhere: Python would complain at its end that it cannot be written."""
    with suppress(OSError, ValueError):  # a stream without a file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


@contextmanager
def _writing(stream: IO[str]) -> Generator[None]:
    try:
        yield
    except BrokenPipeError:
        forget(stream)
        raise PipeClosed from None
    except OSError as error:
        forget(stream)
        raise Unwritable from error


def _write(stream: IO[str], text: str) -> None:
    with _writing(stream):
        stream.write(text)
        stream.flush()

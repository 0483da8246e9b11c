"""Changed files in a log: on one line, and one a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.domain.events import FileChange
from tui.formatting.symbols import sign
from tui.terminal.cells import cells, clean, crop

MAX_NAMED = 6
"""Changed files that one line names; of more it has the number."""

_LETTERS = {"added": "A", "modified": "M", "deleted": "D", "renamed": "R"}
_TONES = {"added": "good", "modified": "warn", "deleted": "bad", "renamed": "live"}


def change_letter(change: str) -> str:
    """Return the letter of a change, as git writes it: A, M, D or R."""
    return _LETTERS.get(change, "M")


def path_tail(path: str, width: int) -> str:
    """Cut a path to `width` cells at its beginning, which matters least."""
    if cells(path) <= width:
        return path
    while "/" in path and cells(path) + 2 > width:
        path = path.partition("/")[2]
    return crop(f"{sign('…', '~')}/{path}", width)


def change_sign(change: str) -> str:
    """Return the sign of a change, which stands in front of the file."""
    match change:
        case "added":
            return "+"
        case "deleted":
            return sign("−", "-")
        case "renamed":
            return sign("→", ">")
        case _:
            return "~"


def change_tone(change: str) -> str:
    """Return the tone of a change, a key of `TONES`."""
    return _TONES.get(change, "warn")


def folded_files(changes: Sequence[FileChange]) -> str:
    """Return changed files on one line: `A new.py, M old.py`, or `120 files`."""
    if len(changes) > MAX_NAMED:
        return f"{len(changes):,} files"
    return ", ".join(file_lines(changes, len(changes), 200))


def file_lines(changes: Iterable[FileChange], limit: int, characters: int = 500) -> tuple[str, ...]:
    """Return a line for each of the first `limit` changed files."""
    shown = [one for one, _ in zip(changes, range(limit), strict=False)]
    return tuple(f"{change_letter(one.change)} {clean(one.path, characters)}" for one in shown)

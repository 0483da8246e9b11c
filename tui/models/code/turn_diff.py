"""The diff of all patches of a turn, as one document: each hunk names its file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from engine.domain.text import printable_name
from tui.models.code.document import CodeDocument, read_diff

_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@", re.ASCII)
_NONE = "/dev/null"


@dataclass(frozen=True, slots=True)
class TurnPatches:
    """The patches of a turn: what they change, and how much."""

    document: CodeDocument
    files: int
    insertions: int
    deletions: int


def read_turn(diff: str) -> TurnPatches:
    """Read the diff of a turn; lines in no known form are left out."""
    paths: set[str] = set()
    document = read_diff("\n".join(_named(diff, paths)).encode("utf-8", "replace"))
    signs = [line.sign for line in document.lines]
    return TurnPatches(document, len(paths), signs.count("+"), signs.count("-"))


def _named(diff: str, paths: set[str]) -> Iterator[str]:
    """Yield the hunks, their headings with the path of the file, which is added to `paths`."""
    path, old, new = "", 0, 0
    for line in diff.split("\n"):
        if old > 0 or new > 0:  # within a hunk a line may look like a heading
            old -= line[:1] not in ("+", "\\")
            new -= line[:1] not in ("-", "\\")
            yield line
        elif line.startswith(("--- ", "+++ ")):
            path = _path(line[4:]) or path
        elif found := _HUNK.match(line):
            paths.add(path)
            old, new = int(found[1] or 1), int(found[2] or 1)
            yield f"{found[0]} {printable_name(path)}"
        elif line.startswith("\\"):
            yield line


def _path(named: str) -> str:
    """Return the path of a file without git's prefix; empty for none."""
    name = named.split("\t", 1)[0]
    return "" if name == _NONE else name[2:] if name[:2] in ("a/", "b/") else name

"""One line of the workspace tree: name, size and what changed, in columns."""

from __future__ import annotations

from rich.segment import Segment

from tui import show
from tui.cells import cells, clean, crop, fit
from tui.widgets.folder_tree import Entry, FolderTree, Line
from tui.widgets.line_view import LineView

WITH_SIZE = 30
"""From this width on a line has room for the size."""

INDENT = 2


def segments(
    view: LineView, tree: FolderTree, line: Line, width: int, *, cursor: bool
) -> list[Segment]:
    """Draw one line."""
    mark = show.sign("…", "~")
    gutter = Segment(show.sign("▌", "|") if cursor else " ", view.look("live"))
    indent = Segment(" " * min(INDENT * line.depth, width // 2))
    room = width - 1 - cells(indent.text)
    if line.entry is None:
        return [gutter, indent, Segment(crop(f"  {line.text}", room, mark), view.look("dim"))]
    letter, tone = _change(tree, line.entry)
    name_tone = "plain" if line.entry.is_folder else tone
    size = f"{_size(line.entry, letter):>11}" if width >= WITH_SIZE else ""
    room -= len(size) + 3
    return [
        gutter,
        indent,
        Segment(_sign(tree, line.entry), view.look("dim")),
        Segment(fit(_name(line.entry), room - 2, mark=mark), view.look(name_tone)),
        Segment(size, view.look("faint")),
        Segment(f" {letter or ' '} ", view.look(tone)),
    ]


def is_on_arrow(line: Line, x: int) -> bool:
    """Whether the cell `x` of the line is a folder's arrow."""
    is_folder = line.entry is not None and line.entry.is_folder
    return is_folder and 0 <= x - 1 - INDENT * line.depth < 2


def _name(entry: Entry) -> str:
    name = clean(entry.name)
    return f"{name}{show.sign(' ⇢ link', ' -> link')}" if entry.is_link else name


def _size(entry: Entry, letter: str) -> str:
    if entry.is_folder or entry.is_link or letter == "D":
        return ""
    return show.size(entry.size_bytes)


def _sign(tree: FolderTree, entry: Entry) -> str:
    if not entry.is_folder:
        return "  "
    return show.sign("▾ ", "v ") if tree.is_open(entry.path) else show.sign("▸ ", "> ")


def _change(tree: FolderTree, entry: Entry) -> tuple[str, str]:
    change = tree.changes.get(entry.path)
    if change and not entry.is_folder:
        return show.change_letter(change), show.change_tone(change)
    if entry.is_folder and tree.changed_below[entry.path]:
        return show.sign("•", "*"), "warn"
    return "", "dim" if entry.is_link else "plain"

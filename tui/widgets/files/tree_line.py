"""One line of the workspace tree: name, lines that came and went, size and mark, in columns."""

from __future__ import annotations

from rich.segment import Segment

from engine.domain.model import ChangeCount
from tui import formatting
from tui.terminal.cells import cells, clean, crop, fit
from tui.widgets.base.line_view import LineView
from tui.widgets.files.folder_tree import FolderEntry, FolderTree, TreeLine
from tui.widgets.files.tree_marks import BELOW, DELETED, ChangeMark

WITH_FIGURE = 24
"""Width from which on a line has room for one figure: what changed, else the size."""

WITH_BOTH = 44

INDENT = 2


def segments(
    view: LineView, tree: FolderTree, line: TreeLine, width: int, *, cursor: bool, is_open: bool
) -> list[Segment]:
    """Draw one line."""
    gap = formatting.sign("…", "~")
    gutter = Segment(formatting.sign("▌", "|") if cursor else " ", view.paint.tone("live"))
    indent = Segment(" " * min(INDENT * line.depth, width // 2))
    room = width - 1 - cells(indent.text)
    if line.entry is None:
        return [gutter, indent, Segment(crop(f"  {line.text}", room, gap), view.paint.tone("dim"))]
    entry, mark = line.entry, tree.mark(line.entry)
    tone = _tone(entry, mark)
    name_tone = "plain" if entry.is_folder else tone
    sign = _sign(entry, mark, is_open=is_open)
    changed, size = _figures(tree, entry, mark, width)
    room -= len(changed) + len(size) + 3
    return [
        gutter,
        indent,
        Segment(sign, view.paint.tone("dim" if entry.is_folder else tone)),
        Segment(fit(_name(entry), room - 2, mark=gap), view.paint.tone(name_tone)),
        Segment(changed, view.paint.tone("dim")),
        Segment(size, view.paint.tone("faint")),
        Segment(f" {_letter(mark)} ", view.paint.tone(tone)),
    ]


def is_on_arrow(line: TreeLine, x: int) -> bool:
    """Return whether the cell `x` of the line is a folder's arrow."""
    is_folder = line.entry is not None and line.entry.is_folder
    return is_folder and 0 <= x - 1 - INDENT * line.depth < 2


def has_size(entry: FolderEntry, mark: ChangeMark | None) -> bool:
    """Return whether an entry has a size."""
    return not (entry.is_folder or entry.is_link or (mark and mark.kind == DELETED))


def _name(entry: FolderEntry) -> str:
    name = clean(entry.name)
    return f"{name}{formatting.sign(' ⇢ link', ' -> link')}" if entry.is_link else name


def _figures(
    tree: FolderTree, entry: FolderEntry, mark: ChangeMark | None, width: int
) -> tuple[str, str]:
    """Return the texts of the columns of changes and of sizes."""
    if width < WITH_FIGURE:
        return "", ""
    count = ChangeCount(0, mark.insertions, mark.deletions) if mark else ChangeCount()
    changed = formatting.changes(count)
    size_bytes = entry.size_bytes if entry.size_bytes is not None else tree.sizes.get(entry.path)
    size = ""
    if has_size(entry, mark) and size_bytes is not None:
        size = formatting.size(size_bytes)
    if width >= WITH_BOTH:
        return f" {changed}", f"{size:>11}"
    return (f" {changed}", "") if changed else ("", f" {size}" if size else "")


def _sign(entry: FolderEntry, mark: ChangeMark | None, *, is_open: bool) -> str:
    if entry.is_folder:
        return formatting.sign("▾ ", "v ") if is_open else formatting.sign("▸ ", "> ")
    return f"{formatting.change_sign(mark.kind)} " if mark else "  "


def _letter(mark: ChangeMark | None) -> str:
    if mark is None:
        return " "
    return formatting.sign("•", "*") if mark.kind == BELOW else formatting.change_letter(mark.kind)


def _tone(entry: FolderEntry, mark: ChangeMark | None) -> str:
    if mark:
        return "warn" if mark.kind == BELOW else formatting.change_tone(mark.kind)
    return "dim" if entry.is_link else "plain"

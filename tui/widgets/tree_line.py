"""One line of the workspace tree: name, lines that came and went, size and mark, in columns."""

from __future__ import annotations

from rich.segment import Segment

from engine.domain.model import ChangeCount
from tui import show
from tui.cells import cells, clean, crop, fit
from tui.widgets.folder_tree import Entry, FolderTree, Line
from tui.widgets.line_view import LineView
from tui.widgets.tree_marks import BELOW, DELETED, Mark

WITH_FIGURE = 24
"""From this width on a line has room for one figure: what changed, else the size."""

WITH_BOTH = 44

INDENT = 2


def segments(
    view: LineView, tree: FolderTree, line: Line, width: int, *, cursor: bool, is_open: bool
) -> list[Segment]:
    """Draw one line."""
    gap = show.sign("…", "~")
    gutter = Segment(show.sign("▌", "|") if cursor else " ", view.look("live"))
    indent = Segment(" " * min(INDENT * line.depth, width // 2))
    room = width - 1 - cells(indent.text)
    if line.entry is None:
        return [gutter, indent, Segment(crop(f"  {line.text}", room, gap), view.look("dim"))]
    entry, mark = line.entry, tree.mark(line.entry)
    tone = _tone(entry, mark)
    name_tone = "plain" if entry.is_folder else tone
    sign = _sign(entry, mark, is_open=is_open)
    changed, size = _figures(tree, entry, mark, width)
    room -= len(changed) + len(size) + 3
    return [
        gutter,
        indent,
        Segment(sign, view.look("dim" if entry.is_folder else tone)),
        Segment(fit(_name(entry), room - 2, mark=gap), view.look(name_tone)),
        Segment(changed, view.look("dim")),
        Segment(size, view.look("faint")),
        Segment(f" {_letter(mark)} ", view.look(tone)),
    ]


def is_on_arrow(line: Line, x: int) -> bool:
    """Whether the cell `x` of the line is a folder's arrow."""
    is_folder = line.entry is not None and line.entry.is_folder
    return is_folder and 0 <= x - 1 - INDENT * line.depth < 2


def has_size(entry: Entry, mark: Mark | None) -> bool:
    """Whether an entry has a size to speak of."""
    return not (entry.is_folder or entry.is_link or (mark and mark.kind == DELETED))


def _name(entry: Entry) -> str:
    name = clean(entry.name)
    return f"{name}{show.sign(' ⇢ link', ' -> link')}" if entry.is_link else name


def _figures(tree: FolderTree, entry: Entry, mark: Mark | None, width: int) -> tuple[str, str]:
    """Give what stands in the columns of changes and of sizes."""
    if width < WITH_FIGURE:
        return "", ""
    count = ChangeCount(0, mark.insertions, mark.deletions) if mark else ChangeCount()
    changed = show.changes(count)
    size_bytes = entry.size_bytes if entry.size_bytes is not None else tree.sizes.get(entry.path)
    size = ""
    if has_size(entry, mark) and size_bytes is not None:
        size = show.size(size_bytes)
    if width >= WITH_BOTH:
        return f" {changed}", f"{size:>11}"
    return (f" {changed}", "") if changed else ("", f" {size}" if size else "")


def _sign(entry: Entry, mark: Mark | None, *, is_open: bool) -> str:
    if entry.is_folder:
        return show.sign("▾ ", "v ") if is_open else show.sign("▸ ", "> ")
    return f"{show.change_sign(mark.kind)} " if mark else "  "


def _letter(mark: Mark | None) -> str:
    if mark is None:
        return " "
    return show.sign("•", "*") if mark.kind == BELOW else show.change_letter(mark.kind)


def _tone(entry: Entry, mark: Mark | None) -> str:
    if mark:
        return "warn" if mark.kind == BELOW else show.change_tone(mark.kind)
    return "dim" if entry.is_link else "plain"

"""The files a run changed: what happened to each, and how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from rich.segment import Segment
from textual.events import Click
from textual.message import Message
from textual.strip import Strip

from engine.domain.text import printable_name
from engine.engine import FileDelta
from tui import formatting
from tui.formatting.file_changes import path_tail
from tui.models.changed_tree import ChangedLine, flat_lines, tree_lines
from tui.models.commented_files import CommentCount
from tui.terminal.cells import cells, clean, fit
from tui.widgets.base.line_view import LineView

NOTHING = "Nothing changed."


class ChangedFiles(LineView):
    """A tree of changed files, or a flat list; the file that the cursor was on last is shown."""

    @dataclass
    class FileSelected(Message):
        """The cursor is on another file."""

        file: FileDelta

    class Entered(Message):
        """A file was clicked twice: the user wants to read it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, empty_text=NOTHING)
        self._files: Sequence[FileDelta] = ()
        self._lines: list[ChangedLine] = []
        self._shown: FileDelta | None = None
        self._folded: set[str] = set()
        self._is_flat = False
        self._comments: Mapping[str, CommentCount] = {}
        self._reviewed: Set[str] = frozenset()

    @property
    def files(self) -> Sequence[FileDelta]:
        """All files, by path."""
        return self._files

    @property
    def file(self) -> FileDelta | None:
        """The file under the cursor; on a folder, the one that is shown."""
        return self._shown

    @property
    def below(self) -> Sequence[FileDelta]:
        """The file under the cursor, or all below the folder there."""
        return self._lines[self.cursor_line].below if self._lines else ()

    def show(self, files: Sequence[FileDelta], path: str | None = None) -> None:
        """Show these, the cursor on `path` if it is one of them."""
        self._files = files
        self._arrange(next((one for one in files if path in (one.path, one.old_path)), None))

    def _arrange(self, file: FileDelta | None) -> None:
        """Find the lines again, the cursor on a file; None: on the first."""
        if file:
            self._folded -= {one for one in self._folded if file.path.startswith(one)}
        flat = flat_lines(self._files)
        self._lines = flat if self._is_flat else tree_lines(self._files, self._folded)
        if file is None:  # also where all folders are folded
            self._folded.clear()
            self._lines = flat if self._is_flat else tree_lines(self._files, self._folded)
        found = (n for n, line in enumerate(self._lines) if line.file and file in (None, line.file))
        place = next(found, 0)
        self._shown = self._lines[place].file if self._lines else None
        self._set(place)

    def _set(self, cursor: int) -> None:
        self.paint.forget_strips()
        self.set_lines(len(self._lines), cursor=cursor, top=self.scroll_offset.y)
        self.show_line(self.cursor_line)

    def toggle_flat(self) -> None:
        """Show a flat list, or a tree again."""
        self._is_flat = not self._is_flat
        self._arrange(self._shown)

    def fold(self) -> bool:
        """Fold or unfold the folder under the cursor; return whether there is one."""
        line = self._lines[self.cursor_line] if self._lines else None
        if line is None or line.file:
            return False
        self._folded ^= {line.path}
        self._lines = tree_lines(self._files, self._folded)
        self._set(self.cursor_line)
        return True

    def show_comments(self, counts: Mapping[str, CommentCount]) -> None:
        """Show the number of comments on each file, by its path."""
        if counts != self._comments:
            self._comments = counts
            self.paint.forget_strips()
            self.refresh(self.size.region)

    def show_reviewed(self, paths: Set[str]) -> None:
        """Show which files are reviewed."""
        if paths != self._reviewed:
            self._reviewed = paths
            self.paint.forget_strips()
            self.refresh(self.size.region)

    def step(self, by: int) -> bool:
        """Go to the next file (1) or the one before (-1); return whether there is one."""
        files = list(self._files)
        at = files.index(self._shown) + by if self._shown in files else 0
        if not 0 <= at < len(files):
            return False
        self.go_to(files[at])
        return True

    def go_to(self, file: FileDelta) -> None:
        """Put the cursor on a file, and show it."""
        self._arrange(file)
        self.cursor_moved()

    def cursor_moved(self) -> None:
        """Notify the screen of the file under the cursor; a folder leaves the file as it is."""
        line = self._lines[self.cursor_line]
        if line.file:
            self._shown = line.file
            self.post_message(self.FileSelected(line.file))

    def on_click(self, event: Click) -> None:
        """Choose the line that is clicked; a double click goes to the diff, or folds."""
        line = self.line_at(event)
        if line is not None:
            self.move_cursor(line)
            if event.chain == 2 and not self.fold():
                self.post_message(self.Entered())

    def draw(self, line: int, width: int) -> Strip:
        """Draw the line of a file or a folder."""
        shown, cursor = self._lines[line], line == self.cursor_line
        key = (line, width, cursor)
        return self.paint.kept(key) or self.paint.keep(key, self._draw(shown, width, cursor=cursor))

    def _draw(self, line: ChangedLine, width: int, *, cursor: bool) -> Strip:
        gutter = Segment(formatting.sign("▌", "|") if cursor else " ", self.paint.tone("live"))
        is_reviewed = all(one.path in self._reviewed for one in line.below)
        head, tone, figures = self._folder(line) if line.file is None else self._file(line.file)
        parts = [Segment(text, self.paint.tone(tone)) for text, tone in figures]
        parts.append(
            Segment(formatting.sign(" ✓", " *") if is_reviewed else "", self.paint.tone("good"))
        )
        indent = " " * min(2 * line.depth, width // 3)
        room = max(0, width - 4 - len(indent) - sum(cells(part.text) for part in parts))
        text = path_tail(clean(printable_name(line.name)), room)
        name = Segment(fit(text, room), self.paint.tone("dim" if is_reviewed else "plain"))
        sign = Segment(f"{head} ", self.paint.tone(tone))
        segments = [gutter, Segment(indent), sign, name, Segment(" "), *parts]
        return self.paint.strip(segments, width, cursor=cursor)

    def _folder(self, line: ChangedLine) -> tuple[str, str, list[tuple[str, str]]]:
        is_folded = line.path in self._folded
        arrow = formatting.sign("▸", ">") if is_folded else formatting.sign("▾", "v")
        return arrow, "dim", [(str(len(line.below)), "faint")]

    def _file(self, file: FileDelta) -> tuple[str, str, list[tuple[str, str]]]:
        counted = _comment_figure(self._comments.get(file.path, CommentCount()))
        tone = formatting.change_tone(file.kind)
        return formatting.change_letter(file.kind), tone, [*counted, *_figures(file)]


def _comment_figure(count: CommentCount) -> list[tuple[str, str]]:
    """Return the number of open comments; faint, that of the sent ones where none is open."""
    sign = formatting.sign("✎", "#")
    if count.waiting:
        return [(f"{sign}{count.waiting} ", "warn")]
    return [(f"{sign}{count.sent} ", "faint")] if count.sent else []


def _figures(file: FileDelta) -> list[tuple[str, str]]:
    if file.binary:
        return [("binary", "dim")]
    if file.is_link:
        return [("link", "dim")]
    if file.is_submodule:
        return [("submodule", "dim")]
    if not (file.insertions or file.deletions):
        return [("mode" if file.kind == "mode" else "", "dim")]
    gone = f" {formatting.sign('−', '-')}{file.deletions}"
    return [(f"+{file.insertions}", "good"), (gone, "bad")]


def in_words(file: FileDelta) -> str:
    """Return the changes that no line of a diff shows: name, mode, link, binary."""
    told = [
        f"was {clean(printable_name(file.old_path))}" if file.old_path else "",
        "a link" if file.is_link else "",
        "a submodule or nested repository" if file.is_submodule else "",
        "binary" if file.binary else "",
        _mode(file),
    ]
    return " · ".join(filter(None, told))


def _mode(file: FileDelta) -> str:
    if not (file.old_mode and file.mode) or file.old_mode == file.mode:
        return "executable" if file.mode == 0o100755 and not file.old_mode else ""
    kinds = {0o120000: "a link", 0o160000: "a repository", 0o100755: "executable"}
    old, new = (kinds.get(mode, "a plain file") for mode in (file.old_mode, file.mode))
    return f"{old} {formatting.sign('→', '->')} {new}"

"""The files a run changed: what happened to each, and how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.segment import Segment
from textual.events import Click
from textual.message import Message
from textual.strip import Strip

from engine.domain.text import printable_name
from engine.engine import FileDelta
from tui import formatting
from tui.terminal.cells import cells, clean, crop, fit
from tui.widgets.base.line_view import LineView

NOTHING = "Nothing changed."


class ChangedFiles(LineView):
    """One line a file, the whole width; the file under the cursor is the one that is shown."""

    @dataclass
    class FileSelected(Message):
        """The cursor is on another file."""

        file: FileDelta

    class Entered(Message):
        """A file was clicked twice: the user wants to read it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, empty_text=NOTHING)
        self._files: Sequence[FileDelta] = ()

    @property
    def files(self) -> Sequence[FileDelta]:
        """All files, by path."""
        return self._files

    @property
    def file(self) -> FileDelta | None:
        """The file under the cursor."""
        return self._files[self.cursor_line] if self._files else None

    def show(self, files: Sequence[FileDelta], path: str | None = None) -> None:
        """Show these, the cursor on `path` if it is one of them."""
        place = next((n for n, file in enumerate(files) if path in (file.path, file.old_path)), 0)
        self._files = files
        self.paint.forget_strips()
        self.set_lines(len(files), cursor=place, top=self.scroll_offset.y)
        self.show_line(self.cursor_line)

    def step(self, by: int) -> bool:
        """Go to the next file (1) or the one before (-1); return whether there is one."""
        line = self.cursor_line + by
        if not 0 <= line < len(self._files):
            return False
        self.move_cursor(line)
        return True

    def cursor_moved(self) -> None:
        """Notify the screen of the file under the cursor."""
        if self.file:
            self.post_message(self.FileSelected(self.file))

    def on_click(self, event: Click) -> None:
        """Choose the file that is clicked; a double click goes to its diff."""
        line = self.line_at(event)
        if line is not None:
            self.move_cursor(line)
            if event.chain == 2:
                self.post_message(self.Entered())

    def draw(self, line: int, width: int) -> Strip:
        """Draw a file's line."""
        file, cursor = self._files[line], line == self.cursor_line
        key = (line, width, cursor)
        return self.paint.kept(key) or self.paint.keep(key, self._draw(file, width, cursor=cursor))

    def _draw(self, file: FileDelta, width: int, *, cursor: bool) -> Strip:
        gutter = Segment(formatting.sign("▌", "|") if cursor else " ", self.paint.tone("live"))
        tone = formatting.change_tone(file.kind)
        letter = Segment(f"{formatting.change_letter(file.kind)} ", self.paint.tone(tone))
        figures = [Segment(text, self.paint.tone(tone)) for text, tone in _figures(file)]
        room = width - 4 - sum(cells(part.text) for part in figures)
        name = Segment(
            fit(_tail(clean(printable_name(file.path)), room), room), self.paint.tone("plain")
        )
        return self.paint.strip(
            [gutter, letter, name, Segment(" "), *figures], width, cursor=cursor
        )


def _tail(path: str, width: int) -> str:
    """Cut a path to `width` cells at its beginning, which matters least."""
    if cells(path) <= width:
        return path
    while "/" in path and cells(path) + 2 > width:
        path = path.partition("/")[2]
    return crop(f"{formatting.sign('…', '~')}/{path}", width)


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

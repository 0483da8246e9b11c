"""The files of a run's workspace: a tree listed folder by folder, changed files marked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.strip import Strip

from engine.domain.events import FileChange
from tui import commands, formatting
from tui.widgets.base.line_view import MOVES, LineView
from tui.widgets.files.folder_tree import FolderEntry, TreeLine, find, find_near
from tui.widgets.files.narrowed_tree import TreeFilter
from tui.widgets.files.tree_feed import TreeFeed, TreeSource
from tui.widgets.files.tree_line import has_size, is_on_arrow, segments
from tui.widgets.files.tree_loader import TreeLoader
from tui.widgets.files.tree_marks import ChangeMark, parent_of


class WorkspaceTree(LineView):
    """A run's files; folders are listed when they are opened, links are never followed."""

    BINDINGS: ClassVar[list[BindingType]] = [*MOVES, *commands.bindings("files")]

    @dataclass
    class FileOpened(Message):
        """The user wants to see a file; `path` is relative to the workspace."""

        tree: WorkspaceTree
        path: str
        change: str | None = None
        """The kind of its change; None without one."""

    class FilterAsked(Message):
        """The user wants to filter the files by words."""

    def __init__(
        self,
        *,
        title: str = "Files",
        empty_text: str = "No files.",
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(title=title, empty_text=empty_text, name=name, id=id, classes=classes)
        self._title, self._no_files = title, empty_text
        self._loader: TreeLoader | None = None
        self._narrowing = TreeFilter()
        self._lines: list[TreeLine] = []
        self._note = ""

    # The workspace shown

    @property
    def run_id(self) -> str | None:
        """The id of the run whose files are shown."""
        return self._loader.feed.run if self._loader else None

    @property
    def cursor_path(self) -> str | None:
        """The path under the cursor."""
        line = self._line
        return line.path if line and line.entry else None

    @property
    def cursor_mark(self) -> ChangeMark | None:
        """The change of the file under the cursor, or below the folder; None without a change."""
        line, loader = self._line, self._loader
        return loader.feed.tree.mark(line.entry) if loader and line and line.entry else None

    @property
    def narrowing(self) -> TreeFilter:
        """The filter of the tree."""
        return self._narrowing

    @property
    def _line(self) -> TreeLine | None:
        return self._lines[self.cursor_line] if self._lines else None

    async def open(self, run_id: str, source: TreeSource) -> None:
        """Show a run's workspace from the top."""
        self.close()
        feed = TreeFeed(run_id, source)
        loader = self._loader = TreeLoader(
            self, feed, arrange=self._rearrange, redraw=self._redraw, show_files=self._show_files
        )
        if await loader.fill(lambda: feed.list_folder("")):
            loader.measuring.ask()
            if self._narrowing.wants_files:
                loader.searching.ask()

    def close(self) -> None:
        """Show nothing."""
        if self._loader:
            self._loader.stop()
        self._loader, self._lines = None, []
        self._narrowing = TreeFilter(self._narrowing.text, self._narrowing.changed_only)
        self.paint.forget_strips()
        self.set_lines(0, cursor=0, top=0)

    def files_changed(self, changes: Iterable[FileChange]) -> None:
        """Mark changed files; soon list their folders again, and measure the changes."""
        if self._loader is None:
            return
        feed = self._loader.feed
        feed.stale |= feed.tree.change(changes)
        if self._narrowing:
            self._loader.relisting.ask()
        self._redraw()
        self.ask_again()

    def ask_again(self) -> None:
        """Check soon whether anything changed."""
        if self._loader:
            self._loader.refresh(has_files=self._narrowing.files is not None)

    def _redraw(self) -> None:
        self.paint.forget_strips()
        self.refresh(self.stretch(0, self.size.height))

    def _show_files(self, files: Sequence[FolderEntry] | None) -> None:
        self._narrowing.files = files
        self._rearrange()

    def _rearrange(self, *, other: bool = False) -> None:
        """Show the tree as it is now; the cursor stays on its path, where it was on screen.

        Where `other` files are shown than before, it goes to the folder that its path is in.
        """
        if self._loader is None:
            return
        line, path, top = self.cursor_line, self.cursor_path, self.scroll_offset.y
        tree = self._loader.feed.tree
        # A copy: the tree changes its own lines while drawn ones are still visible.
        self._lines = self._narrowing.lines(tree) if self._narrowing else list(tree.lines)
        self.paint.forget_strips()
        new = find_near(self._lines, path, line, has_folder=other)
        if top and new != line:
            top = max(0, top + new - line)
        self._describe()
        self.set_lines(len(self._lines), cursor=new, top=top)

    def show_note(self, text: str) -> None:
        """Show in the title what is special about the files; list them again after a change."""
        if text != self._note:
            self._note = text
            self._describe()
            if self._loader:
                self._loader.feed.stale.add("")
                self.ask_again()

    def _describe(self) -> None:
        narrowing, dot = self._narrowing, formatting.sign(" · ", " - ")
        notes = [self._note] if self._note else []
        self.set_title(dot.join([self._title, *notes, *narrowing.summary]))
        self.empty_text = "No file matches: esc shows all." if narrowing else self._no_files

    # Actions

    def narrow(self, text: str | None = None, *, changed_only: bool | None = None) -> None:
        """Show only files whose path has the words in `text`, only changed ones, or all."""
        old = self._narrowing
        text = old.text if text is None else text
        changed_only = old.changed_only if changed_only is None else changed_only
        self._narrowing = TreeFilter(text, changed_only, old.closed, old.files)
        if not self._narrowing:
            self._narrowing.closed, self._narrowing.files = set(), None
        elif self._loader and self._narrowing.wants_files and old.files is None:
            self._loader.searching.ask()
        self._rearrange(other=True)

    def action_filter(self) -> None:
        """Ask the user for words to filter by."""
        self.post_message(self.FilterAsked())

    def action_changed_only(self) -> None:
        """Show only changed files, or all."""
        self.narrow(changed_only=not self._narrowing.changed_only)

    def action_open(self) -> None:
        """Open the folder under the cursor or close it, or ask for the file to be shown."""
        line = self._line
        if line is None or line.entry is None:
            return
        mark = self.cursor_mark
        if line.entry.is_folder:
            self._toggle(line.path)
        else:
            self.post_message(self.FileOpened(self, line.path, mark.kind if mark else None))

    def action_expand(self) -> None:
        """Open the folder under the cursor, or go to its first entry."""
        line = self._line
        if line is None or line.entry is None or not line.entry.is_folder:
            return
        if self._is_open(line.path):
            self.action_cursor_down()
        else:
            self._toggle(line.path)

    def action_collapse(self) -> None:
        """Close the folder under the cursor, or go to the folder it is in."""
        line = self._line
        if line is None:
            return
        if line.entry and line.entry.is_folder and self._is_open(line.path):
            self._toggle(line.path)
        else:
            above = find(self._lines, parent_of(line.path) if line.entry else line.path)
            if above is not None:
                self.move_cursor(above)

    def _is_open(self, path: str) -> bool:
        return bool(self._loader) and self._narrowing.is_open(self._loader.feed.tree, path)

    def _toggle(self, path: str) -> None:
        loader = self._loader
        if loader is None:
            return
        feed = loader.feed
        if self._narrowing.toggle(feed.tree, path):
            listing = loader.fill(lambda: feed.list_folder(path))
            self.run_worker(listing, group="workspace-tree")
        self._rearrange()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the click is; a folder's arrow or a double click opens."""
        number, offset = self.line_at(event), event.get_content_offset(self)
        if number is None or offset is None:
            return
        self.move_cursor(number)
        if event.chain == 2 or is_on_arrow(self._lines[number], offset.x):
            self.action_open()

    # Drawing

    def draw(self, line: int, width: int) -> Strip:
        """Draw one line of the tree, and request its size if it is unknown."""
        assert self._loader
        feed, shown, cursor = self._loader.feed, self._lines[line], line == self.cursor_line
        tree = feed.tree
        entry = shown.entry
        is_unsized = entry and entry.size_bytes is None and has_size(entry, tree.mark(entry))
        if is_unsized and feed.want_size(shown.path):
            self._loader.sizing.ask()
        key = (shown.path, entry is None, width, cursor)
        found = self.paint.kept(key)
        if found is None:
            is_open = self._is_open(shown.path)
            parts = segments(self, tree, shown, width, cursor=cursor, is_open=is_open)
            found = self.paint.keep(key, self.paint.strip(parts, width, cursor=cursor))
        return found

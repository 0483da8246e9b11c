"""The files of a run's workspace: a tree listed folder by folder, changed files marked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.strip import Strip

from engine.domain.events import FileChange
from tui import commands, formatting
from tui.widgets.base.line_view import MOVES, LineView
from tui.widgets.base.throttle import BackgroundLoop
from tui.widgets.files.folder_tree import TreeLine, find
from tui.widgets.files.narrowed_tree import TreeFilter
from tui.widgets.files.tree_feed import TreeFeed, TreeSource
from tui.widgets.files.tree_line import has_size, is_on_arrow, segments
from tui.widgets.files.tree_marks import ChangeMark, parent_of

RELIST_S = 0.3
"""Changed folders are listed again at most this often, and large ones less often."""

MEASURE_S, MEASURE_AFTER_S = 1.0, 0.2
"""Changes are measured at most this often, and not of runs that are only passed."""

SIZE_S = 0.05


class WorkspaceTree(LineView):
    """A run's files; folders are listed when they are opened, links are never followed."""

    BINDINGS: ClassVar[list[BindingType]] = [*MOVES, *commands.bindings("files")]

    @dataclass
    class FileOpened(Message):
        """The user wants to see a file; `path` is relative to the workspace."""

        tree: WorkspaceTree
        path: str
        change: str | None = None
        """What happened to it, if anything did."""

        @property
        def control(self) -> WorkspaceTree:
            """The tree."""
            return self.tree

    @dataclass
    class FilterAsked(Message):
        """The user wants to type what files to show."""

        tree: WorkspaceTree

        @property
        def control(self) -> WorkspaceTree:
            """The tree."""
            return self.tree

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
        self._feed: TreeFeed | None = None
        self._narrowing = TreeFilter()
        self._lines: list[TreeLine] = []
        self._rounds: list[BackgroundLoop] = []

    # The workspace shown

    @property
    def run_id(self) -> str | None:
        """The id of the run whose files are shown."""
        return self._feed.run if self._feed else None

    @property
    def cursor_path(self) -> str | None:
        """The path under the cursor."""
        line = self._line
        return line.path if line and line.entry else None

    @property
    def cursor_mark(self) -> ChangeMark | None:
        """What happened to the file under the cursor, or below the folder; None where nothing."""
        line = self._line
        return self._feed.tree.mark(line.entry) if self._feed and line and line.entry else None

    @property
    def narrowing(self) -> TreeFilter:
        """What the user wants to see of the tree."""
        return self._narrowing

    @property
    def _line(self) -> TreeLine | None:
        return self._lines[self.cursor_line] if self._lines else None

    async def open(self, run_id: str, source: TreeSource) -> None:
        """Show a run's workspace from the top."""
        self.close()
        feed = self._feed = TreeFeed(run_id, source)
        self._relisting = BackgroundLoop(self, RELIST_S, lambda: self._fill(feed, feed.list_stale))
        self._measuring = BackgroundLoop(
            self, MEASURE_S, lambda: self._measure(feed), MEASURE_AFTER_S
        )
        self._sizing = BackgroundLoop(self, SIZE_S, lambda: self._find_sizes(feed))
        self._searching = BackgroundLoop(self, MEASURE_S, lambda: self._find_files(feed))
        self._rounds = [self._relisting, self._measuring, self._sizing, self._searching]
        await self._fill(feed, lambda: feed.list_folder(""))
        if feed is self._feed:
            self._measuring.ask()
            if self._narrowing.wants_files:
                self._searching.ask()

    def close(self) -> None:
        """Show nothing."""
        for rounds in self._rounds:
            rounds.stop()
        self._feed, self._lines, self._rounds = None, [], []
        self._narrowing = TreeFilter(self._narrowing.text, self._narrowing.changed_only)
        self.paint.forget_strips()
        self.set_lines(0, cursor=0, top=0)

    def files_changed(self, changes: Iterable[FileChange]) -> None:
        """Mark what changed, and soon list again the folders shown it changed in, and measure."""
        if self._feed is None:
            return
        self._feed.stale |= self._feed.tree.change(changes)
        if self._narrowing:
            self._relisting.ask()
        self.paint.forget_strips()
        self.refresh(self.stretch(0, self.size.height))
        self.ask_again()

    def ask_again(self) -> None:
        """Look again soon: something may have changed."""
        if self._feed:
            if self._feed.stale:
                self._relisting.ask()
            self._measuring.ask()
            if self._narrowing.files is not None:
                self._searching.ask()

    async def _fill(self, feed: TreeFeed, ask: Callable[[], Awaitable[object]]) -> None:
        """Ask for more of the tree, and show it if the tree is still wanted."""
        await ask()
        if feed is self._feed:
            self._rearrange()

    async def _measure(self, feed: TreeFeed) -> None:
        await self._fill(feed, feed.measure)
        if feed is self._feed and feed.stale:
            self._relisting.ask()

    async def _find_sizes(self, feed: TreeFeed) -> None:
        await feed.find_sizes()
        if feed is self._feed:
            self.paint.forget_strips()
            self.refresh(self.stretch(0, self.size.height))

    async def _find_files(self, feed: TreeFeed) -> None:
        files = await feed.files()
        if feed is self._feed:
            self._narrowing.files = files
            self._rearrange()

    def _rearrange(self, *, other: bool = False) -> None:
        """Show the tree as it is now; the cursor stays on its path, where it was on screen.

        Where `other` files are shown than before, it goes to the folder that its path is in.
        """
        if self._feed is None:
            return
        line, path, top = self.cursor_line, self.cursor_path, self.scroll_offset.y
        tree = self._feed.tree
        # Lines of our own: the tree's change while what was drawn of them is still to be seen.
        self._lines = self._narrowing.lines(tree) if self._narrowing else list(tree.lines)
        self.paint.forget_strips()
        new = find(self._lines, path, near=line) if path is not None else None
        while new is None and other and path:
            path = parent_of(path)
            new = find(self._lines, path) if path else None
        if new is None:
            new = line
        if top and new != line:
            top = max(0, top + new - line)
        self._describe()
        self.set_lines(len(self._lines), cursor=new, top=top)

    def _describe(self) -> None:
        narrowing, dot = self._narrowing, formatting.sign(" · ", " - ")
        parts = [self._title]
        if narrowing.changed_only:
            parts.append("changed only")
        if narrowing:
            parts.append(
                f"{narrowing.count} found" if narrowing.text.strip() else f"{narrowing.count}"
            )
        self.set_title(dot.join(parts))
        self.empty_text = "No file matches: esc shows all." if narrowing else self._no_files

    # What the user asks for

    def narrow(self, text: str | None = None, *, changed_only: bool | None = None) -> None:
        """Show only files whose path has the words in `text`, only changed ones, or all."""
        old = self._narrowing
        text = old.text if text is None else text
        changed_only = old.changed_only if changed_only is None else changed_only
        self._narrowing = TreeFilter(text, changed_only, old.closed, old.files)
        if not self._narrowing:
            self._narrowing.closed, self._narrowing.files = set(), None
        elif self._feed and self._narrowing.wants_files and old.files is None:
            self._searching.ask()
        self._rearrange(other=True)

    def action_filter(self) -> None:
        """Let the user type which files to show."""
        self.post_message(self.FilterAsked(self))

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
        if self._narrowing:
            return path not in self._narrowing.closed
        return self._feed is not None and self._feed.tree.is_open(path)

    def _toggle(self, path: str) -> None:
        feed = self._feed
        if feed is None:
            return
        if self._narrowing:
            self._narrowing.closed ^= {path}
        elif feed.tree.is_open(path):
            feed.tree.close(path)
        else:
            feed.tree.open(path)
            listing = self._fill(feed, lambda: feed.list_folder(path))
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
        """Draw one line of the tree, and have its size looked up if nobody did."""
        assert self._feed
        shown, cursor, tree = self._lines[line], line == self.cursor_line, self._feed.tree
        entry = shown.entry
        is_unsized = entry and entry.size_bytes is None and has_size(entry, tree.mark(entry))
        if is_unsized and self._feed.want_size(shown.path):
            self._sizing.ask()
        key = (shown.path, entry is None, width, cursor)
        found = self.paint.kept(key)
        if found is None:
            is_open = self._is_open(shown.path)
            parts = segments(self, tree, shown, width, cursor=cursor, is_open=is_open)
            found = self.paint.keep(key, self.paint.strip(parts, width, cursor=cursor))
        return found

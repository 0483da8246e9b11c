"""The files of a run's workspace: a tree listed folder by folder, changed files marked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.strip import Strip

from engine.domain.errors import UserError
from engine.domain.events import FileChange
from tui import commands
from tui.cells import clean
from tui.widgets.folder_tree import Entry, FolderTree, Line, parent_of
from tui.widgets.line_view import MOVES, LineView
from tui.widgets.tree_line import is_on_arrow, segments

ListFolder = Callable[[str, str], Awaitable[Sequence[Entry]]]
"""How a tree gets a folder's entries: the signature of `Engine.workspaces.folder`."""

RELIST_S = 0.3
"""Changed folders are listed again at most this often, and large ones less often."""


class WorkspaceTree(LineView):
    """A run's files; folders are listed when they are opened, links are never followed."""

    BINDINGS: ClassVar[list[BindingType]] = [*MOVES, *commands.bindings("files")]

    @dataclass
    class Opened(Message):
        """The user wants to see a file; `path` is relative to the workspace."""

        tree: WorkspaceTree
        path: str
        change: str | None = None
        """What happened to it, if anything did."""

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
        self._tree = FolderTree()
        self._run: str | None = None
        self._list: ListFolder | None = None
        self._stale: set[str] = set()
        self._relist_is_due = False
        self._listing_s = 0.0

    # The workspace shown

    @property
    def run_id(self) -> str | None:
        """The id of the run whose files are shown."""
        return self._run

    @property
    def cursor_path(self) -> str | None:
        """The path under the cursor."""
        line = self._line
        return line.path if line and line.entry else None

    @property
    def _line(self) -> Line | None:
        return self._tree.lines[self.cursor_line] if self._tree.lines else None

    async def open(self, run_id: str, list_folder: ListFolder) -> None:
        """Show a run's workspace from the top."""
        self.close()
        self._run, self._list = run_id, list_folder
        await self._list_folder("")

    def close(self) -> None:
        """Show nothing."""
        self._run = self._list = None
        self._tree = FolderTree()
        self._stale = set()
        self._listing_s = 0.0
        self.forget_strips()
        self.set_lines(0, cursor=0, top=0)

    def files_changed(self, changes: Iterable[FileChange]) -> None:
        """Mark what changed, and soon list again the folders shown it changed in."""
        if self._run is None:
            return
        self._stale |= self._tree.change(changes)
        self.forget_strips()
        self.refresh(self.size.region)
        if self._stale and not self._relist_is_due:
            self._relist_is_due = True
            self.set_timer(max(RELIST_S, 10 * self._listing_s), self._relist)

    def _relist(self) -> None:
        self.run_worker(self._list_stale(), group="workspace-tree")

    async def _list_stale(self) -> None:
        self._relist_is_due = False
        stale, self._stale = sorted(self._stale), set()
        for path in stale:
            await self._list_folder(path)
            if path and not self._tree.is_listed(path):
                await self._list_folder(parent_of(path))  # it may be gone

    async def _list_folder(self, path: str) -> None:
        tree, run_id, list_folder = self._tree, self._run, self._list
        if run_id is None or list_folder is None:
            return
        began = monotonic()
        try:
            entries = await list_folder(run_id, path)
        except UserError as error:
            text = clean(error.message)
            if tree is self._tree:
                self._rearrange(lambda: tree.failed(path, text))
            return
        if tree is self._tree:
            self._listing_s = monotonic() - began
            self._rearrange(lambda: tree.listed(path, entries))

    def _rearrange(self, change: Callable[[], None]) -> None:
        """Change the tree; the cursor stays on its path, where it was on screen."""
        line, path, top = self.cursor_line, self.cursor_path, self.scroll_offset.y
        change()
        self.forget_strips()
        new = self._tree.find(path, near=line) if path is not None else None
        if new is None:
            new = line
        if top and new != line:
            top = max(0, top + new - line)
        self.set_lines(len(self._tree.lines), cursor=new, top=top)

    # What the user asks for

    def action_open(self) -> None:
        """Open the folder under the cursor or close it, or ask for the file to be shown."""
        line = self._line
        if line is None or line.entry is None:
            return
        if line.entry.is_folder:
            self._toggle(line.path)
        else:
            self.post_message(self.Opened(self, line.path, self._tree.changes.get(line.path)))

    def action_expand(self) -> None:
        """Open the folder under the cursor, or go to its first entry."""
        line = self._line
        if line is None or line.entry is None or not line.entry.is_folder:
            return
        if self._tree.is_open(line.path):
            self.action_cursor_down()
        else:
            self._toggle(line.path)

    def action_collapse(self) -> None:
        """Close the folder under the cursor, or go to the folder it is in."""
        line = self._line
        if line is None:
            return
        if line.entry and line.entry.is_folder and self._tree.is_open(line.path):
            self._toggle(line.path)
        else:
            above = self._tree.find(parent_of(line.path) if line.entry else line.path)
            if above is not None:
                self.move_cursor(above)

    def _toggle(self, path: str) -> None:
        if self._tree.is_open(path):
            self._rearrange(lambda: self._tree.close(path))
            return
        is_listed = False

        def opened() -> None:
            nonlocal is_listed
            is_listed = self._tree.open(path)

        self._rearrange(opened)
        if not is_listed:
            self.run_worker(self._list_folder(path), group="workspace-tree")

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the click is; a folder's arrow or a double click opens."""
        number, offset = self.line_at(event), event.get_content_offset(self)
        if number is None or offset is None:
            return
        self.move_cursor(number)
        if event.chain == 2 or is_on_arrow(self._tree.lines[number], offset.x):
            self.action_open()

    # Drawing

    def draw(self, line: int, width: int) -> Strip:
        """Draw one line of the tree."""
        shown, cursor = self._tree.lines[line], line == self.cursor_line
        key = (shown.path, shown.entry is None, width, cursor)
        found = self.kept(key)
        if found is None:
            parts = segments(self, self._tree, shown, width, cursor=cursor)
            found = self.keep(key, self.strip(parts, width, cursor=cursor))
        return found

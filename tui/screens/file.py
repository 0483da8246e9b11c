"""One file of a run's workspace, as it is now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.content import Content

from engine.domain.errors import UserError
from engine.domain.events import Body, FilesChanged
from engine.domain.text import printable_name
from engine.engine import FilePreview
from tui import formatting
from tui.models.code import binary
from tui.models.code.document import CodeDocument, read_text
from tui.screens.code import CodeScreen
from tui.screens.node_return import NodeReturn, place_words, wait_words
from tui.terminal.cells import clean
from tui.widgets.code.code_view import CodeView
from tui.widgets.status.key_bar import KeyBar
from tui.widgets.status.toast import focus_now
from tui.widgets.status.top_bar import TopBar

if TYPE_CHECKING:
    from engine.engine import EventBatch
    from engine.ports.engine import EnginePort

MOST_BYTES = 4 * 1024**2
"""Bytes that are read of a file: an editor opens the rest."""
NEWER = "the file has changed: r refreshes"
SLOW_S = 0.5
"""Time after which a file that is not there yet is shown as waited for."""
EMPTY = "An empty file."
THE_REST = "o opens the whole file"


class FileScreen(CodeScreen):
    """Text of a file with its colours; of a binary file its type, its size and its first bytes."""

    DEFAULT_CSS = """
    FileScreen {
        background: $background;
        CodeView { height: 1fr; }
    }
    """

    def compose(self) -> ComposeResult:
        """Compose the screen."""
        yield TopBar()
        yield CodeView()
        yield KeyBar()

    @property
    def subject(self) -> tuple[str, str | None] | None:
        """The run and the file."""
        return self.run_id, self._path

    _path = ""

    def __init__(self, engine: EnginePort, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self._node_return = NodeReturn(self, self.action_refresh)

    def open(self, run_id: str, path: str | None) -> None:
        """Show a file."""
        is_other = (run_id, path) != (self.run_id, self._path)
        self.run_id, self._path = run_id, path or ""
        if is_other:
            self.code.clear()
            self.code.set_title(self._shown_name)
        focus_now(self.code)
        self.action_refresh()

    def action_refresh(self) -> None:
        """Read it again."""
        self.code.border_subtitle = None
        self._node_return.end()
        self.run_worker(self._read, group="read", exclusive=True)

    async def _read(self) -> None:
        path = self._path
        slow = self.set_timer(SLOW_S, self._show_wait)
        try:
            found = await self.engine.workspaces.preview(self.run_id, path, MOST_BYTES)
        except UserError as error:
            self.code.set_title(self._shown_name)
            self.code.clear(f"{error.message} {error.recovery}")
            if error.entry.is_node_away:
                self._node_return.wait(self.run_id)
            return
        finally:
            slow.stop()
        words, document = await asyncio.to_thread(partial(_read_in, found))
        instead = place_words(self.run, found.checkpoint)
        self.code.set_title(" · ".join(filter(None, [self._shown_name, words, instead])))
        if instead:
            self._node_return.wait(self.run_id)
        if document is None:
            self.code.clear(words if found.size_bytes or not found.is_file else EMPTY)
        else:
            await self.code.show(path, document)

    @property
    def _shown_name(self) -> str:
        return clean(printable_name(self._path))

    def _show_wait(self) -> None:
        """Show what is waited for, where there is nothing else yet."""
        if not self.code.path and (words := wait_words(self.run)):
            self.code.clear(words)

    def take(self, batch: EventBatch) -> None:
        """Show a note where the file changed since it was read."""
        super().take(batch)
        for event in batch.events:
            if event.run == self.run_id and _touches(event.body, self._path):
                self.code.border_subtitle = Content(NEWER)


def _touches(body: Body, path: str) -> bool:
    """Return whether an event reports a change of the file."""
    changes = body.changes if isinstance(body, FilesChanged) else ()
    return any(change.path == path for change in changes)


def _read_in(found: FilePreview) -> tuple[str, CodeDocument | None]:
    """Return a description of a file, and its lines, if it has any."""
    if found.is_link:
        target = clean(printable_name(found.data.decode("utf-8", "surrogateescape")))
        return f"a link to {target}, which is not followed", None
    if not found.is_file:
        return "neither a file nor a folder", None
    size = formatting.size(found.size_bytes)
    if not found.data:
        return size, None
    if binary.is_binary(found.data):
        document = read_text(binary.dump(found.data))
        document.is_numbered = False
        return f"{binary.kind(found.data)} · {size}", document
    if found.size_bytes > len(found.data):
        head = found.data[: found.data.rfind(b"\n") + 1] or found.data
        return f"the first {formatting.size(len(head))} of {size} · {THE_REST}", read_text(head)
    document = read_text(found.data)
    count = len(document.lines)
    if document.is_shortened:
        return f"the first {count} lines of {size} · {THE_REST}", document
    return f"{count} line{'' if count == 1 else 's'} · {size}", document

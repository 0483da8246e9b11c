"""Background work that fills the tree of a workspace: folders, changes, sizes and files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from textual.widget import Widget

from tui.widgets.base.throttle import BackgroundLoop
from tui.widgets.files.folder_tree import FolderEntry
from tui.widgets.files.tree_feed import TreeFeed

RELIST_S = 0.3
"""Changed folders are listed again at most this often, and large ones less often."""

MEASURE_S, MEASURE_AFTER_S = 1.0, 0.2
"""Changes are measured at most this often, and not of runs that are only passed."""

SIZE_S = 0.05


class TreeLoader:
    """The loops that keep the tree of one run up to date until they are stopped."""

    def __init__(
        self,
        view: Widget,
        feed: TreeFeed,
        *,
        arrange: Callable[[], None],
        redraw: Callable[[], None],
        show_files: Callable[[Sequence[FolderEntry] | None], None],
    ) -> None:
        self.feed = feed
        self._arrange, self._redraw, self._show_files = arrange, redraw, show_files
        self.relisting = BackgroundLoop(view, RELIST_S, self._relist)
        self.measuring = BackgroundLoop(view, MEASURE_S, self._measure, MEASURE_AFTER_S)
        self.sizing = BackgroundLoop(view, SIZE_S, self._find_sizes)
        self.searching = BackgroundLoop(view, MEASURE_S, self._find_files)
        self._is_stopped = False

    def stop(self) -> None:
        """Stop all loops; a request that still runs shows nothing."""
        self._is_stopped = True
        for loop in (self.relisting, self.measuring, self.sizing, self.searching):
            loop.stop()

    def refresh(self, *, has_files: bool) -> None:
        """Check soon whether anything changed; with `has_files`, the list of all files too."""
        if self.feed.stale:
            self.relisting.ask()
        self.measuring.ask()
        if has_files:
            self.searching.ask()

    async def fill(self, request: Callable[[], Awaitable[object]]) -> bool:
        """Load more of the tree and show it; return whether the tree is still shown."""
        await request()
        if not self._is_stopped:
            self._arrange()
        return not self._is_stopped

    async def _relist(self) -> None:
        await self.fill(self.feed.list_stale)

    async def _measure(self) -> None:
        if await self.fill(self.feed.measure) and self.feed.stale:
            self.relisting.ask()

    async def _find_sizes(self) -> None:
        await self.feed.find_sizes()
        if not self._is_stopped:
            self._redraw()

    async def _find_files(self) -> None:
        files = await self.feed.files()
        if not self._is_stopped:
            self._show_files(files)

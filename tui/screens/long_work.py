"""Work of many steps that a screen does in the background: its progress, and its end by `esc`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from tui.formatting.work_progress import WorkProgress
from tui.widgets.status.key_bar import KeyBar
from tui.widgets.status.progress_line import ProgressLine

if TYPE_CHECKING:
    from tui.screens.live import LiveScreen

PATIENCE_S = 0.5
"""Time for which work is not shown: most is done by then."""
HINT = "esc stops"
T = TypeVar("T")


class WorkStep:
    """One piece of long work, and whether the user wants it to end."""

    def __init__(self, what: str, of: int, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._on_stop: Callable[[], object] | None = None
        self.progress = WorkProgress(what, of)
        self.about = ""
        self.is_stopped = False
        self.is_shown = False

    def tell(self, done: int, of: int | None = None, *, about: str = "") -> None:
        """Show how many steps are done, and what the last was about."""
        self.progress.at(done, of)
        self.about = about
        self._changed()

    def looked(self) -> Callable[[int, int], object]:
        """Return `tell` for any thread."""
        return partial(asyncio.get_running_loop().call_soon_threadsafe, self.tell)

    def tell_of(self, what: str, done: int, of: int) -> None:
        """Show how many steps of which piece of the work are done."""
        if self.progress.what != what:
            self.progress = WorkProgress(what, of)
        self.tell(done, of)

    async def unless_stopped(
        self, work: Coroutine[Any, Any, T], then: Callable[[], object]
    ) -> T | None:
        """Do what changes nothing; where the user stops it, call `then` and return None."""
        task = asyncio.ensure_future(work)
        self._on_stop = task.cancel
        try:
            return await task
        except asyncio.CancelledError:
            if not self.is_stopped:
                raise
            then()
            return None
        finally:
            self._on_stop = None
            task.cancel()

    def stop(self) -> None:
        """End after the present step."""
        self.is_stopped = True
        if self._on_stop:
            self._on_stop()
        self._changed()

    def stopping(self) -> bool:
        """Return whether the user wants it to end."""
        return self.is_stopped


class LongWork:
    """The long work of one screen, on a line above its keys; the newest piece is shown."""

    def __init__(self, screen: LiveScreen) -> None:
        self._screen = screen
        self._going: list[WorkStep] = []

    @property
    def is_going(self) -> bool:
        """True while something goes on that `esc` can stop."""
        return any(not one.is_stopped for one in self._going)

    @property
    def is_shown(self) -> bool:
        """True while its line is in use."""
        return any(one.is_shown for one in self._going)

    def stop(self) -> bool:
        """End all that goes on, after the present steps; return whether there was anything."""
        going = [one for one in self._going if not one.is_stopped]
        for one in going:
            one.stop()
        return bool(going)

    @contextmanager
    def going(self, what: str, of: int = 0) -> Generator[WorkStep]:
        """Yield a piece of work, which is shown until the end, if it takes long."""
        one = WorkStep(what, of, self._show)
        self._going.append(one)

        def show() -> None:
            one.is_shown = True
            self._show()
            self._screen.refresh_bindings()

        timer = self._screen.set_timer(PATIENCE_S, show)
        try:
            yield one
        finally:
            timer.stop()
            self._going.remove(one)
            self._show()
            if one.is_shown:
                self._screen.refresh_bindings()

    def _show(self) -> None:
        shown = [one for one in self._going if one.is_shown]
        lines = self._screen.query(ProgressLine)
        self._screen.set_class(bool(shown), "-working")
        if not shown:
            for line in lines:
                line.tell("")
            return
        progress = shown[-1].progress
        words = progress.words
        if shown[-1].is_stopped:
            words = f"stopping … · {words}"  # first: a narrow line is cut at its end
        elif shown[-1].about:
            words = f"{words} · {shown[-1].about}"
        if lines:
            lines.first().tell(words, progress.percent, HINT)
            return
        line = ProgressLine(HINT)
        line.tell(words, progress.percent)
        bar = self._screen.query(KeyBar)
        if bar and self._screen.is_attached:
            self._screen.mount(line, before=bar.first())

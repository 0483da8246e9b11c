"""A run of the simulated agent with a real engine, reviewed by keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fake_engine import shown
from support import quick, settled, spec
from textual.pilot import Pilot

from engine.config.paths import Paths
from engine.domain.model import Run
from engine.domain.review_comment import ReviewComment
from engine.engine import Engine
from tui.app import SwarmApp
from tui.screens.changes import ChangesScreen
from tui.screens.live import CodeRequested
from tui.screens.write import WriteDialog

LIMIT_S = 60
FIVE = r"one\ntwo\nthree\nfour\nfive\n"


class Review:
    """The review of one run, on its screen."""

    def __init__(self, engine: Engine, run: str, pilot: Pilot[None]) -> None:
        self.engine, self.run_id, self.pilot = engine, run, pilot
        self.keys = 0

    @property
    def app(self) -> SwarmApp:
        app = self.pilot.app
        assert isinstance(app, SwarmApp)
        return app

    @property
    def screen(self) -> ChangesScreen:
        (found,) = [one for one in self.app.screen_stack if isinstance(one, ChangesScreen)]
        return found

    @property
    def run(self) -> Run:
        return self.engine.view.runs[self.run_id]

    @property
    def comments(self) -> Sequence[ReviewComment]:
        return self.run.comments

    @property
    def text(self) -> str:
        return shown(self.app)

    @property
    def is_writing(self) -> bool:
        return isinstance(self.app.screen, WriteDialog)

    @property
    def lines(self) -> list[str]:
        code = self.screen.code
        return [code.render_line(y).text.rstrip() for y in range(code.size.height - 2)]

    @property
    def workspace(self) -> Path:
        assert self.run.workspace
        return Path(self.run.workspace.path)

    async def open(self, run: str = "") -> None:
        """Open the changes of the run, and wait for the diff and its comments."""
        self.run_id = run or self.run_id
        self.app.screen.post_message(CodeRequested("changes", self.run_id))
        await self.until(lambda: isinstance(self.app.screen, ChangesScreen))
        await self.until(lambda: self.screen.run_id == self.run_id and self.screen.code.path)
        await self.idle()

    async def press(self, *keys: str) -> None:
        """Press keys, each after what the one before has started."""
        for key in keys:
            await self.pilot.press(key)
            self.keys += 1
            await self.pilot.pause()

    async def type(self, text: str) -> None:
        """Type into what has the focus."""
        await self.pilot.press(*text)

    async def comment(self, text: str) -> None:
        """Write a comment at the cursor with two keys."""
        before = len(self.comments)
        await self.press("c")
        await self.until(lambda: isinstance(self.app.screen, WriteDialog))
        await self.type(text)
        await self.press("ctrl+s")
        await self.until(lambda: len(self.comments) > before)
        await self.until(lambda: isinstance(self.app.screen, ChangesScreen))
        await self.idle()

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait for what threads, git and the engine do."""
        async with asyncio.timeout(LIMIT_S):
            while not holds():
                await self.pilot.pause(0.01)
        await self.pilot.pause()

    async def ended(self, attempt: int) -> None:
        """Wait for the end of an attempt."""
        await self.until(lambda: self.run.attempt == attempt and self.run.finished_at)

    async def idle(self) -> None:
        """Wait until nothing is read, compared or coloured."""
        await self.pilot.pause()
        await self.until(
            lambda: all(one.is_finished for one in self.app.workers if one.group != "pump")
        )


@asynccontextmanager
async def reviewing(
    paths: Paths,
    *script: str,
    size: tuple[int, int] = (120, 40),
    with_toasts: bool = False,
    **more: object,
) -> AsyncGenerator[Review]:
    """Run a script to its end, and open its changes in the dashboard."""
    async with Engine.open(paths, quick(), supervise=True) as engine:
        run = await engine.start(spec(*script, **more))
        await settled(engine)
        app = SwarmApp(engine)
        async with app.run_test(size=size, notifications=with_toasts) as pilot:
            review = Review(engine, run.id, pilot)
            await review.until(lambda: engine.view.runs[run.id].finished_at)
            await review.open()
            yield review

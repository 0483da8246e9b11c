"""The three faces of the program, each with a supervising engine and what its user can see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from faulty import TEXT, Injected, kind_of
from support import becomes, fake_codex, spec, until

from engine.config.config_file import load_usable
from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.events import Notice
from engine.domain.model import Agent, Run
from engine.engine import Engine
from engine.execution.task_tree import SupervisedTask
from engine.store.appending import AppendRequest
from tui.app import SwarmApp
from tui.cli.commands.supervise import _Teller
from tui.cli.support.follow import RunFollower
from tui.cli.support.foreground import carry
from tui.cli.support.plain_lines import PlainLines
from tui.widgets.status.top_bar import TopBar

CONFIG = """
slots: 8
queue: {stagger_s: 0}
webhooks: [{name: nobody, url: "http://127.0.0.1:9/"}]
"""


CODEX = """cat > /dev/null
echo '{"type": "thread.started", "thread_id": "t"}'
echo '{"type": "turn.completed", "usage": {"input_tokens": 1, "output_tokens": 1}}'"""
CHATTY = ("say so", "wait 0.05") * 2_000


@dataclass
class Face:
    """An open face: `shows` returns all that its user can see of faults."""

    engine: Engine
    shows: Callable[[], str]
    engines: list[Engine]
    other: Run
    """A run that is alive all the time."""

    def tasks(self, kind: str) -> list[SupervisedTask]:
        found = [task for engine in self.engines for task in engine.tasks.tasks()]
        return [task for task in found if kind_of(task.name) == kind]

    def provoke(self, *kinds: str) -> bool:
        """Let the tasks of some kinds fail that are at work; False where there is none."""
        found = [task for kind in kinds for task in self.tasks(kind)]
        for task in found:
            task.fail(Injected(TEXT))
        return bool(found)

    def record(self) -> set[str]:
        """Return the kinds of all tasks and guards whose faults are recorded from now on."""
        kinds: set[str] = set()
        for engine in self.engines:
            faults = engine.tasks.faults

            def record(name: str, *given: Any, record: Any = faults.record, **more: Any) -> None:
                kinds.add(kind_of(name))
                record(name, *given, **more)

            faults.record = record
        return kinds

    async def stir(self, name: str = "") -> None:
        """Let something happen that reaches the part of this name."""
        if name == "login check":
            await self._run_codex()
        notice = Notice("info", "something happens")
        with suppress(UserError):
            await self.engine._journal.append([AppendRequest(self.other.id, [notice])])

    async def _run_codex(self) -> None:
        """Start a run of Codex and wait for its end: the login is checked before it."""
        codex = fake_codex(self.engine.paths.home, CODEX)
        run = await self.engine.start(spec(agent=Agent.CODEX, codex_bin=codex, title="Codex"))
        await until(self.engine, lambda: self.engine.view.runs[run.id].finished_at)

    async def hears_of_other(self) -> None:
        """Wait for the next two messages of the run that is alive all the time."""
        for _ in range(2):
            before = self._said()
            await until(self.engine, lambda before=before: self._said() != before)

    def _said(self) -> float:
        return self.engine.view.runs[self.other.id].last_sign_at

    def failing(self) -> set[str]:
        """The kinds of tasks and guards that do not work at the moment."""
        found = [fault for engine in self.engines for fault in engine.tasks.faults.current]
        return {kind_of(fault.task) for fault in found}


@asynccontextmanager
async def _supervised(paths: Paths) -> AsyncGenerator[tuple[Engine, Run]]:
    paths.config.parent.mkdir(parents=True, exist_ok=True)
    paths.config.write_text(CONFIG)
    async with Engine.open(paths, load_usable(paths), supervise=True) as engine:
        other = await engine.start(spec(*CHATTY))
        await becomes(lambda: engine.view.runs[other.id].started_at)
        yield engine, other
        await engine.cancel(other.id, kill=True)
        await engine.settle()


@asynccontextmanager
async def background(paths: Paths) -> AsyncGenerator[Face]:
    """`supervise`, and the lines that it writes."""
    async with (
        _supervised(paths) as (engine, other),
        Engine.open(paths, load_usable(paths), follow=True) as viewer,
    ):
        lines: list[str] = []
        teller = _Teller(viewer)
        news = teller._faults.lines

        def kept() -> list[str]:
            lines.extend(found := news())
            return found

        teller._faults.lines = kept
        viewer.tasks.start("lines", teller.run)

        def shows() -> str:
            return "\n".join([*lines, viewer.lookout.problem])

        yield Face(engine, shows, [engine, viewer], other)


class Lines(PlainLines):
    """Keeps what is written for the user."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def warn(self, text: str) -> None:
        self.lines.append(text)

    tell = warn


@asynccontextmanager
async def foreground(paths: Paths) -> AsyncGenerator[Face]:
    """`run`, which ends with an error where nothing goes on, and is typed again then."""
    async with _supervised(paths) as (engine, other):
        display = Lines()

        async def command() -> None:
            while True:
                try:
                    await carry(engine, RunFollower(engine, [engine.view.runs[other.id]]), display)
                    return
                except UserError as error:
                    display.warn(error.message)
                await asyncio.sleep(0.05)

        task = asyncio.create_task(command())
        try:
            yield Face(engine, lambda: "\n".join(display.lines), [engine], other)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def dashboard(paths: Paths) -> AsyncGenerator[Face]:
    """The dashboard, and its lines at the top."""
    async with _supervised(paths) as (engine, other):
        app = SwarmApp(engine)
        app.contain_faults()
        async with app.run_test(size=(120, 40)):
            bar = app.screen.query_one(TopBar)
            yield Face(engine, lambda: str(bar.render()), [engine], other)
            assert app.is_running


FACES = {"background": background, "foreground": foreground, "dashboard": dashboard}

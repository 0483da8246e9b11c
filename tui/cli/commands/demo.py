"""`swarm-tui demo`: everything at work, on a home that is thrown away afterwards."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.config.paths import Paths
from engine.config.settings import Config, QueueSettings, UsageSettings
from engine.domain.errors import UserError
from engine.domain.model import Run
from engine.engine import Changes, Engine
from engine.ports.engine import EnginePort
from tui.cli.support import log_file, output
from tui.cli.support.failure import EXIT_CANCELLED
from tui.cli.support.options import everywhere, examples
from tui.cli.support.plain_lines import PlainLines
from tui.cli.support.summaries import headline
from tui.formatting import title
from tui.terminal.cells import fit

if TYPE_CHECKING:
    from tui.app import SwarmApp

SLOTS, HURRIED_SLOTS = 4, 6
PACE, HURRY = 0.8, 12.0
"""Speeds at which the runs are played: for users who watch them, and where no one does."""
GRACE_S = 1.0
NAME = 26

OWN_ONLY = UsageSettings(other_sessions=False)
"""The throw-away home does not read the sessions of the user."""


@click.command(epilog=examples("demo", "demo | grep notice"))
@everywhere()
@click.pass_context
def demo(ctx: click.Context) -> int:
    """Show 20 simulated runs in a temporary git repository, with a hint of what to press next.

    They take about two minutes: most succeed, some fail, two conflict, three compete in a batch,
    and one asks before it goes on.
    The dashboard stays open until you quit. Without a terminal the runs are printed as lines, and
    faster; the exit code is 0 if all ended as scripted. Your data is not touched and no model is
    used.
    """
    from tui.cli.commands import dashboard
    from tui.cli.support import session

    with tempfile.TemporaryDirectory(
        prefix="swarm-tui-demo-", ignore_cleanup_errors=True
    ) as folder:
        home = Path(folder) / "home"
        root = ctx.find_root()
        work = _dashboard(home, root) if dashboard.has_terminal() else _lines(home)
        return session.start(work)


async def _dashboard(home: Path, root: click.Context) -> int:
    from tui.cli.commands import dashboard
    from tui.cli.support import demo_script
    from tui.cli.support.guided_tour import GuidedTour

    scenes: dict[str, demo_script.DemoRun] = {}

    async def play(engine: EnginePort) -> None:
        if not scenes:  # not after a fault of the script: the runs are there already
            await engine.memory.remember("new-run", demo_script.form_choices(engine))
            scenes.update(await demo_script.start(engine, PACE))
        await demo_script.direct(engine, scenes, is_alone=False)

    async def show(app: SwarmApp) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(play(app.engine))
            tasks.create_task(GuidedTour(app).run())

    def command_line() -> list[str]:
        return root.command.list_commands(root) if isinstance(root.command, click.Group) else []

    return await dashboard.show(
        lambda: _engine(home), show, goes_on=False, command_line=command_line
    )


async def _lines(home: Path) -> int:
    from tui.cli.support import demo_script
    from tui.cli.support.follow import RunFollower
    from tui.cli.support.foreground import carry

    async with _engine(home, is_hurried=True) as engine:
        scenes = await demo_script.start(engine, HURRY)
        over = asyncio.get_running_loop().create_future()
        director = engine.tasks.start(
            "demo", lambda: demo_script.direct(engine, scenes), give_up=lambda _: _cancel(engine)
        )
        director.when_done(lambda: over.done() or over.set_result(None))
        runs = [engine.view.runs[run_id] for run_id in scenes]
        follower = RunFollower(engine, runs, until=over)
        if (await carry(engine, follower, _DemoLines(_name), may_leave=False)).used:
            return EXIT_CANCELLED
    if faults := demo_script.faults(follower.runs, scenes):
        output.say("\n".join(["Not as scripted:", *faults]))
        return 1
    output.say(f"All {len(scenes)} runs ended as scripted.")
    return 0


@asynccontextmanager
async def _engine(home: Path, *, is_hurried: bool = False) -> AsyncGenerator[Engine]:
    """Open an engine on the throw-away home; nothing of its runs is left when it closes."""
    paths = Paths(home, home / "config.yaml")
    log_file.keep(paths)
    config = Config(slots=SLOTS, grace_s=GRACE_S, usage=OWN_ONLY)
    if is_hurried:
        queue = QueueSettings(stagger_s=0.05)
        config = Config(slots=HURRIED_SLOTS, grace_s=GRACE_S, queue=queue, usage=OWN_ONLY)
    async with Engine.open(paths, config, supervise=True) as engine:
        try:
            yield engine
        finally:
            await _cancel(engine)
            await engine.settle()


async def _cancel(engine: EnginePort) -> None:
    """Kill the runs: without the script, the one that never ends would stay."""
    for run in list(engine.view.runs.values()):
        with suppress(UserError):  # it has ended
            await engine.cancel(run.id, kill=True)


class _DemoLines(PlainLines):
    def finish(self, runs: dict[str, Run], changes: dict[str, Changes]) -> None:
        """Print the end of each run; the places of their files no longer matter."""
        output.say("\n".join(headline(run) for run in runs.values()))


def _name(run: Run) -> str:
    return fit(title(run), NAME)

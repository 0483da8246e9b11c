"""`swarm-tui supervise`: the queue without a screen."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from tui.cli.support import output
from tui.cli.support.fault_news import FaultNews
from tui.cli.support.options import everywhere, examples

if TYPE_CHECKING:
    from engine.domain.events import Event
    from engine.ports.engine import EnginePort


@click.command(epilog=examples("supervise", "supervise -v >> swarm.log &"))
@click.option(
    "-v", "--verbose", is_flag=True, help="Print starts and ends, also without a terminal."
)
@click.option("--unless-supervised", is_flag=True, hidden=True)
@everywhere()
def supervise(verbose: bool, unless_supervised: bool) -> int:
    """Start queued runs and supervise active ones, until all have ended.

    One process supervises at a time; a second one stands by to take over. A signal ends it and
    leaves the runs alive; the next supervisor takes them over.
    """
    from tui.cli.support import session

    told = verbose or output.is_terminal(sys.stdout)
    work = _told() if told else _supervise(standby=not unless_supervised)
    return session.start(session.unless_stopped(work))


async def _supervise(*, standby: bool = True, quiet: bool = False) -> int:
    from engine import engine
    from engine.config import config_file, paths
    from tui.cli.support import log_file, session, suspend

    places = paths.find()
    log_file.keep(places)
    if not quiet:
        session.show_warning(config_file.load_usable(places))
    # Without a terminal there is no ctrl+z.
    around = suspend.hands_over if standby else nullcontext
    await engine.supervise(places, standby=standby, around=around)
    return 0


async def _told() -> int:
    from tui.cli.support import session

    async with session.open_engine(follow=True) as engine:
        teller = _Teller(engine)
        telling = engine.tasks.start("lines", teller.run)
        try:
            await _supervise(quiet=True)  # the mistake is shown by now
        finally:
            telling.cancel()
            await telling.wait()
        while teller.live:  # the last events are still to be reported
            await teller.step()
    output.say("nothing is left to do")
    return 0


class _Teller:
    """Reporter of every run that starts or ends, and of notices for the user."""

    def __init__(self, engine: EnginePort) -> None:
        self._engine = engine
        self._batches = engine.batches()
        self._faults = FaultNews(engine)
        self.live = set(engine.view.live)

    async def run(self) -> None:
        """Report forever."""
        while True:
            await self.step()

    async def step(self) -> None:
        """Report the next event."""
        batch = await anext(self._batches)
        for line in self._faults.lines():
            output.say_aside(line)
        lines = [line for event in batch.events if (line := self._line(event))]
        self.live = set(self._engine.view.live)
        if lines:
            output.say("\n".join(lines))

    def _line(self, event: Event) -> str:
        from engine.domain.events import ErrorRaised, Notice, StatusChanged
        from tui import formatting
        from tui.cli.support.summaries import full_title

        body = event.body
        warning = isinstance(body, Notice) and body.level == "warning"
        if not (warning or isinstance(body, (StatusChanged, ErrorRaised))):
            return ""
        line = formatting.event_line(event)
        title = full_title(self._engine.view.runs[event.run])
        return f"{formatting.time_of_day(event.at)}  {event.run}  {line.text}  {title}"

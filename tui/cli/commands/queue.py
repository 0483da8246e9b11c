"""`swarm-tui queue`, `pause`, `unpause`, `slots`: the queue, whatever process supervises it."""

from __future__ import annotations

import click

from engine.domain.model import Run, Status
from tui.cli.support.options import (
    ChoiceParam,
    NumberParam,
    RunArgument,
    RunParam,
    TextParam,
    TimeParam,
    everywhere,
    examples,
    json_option,
)

MAX_SLOTS = 1000
_json = json_option("Print how the queue stands as one JSON object.")


def _is_queued(run: Run) -> bool:
    return run.status is Status.QUEUED


@click.command(epilog=examples("queue", "queue start @last", "queue start k3f p9d"))
@click.argument(
    "action", type=ChoiceParam(("show", "start")), default="show", metavar="[show|start]"
)
@click.argument(
    "runs", cls=RunArgument, metavar="[RUN...]", nargs=-1, type=RunParam(_is_queued), required=False
)
@json_option("Print the queue as one JSON object; with start, the run objects.")
@everywhere()
def queue(action: str, runs: tuple[str, ...], as_json: bool) -> int:
    """Show the queue, or start queued runs although they are held.

    With `start`, the runs ignore a reserve of the account and starts that are spread, until they
    end. They still wait for a slot, for the runs that they need and for the end of a pause.
    """
    from tui.cli.support import session

    if action == "show" and runs:
        raise click.UsageError("Name runs with `queue start RUN...`.")
    if action == "start" and not runs:
        raise click.UsageError("start needs a RUN.")
    return session.start(_start(runs, as_json=as_json) if runs else _show(as_json=as_json))


async def _show(*, as_json: bool) -> None:
    from tui.cli.support import session, waiting

    async with session.open_engine() as engine:
        await waiting.tell_queue(engine, as_json=as_json)


async def _start(names: tuple[str, ...], *, as_json: bool) -> None:
    import time

    from tui.cli.support import output, session, waiting

    async with session.open_engine() as engine:
        found = [run.id for run in await session.find_all(engine, names)]
        runs = await engine.annotations.start_past_pace(found)
        waits, now = await waiting.of_store(engine), time.time()
        if as_json:
            output.say_json(
                [waiting.told_json(run, now, waits, engine.costs.of_run) for run in runs]
            )
        else:
            lines = [f"{run.id} {waiting.doing(run, now, waits.get(run.id))}" for run in runs]
            output.say("\n".join(lines))
        await session.see_to_what_is_left(engine)


@click.command(
    epilog=examples("pause", "pause --until 18:00", "pause --reason 'until the release is out'")
)
@click.option(
    "--reason",
    type=TextParam(),
    default="",
    help="Set the reason shown to others.  [default: paused by the user]",
)
@click.option(
    "--until",
    type=TimeParam(),
    metavar="TIME",
    help="Resume at this time, such as 22:00, 2031-05-04T18:30 or +30m.",
)
@_json
@everywhere()
def pause(reason: str, until: float | None, as_json: bool) -> int:
    """Pause the queue until `unpause` or --until; active runs continue."""
    from tui.cli.support import session

    return session.start(_pause(reason, until, as_json=as_json))


async def _pause(reason: str, until: float | None, *, as_json: bool) -> None:
    from tui.cli.support import session, waiting

    async with session.open_engine() as engine:
        await engine.set_pause(waiting.pause_of_user(reason, until))
        await waiting.tell_queue(engine, as_json=as_json)


@click.command(epilog=examples("unpause"))
@_json
@everywhere()
def unpause(as_json: bool) -> int:
    """Resume the queue, also after a limit or a failed login."""
    from tui.cli.support import session

    return session.start(_unpause(as_json=as_json))


async def _unpause(*, as_json: bool) -> None:
    from tui.cli.support import session, waiting

    async with session.open_engine() as engine:
        await engine.set_pause(None)
        await waiting.tell_queue(engine, as_json=as_json)
        await session.see_to_what_is_left(engine)


@click.command(epilog=examples("slots", "slots 8"))
@click.argument("number", metavar="[N]", required=False, type=NumberParam(1, MAX_SLOTS))
@_json
@everywhere()
def slots(number: int | None, as_json: bool) -> int:
    """Set the number of runs that may be active at a time; without N, print it."""
    from tui.cli.support import session

    return session.start(_slots(number, as_json=as_json))


async def _slots(number: int | None, *, as_json: bool) -> None:
    from tui.cli.support import output, session, waiting

    async with session.open_engine() as engine:
        if number is not None:
            await engine.set_slots(number)
        if as_json:
            await waiting.tell_queue(engine, as_json=True)
        else:
            output.say(str(engine.slots))

"""`swarm-tui pause`, `unpause` and `slots`: the queue, whatever process supervises it."""

from __future__ import annotations

import click

from tui.cli.support.options import NumberParam, TextParam, everywhere, examples, json_option

REASON = "paused by the user"
MAX_SLOTS = 1000
_json = json_option("Print how the queue stands as one JSON object.")


@click.command(epilog=examples("pause", "pause --reason 'until the release is out'"))
@click.option("--reason", type=TextParam(), default=REASON, help="Set the reason shown to others.")
@_json
@everywhere()
def pause(reason: str, as_json: bool) -> int:
    """Pause the queue until `unpause`; active runs continue."""
    from tui.cli.support import session

    return session.start(_pause(reason.strip() or REASON, as_json=as_json))


async def _pause(reason: str, *, as_json: bool) -> None:
    from engine.domain.model import Pause
    from engine.domain.text import one_line
    from tui.cli.support import session, waiting

    async with session.open_engine() as engine:
        await engine.set_pause(Pause(one_line(reason, 200)))
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

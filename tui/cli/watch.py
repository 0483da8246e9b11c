"""`swarm-tui watch`: follow runs that this or any other process supervises."""

from __future__ import annotations

import click

from tui.cli.options import Number, RunName, everywhere, examples, full_option, json_option


@click.command(epilog=examples("watch @last", "watch 0f3 0f4", "watch @last --since 40 --json"))
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=RunName())
@click.option("--since", type=Number(min=0), default=0, metavar="SEQ", help="Only later events.")
@full_option
@json_option("Print one event object a line, and nothing else.")
@everywhere()
def watch(runs: tuple[str, ...], since: int, full: bool, as_json: bool) -> int:
    """Follow runs until all have ended; Ctrl-C stops only the watching."""
    from tui.cli import session

    return session.start(session.unless_stopped(_watch(runs, since, full=full, as_json=as_json)))


async def _watch(names: tuple[str, ...], since: int, *, full: bool, as_json: bool) -> int:
    from tui.cli import displays, session
    from tui.cli.follow import Follower, exit_code, follow

    async with session.open_engine(follow=True) as engine:
        follower = Follower(engine, await session.find_all(engine, names), since)
        await session.see_to_what_is_left(engine)
        await follow(follower, displays.choose(follower, as_json=as_json, full=full))
    return exit_code(follower.runs.values())

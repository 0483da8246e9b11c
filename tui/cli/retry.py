"""`swarm-tui retry`: the next attempt of runs that have ended."""

from __future__ import annotations

import click

from tui.cli.options import everywhere, examples, json_option


@click.command(epilog=examples("retry @last", "retry 0f3 0f4 --json"))
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@json_option("Print one event object a line, and nothing else.")
@everywhere()
def retry(runs: tuple[str, ...], as_json: bool) -> int:
    """Start the next attempt of runs that have ended, and follow it as `run` does."""
    from tui.cli import session

    return session.start(_retry(runs, as_json))


async def _retry(names: tuple[str, ...], as_json: bool) -> int:
    from engine.domain.errors import user_error
    from engine.domain.lifecycle import FINISHED
    from tui.cli import displays, session
    from tui.cli.follow import Follower, carry, exit_code

    async with session.open_engine(follow=True, supervise=True) as engine:
        found = await session.find_all(engine, names)
        for run in found:
            if run.status not in FINISHED:
                raise user_error("RUN_NOT_RETRYABLE", f"The run {run.id} is {run.status}.")
        queued = [await engine.retry(run.id) for run in found]
        follower = Follower(engine, queued, {run.id: run.seq for run in found})
        await carry(engine, follower, displays.choose(follower, as_json=as_json))
    return exit_code(follower.runs.values())

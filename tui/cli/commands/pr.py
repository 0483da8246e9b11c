"""`swarm-tui pr`: the pull requests of runs, read with `gh`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from engine.domain.pull_request import current_url
from tui.cli.support import output
from tui.cli.support.options import RunArgument, RunParam, everywhere, examples, json_option

if TYPE_CHECKING:
    from engine.domain.errors import UserError
    from engine.domain.model import Run
    from engine.ports.engine import EnginePort


@click.command(epilog=examples("pr", "pr @last", "pr k3f p9d --json"))
@click.argument(
    "runs",
    cls=RunArgument,
    metavar="[RUN...]",
    nargs=-1,
    type=RunParam(lambda run: run.pushed is not None),
)
@json_option("Print the run objects.")
@everywhere()
def pr(runs: tuple[str, ...], as_json: bool) -> int:
    """Read the pull requests of runs: state, checks and review.

    Without RUN, all that are open. `gh` reads them, with its own login. For a branch that was
    pushed without --pr, its pull request is looked up.
    """
    from tui.cli.support import session

    return session.start(_pr(runs, as_json=as_json))


async def _pr(names: tuple[str, ...], *, as_json: bool) -> int:
    from engine.domain.run_json import run_json
    from tui.cli.support import failure, session

    async with session.open_engine() as engine:
        wanted = [(await engine.find(name)).id for name in names] or await _open(engine)
        done, failed = await _read(engine, wanted)
    if failed and len(wanted) == 1:
        raise failed[0]
    if as_json:
        output.say_json([run_json(run, time.time(), cost=engine.costs.of_run) for run in done])
    for run in [] if as_json else done:
        _print(run)
    if not wanted and not as_json:
        output.say_aside("No run has an open pull request.")
    for error in failed:
        failure.tell(error.info)
    return 3 if failed else 0


async def _open(engine: EnginePort) -> list[str]:
    return [run.id for run in await engine.pull_requests.followed()]


async def _read(engine: EnginePort, runs: list[str]) -> tuple[list[Run], list[UserError]]:
    """Read one after the other; a failure costs only its own."""
    from engine.domain.errors import UserError

    done: list[Run] = []
    failed: list[UserError] = []
    for run in dict.fromkeys(runs):
        try:
            done.append(await engine.pull_requests.refresh(run))
        except UserError as error:
            failed.append(error)
    return done, failed


def _print(run: Run) -> None:
    from tui.formatting.pull_request import state_words

    assert run.pull_request
    output.say(f"{run.id} #{run.pull_request.number} {state_words(run.pull_request)}")
    for name in () if run.pull_request.has_ended else run.pull_request.checks.names:
        output.say(f"  failing: {name}")
    output.say(f"  {current_url(run)}")

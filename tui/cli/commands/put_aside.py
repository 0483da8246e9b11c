"""`dismiss`, `undismiss`, `archive`, `unarchive`: runs that the user has put aside."""

from __future__ import annotations

import time
from collections.abc import Callable

import click

from engine.domain.model import Run
from tui.cli.support import output
from tui.cli.support.options import (
    RunArgument,
    RunParam,
    everywhere,
    examples,
    has_ended,
    json_option,
)

_json = json_option("Print the run objects.")


def _runs(fits: Callable[[Run], bool]) -> Callable[[Callable[..., int]], Callable[..., int]]:
    return click.argument(
        "runs", cls=RunArgument, metavar="RUN...", nargs=-1, required=True, type=RunParam(fits)
    )


@click.command(epilog=examples("dismiss @last", "dismiss k3f p9d"))
@_runs(lambda run: has_ended(run) and not run.is_dismissed)
@_json
@everywhere()
def dismiss(runs: tuple[str, ...], as_json: bool) -> int:
    """Put ended runs aside: they no longer need attention or wait for a review.

    A run that is started again is no longer dismissed.
    """
    return _start(runs, "dismissed", is_set=True, as_json=as_json)


@click.command(epilog=examples("undismiss @last"))
@_runs(lambda run: run.is_dismissed)
@_json
@everywhere()
def undismiss(runs: tuple[str, ...], as_json: bool) -> int:
    """Make dismissed runs need attention again."""
    return _start(runs, "dismissed", is_set=False, as_json=as_json)


@click.command(epilog=examples("archive @last", "archive k3f 0f3"))
@_runs(lambda run: has_ended(run) and not run.is_archived)
@_json
@everywhere()
def archive(runs: tuple[str, ...], as_json: bool) -> int:
    """Leave ended runs out of the lists; `ls --archived` lists them.

    Nothing is deleted. A run that is started again is no longer archived.
    """
    return _start(runs, "archived", is_set=True, as_json=as_json)


@click.command(epilog=examples("unarchive @last"))
@_runs(lambda run: run.is_archived)
@_json
@everywhere()
def unarchive(runs: tuple[str, ...], as_json: bool) -> int:
    """List archived runs again."""
    return _start(runs, "archived", is_set=False, as_json=as_json)


def _start(runs: tuple[str, ...], word: str, *, is_set: bool, as_json: bool) -> int:
    from tui.cli.support import session

    return session.start(_put_aside(runs, word, is_set=is_set, as_json=as_json))


async def _put_aside(names: tuple[str, ...], word: str, *, is_set: bool, as_json: bool) -> int:
    from engine.domain.run_json import run_json
    from tui.cli.support import session

    async with session.open_engine() as engine:
        found = [run.id for run in await session.find_all(engine, names)]
        aside = engine.annotations
        change = aside.dismiss if word == "dismissed" else aside.archive
        runs = await change(found, is_set)
    if as_json:
        output.say_json([run_json(run, time.time(), cost=engine.costs.of_run) for run in runs])
    else:
        words = word if is_set else f"no longer {word}"
        output.say("\n".join(f"{run.id} {words}" for run in runs))
    return 0

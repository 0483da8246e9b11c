"""`swarm-tui retry`: the next attempt of runs that have ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from tui.cli.support import output
from tui.cli.support.options import (
    BatchParam,
    RunParam,
    TextParam,
    chosen_runs,
    everywhere,
    examples,
    full_option,
    has_ended,
    json_option,
    read_stdin,
)
from tui.cli.support.run_options import machine_option, mode_change, mode_options

if TYPE_CHECKING:
    from engine.domain.model import Run
    from engine.ports.engine import EnginePort


@click.command(
    epilog=examples(
        "retry @last",
        "retry --failed --detach",
        "retry --failed --batch nightly",
        "retry k3f --fresh --prompt 'Try it in Rust'",
    )
)
@click.argument("runs", metavar="[RUN...]", nargs=-1, type=RunParam(has_ended))
@click.option(
    "--failed", is_flag=True, help="Retry all failed and interrupted runs that are not put aside."
)
@click.option(
    "--batch", type=BatchParam(), metavar="BATCH", help="With --failed: only runs of this batch."
)
@click.option("--fresh", is_flag=True, help="Start over in a new workspace and thread.")
@click.option(
    "--prompt",
    type=TextParam(),
    metavar="TEXT",
    help="Use this prompt instead, in a new thread of the same workspace; - reads stdin.",
)
@machine_option
@mode_options
@click.option("-d", "--detach", is_flag=True, help="Print the ids and return; the runs continue.")
@full_option
@json_option("Print one event object a line, or with --detach the run objects; nothing else.")
@everywhere()
def retry(
    runs: tuple[str, ...],
    failed: bool,
    batch: str | None,
    as_json: bool,
    **asked: Any,  # noqa: ANN401  click passes options by name
) -> int:
    """Start the next attempt of runs that have ended, and follow it as `run` does.

    The attempt continues in the run's workspace and Codex thread, except with --fresh or --prompt.
    """
    from tui.cli.support import session

    if not (runs or failed or batch):
        runs = chosen_runs(has_ended)
    if bool(runs) == failed:
        raise click.UsageError("Name the runs to retry, or use --failed.")
    if batch and not failed:
        raise click.UsageError("--batch goes with --failed.")
    if asked["prompt"] == "-":
        asked["prompt"] = read_stdin()
    return session.start(_retry(runs, batch, asked, as_json=as_json))


async def _retry(
    names: tuple[str, ...], batch: str | None, asked: dict[str, Any], *, as_json: bool
) -> int:
    from tui.cli.commands.cancel import told_stopped
    from tui.cli.support import foreground, session
    from tui.cli.support.run_actions import to_retry

    prompt, detach = asked["prompt"], asked["detach"]
    if prompt is not None and not prompt.strip():
        raise click.UsageError("--prompt is empty.")
    change = mode_change(asked)
    how: dict[str, Any] = {"prompt": prompt, "fresh": asked["fresh"], "change": change}
    async with session.open_engine(strict=True, follow=not detach, supervise=not detach) as engine:
        found = await to_retry(engine, names, batch)
        queued = await queue_all(engine, found, how)
        left = len(found) - len(queued)
        if left:
            pass  # the supervisor goes on with those that are queued, once this one is closed
        elif not queued:
            output.say_aside("nothing to retry")
        elif detach:
            await foreground.detach(engine, queued, as_json=as_json)
        else:
            since = {run.id: run.seq for run in found}
            return await foreground.carry_or_leave(
                engine, queued, since, as_json=as_json, full=asked["full"]
            )
    if not left:
        return 0
    session.go_on(engine.paths)
    return told_stopped(f"Stopped: {len(queued)} queued, {left} left as they were.")


async def queue_all(engine: EnginePort, runs: Sequence[Run], how: dict[str, Any]) -> list[Run]:
    """Queue the next attempt of runs, and return those that are; fewer where the user stops it."""
    from tui.cli.support.work_line import work_line

    queued: list[Run] = []
    with work_line() as line:
        line.begin("queuing", len(runs))
        for run in runs:
            if line.is_stopped:
                break
            queued.append(await engine.retry(run.id, **how))
            line.tell(len(queued))
    return queued

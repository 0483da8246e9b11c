"""`swarm-tui fork`: a new run on copies of an ended run's workspace and thread."""

from __future__ import annotations

from typing import Any

import click

from tui.cli.support import output
from tui.cli.support.options import (
    RunArgument,
    RunParam,
    TextParam,
    everywhere,
    examples,
    full_option,
    has_ended,
    json_option,
    read_stdin,
)
from tui.cli.support.run_options import mode_change, mode_options


@click.command(epilog=examples("fork @last 'Try it with a queue'", "fork k3f --detach - < plan.md"))
@click.argument("run", cls=RunArgument, metavar="RUN", type=RunParam(has_ended))
@click.argument("prompt", metavar="PROMPT", type=TextParam())
@mode_options
@click.option("-d", "--detach", is_flag=True, help="Print the id and return; the run continues.")
@full_option
@json_option("Print one event object a line, or with --detach the run object; nothing else.")
@everywhere()
def fork(run: str, prompt: str, as_json: bool, **asked: Any) -> int:  # noqa: ANN401  click passes options by name
    """Start a run on copies of an ended run's workspace and thread, and follow it.

    RUN stays as it is. The changes of the new run include those of RUN. `-` reads the prompt from
    stdin.
    """
    from tui.cli.support import session

    prompt = read_stdin() if prompt == "-" else prompt
    return session.start(_fork(run, prompt, asked, as_json=as_json))


async def _fork(name: str, prompt: str, asked: dict[str, Any], *, as_json: bool) -> int:
    from tui.cli.support import foreground, session

    detach, change = asked["detach"], mode_change(asked)
    async with session.open_engine(strict=True, follow=not detach, supervise=not detach) as engine:
        original = await engine.find(name)
        made = await engine.forks.fork(original.id, prompt, change)
        if original.thread_id is None:
            output.say_aside(f"The run {original.id} has no thread: its fork begins a new one.")
        if not detach:
            return await foreground.carry_or_leave(
                engine, [made], {made.id: 0}, as_json=as_json, full=asked["full"]
            )
        await foreground.detach(engine, [made], as_json=as_json)
    return 0

"""`swarm-tui login`: the login of Codex, which Codex itself changes."""

from __future__ import annotations

import click

from tui.cli.support import output
from tui.cli.support.options import everywhere, examples


@click.command(epilog=examples("login"))
@everywhere()
def login() -> int:
    """Check whether Codex is logged in; `codex login` logs in.

    The exit code is 3 where Codex is missing or not logged in.
    """
    from tui.cli.support import session

    return session.start(_check())


async def _check() -> int:
    from engine.domain.model import RunSpec
    from tui.cli.support import session

    async with session.open_engine() as engine:
        await engine.logins.require([RunSpec(prompt="", title="", project="")])
    output.say("Codex is logged in. `codex login` changes the login, `codex logout` ends it.")
    return 0

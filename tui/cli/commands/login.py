"""`swarm-tui login`: the login of Codex, which Codex itself changes."""

from __future__ import annotations

import click

from tui.cli.support import output
from tui.cli.support.options import everywhere, examples, json_option
from tui.terminal.cells import clean


@click.command(epilog=examples("login", "login --account work --json"))
@click.option("--account", metavar="NAME", help="Check this account of the settings.")
@json_option("Print one JSON object.")
@everywhere()
def login(account: str | None, as_json: bool) -> int:
    """Check whether Codex is logged in; `codex login` logs in.

    The exit code is 3 where Codex is missing or not logged in.
    """
    from tui.cli.support import session

    return session.start(_check(account, as_json=as_json))


async def _check(account: str | None, *, as_json: bool) -> int:
    from engine.domain.usage import DEFAULT_ACCOUNT
    from tui.cli.support import session

    async with session.open_engine() as engine:
        await engine.logins.require_account(account or DEFAULT_ACCOUNT)
    if as_json:
        output.say_json({"account": account or DEFAULT_ACCOUNT, "ok": True})
        return 0
    under = f" under the account {clean(account, 40)}" if account else ""
    output.say(
        f"Codex is logged in{under}. `codex login` changes the login, `codex logout` ends it."
    )
    return 0

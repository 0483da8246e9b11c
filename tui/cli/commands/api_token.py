"""`swarm-tui api token`: tokens of clients of the API."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from engine.domain.api_token import Scope
from tui.cli.support import output
from tui.cli.support.lazy import LazyCommand, LazyGroup
from tui.cli.support.options import ChoiceParam, TextParam, everywhere, examples, json_option

if TYPE_CHECKING:
    from engine.domain.api_token import ApiToken

COMMANDS = {
    "create": LazyCommand("tui.cli.commands.api_token:create", "Create a token, and print it once"),
    "ls": LazyCommand("tui.cli.commands.api_token:ls", "List the tokens, the oldest first"),
    "revoke": LazyCommand("tui.cli.commands.api_token:revoke", "Revoke a token"),
}
_ENDS = "…"


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    epilog=examples("api token create ci --scope run", "api token ls", "api token revoke ci"),
)
@everywhere()
def token() -> None:
    """Create, list and revoke the tokens of clients of the API.

    A token belongs to one client, so that it can be revoked alone. Only a hash of it is stored.
    """


@click.command(epilog=examples("api token create ci --scope run", "api token create dashboard"))
@click.argument("name", type=TextParam())
@click.option(
    "--scope",
    type=ChoiceParam(Scope),
    default=Scope.READ.value,
    show_default=True,
    help="Permit this, and the scopes before it.",
)
@json_option("Print the token as JSON.")
@everywhere()
def create(name: str, scope: str, as_json: bool) -> int:
    """Create the token NAME for a client of the API, and print it once.

    Scopes: `read` sees runs and their files; `run` also starts, ends and answers runs; `admin`
    also changes repositories, disk and settings. Only the token is printed on stdout.
    """
    from tui.cli.support import session

    async def work() -> None:
        async with session.open_engine() as engine:
            made = await engine.api_tokens.create(name, Scope(scope))
        if as_json:
            output.say_json({**token_json(made.token), "secret": made.secret})
            return
        output.say(made.secret)
        output.say_aside(f"Token {name} ({scope}). It is not shown again: keep it in a safe place.")

    return session.start(work())


@click.command(epilog=examples("api token ls", "api token ls --json"))
@json_option("Print the tokens as a JSON array.")
@everywhere()
def ls(as_json: bool) -> int:
    """List the tokens of clients of the API, the oldest first; never their secrets."""
    from tui.cli.support import session

    async def work() -> None:
        async with session.open_engine() as engine:
            found = await engine.api_tokens.all()
        if as_json:
            output.say_json([token_json(one) for one in found])
        else:
            output.say("\n".join(map(_line, found)) or "there are no tokens")

    return session.start(work())


@click.command(epilog=examples("api token revoke ci"))
@click.argument("name", type=TextParam())
@json_option("Print the revoked token as JSON.")
@everywhere()
def revoke(name: str, as_json: bool) -> int:
    """Revoke the token NAME: its requests are refused, and its streams end within seconds."""
    from tui.cli.support import session

    async def work() -> None:
        async with session.open_engine() as engine:
            revoked = await engine.api_tokens.revoke(name)
        if as_json:
            output.say_json(token_json(revoked))
        else:
            output.say(f"token {revoked.name} revoked")

    return session.start(work())


def token_json(token: ApiToken) -> dict[str, Any]:
    """Return a token as the JSON object of the public contract."""
    from engine.domain.events import iso

    return {
        "name": token.name,
        "scope": token.scope.value,
        "ends_with": token.hint,
        "created_at": iso(token.created_at),
        "last_used_at": None if token.last_used_at is None else iso(token.last_used_at),
    }


def _line(token: ApiToken) -> str:
    from tui import formatting

    used = token.last_used_at
    last = "never used" if used is None else f"used {formatting.age(time.time() - used)} ago"
    return f"{token.name}  {token.scope.value}  {_ENDS}{token.hint}  {last}"

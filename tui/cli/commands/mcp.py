"""`swarm-tui mcp`: the runs as tools for other agents."""

from __future__ import annotations

from importlib.util import find_spec

import click

from tui.cli.support.options import RunParam, everywhere, examples


@click.command(epilog=examples("mcp", "mcp --read-only", "mcp --parent k3f"))
@click.option(
    "--parent",
    type=RunParam(),
    metavar="RUN",
    help="Serve the agent of this run: it is the parent of all runs started here.",
)
@click.option("--read-only", is_flag=True, help="Offer only tools that change nothing.")
@everywhere()
def mcp(parent: str | None, read_only: bool) -> int:
    """Serve the runs to an agent as an MCP server on stdin and stdout.

    Agents start it themselves: for Codex, add it with `codex mcp add swarm-tui -- swarm-tui mcp`.
    Tools that apply, push or clean up have to be enabled in the settings (`mcp.enable`). Closing
    it leaves runs running. Needs this package's `mcp` extra.
    """
    from engine.domain.errors import user_error
    from tui.cli.support import session

    if find_spec("mcp") is None:
        raise user_error("MCP_MISSING")
    return session.start(session.unless_stopped(_mcp(parent, read_only=read_only)))


async def _mcp(parent: str | None, *, read_only: bool) -> int:
    import asyncio
    from pathlib import Path

    from tui.cli.api.scopes import Scope
    from tui.cli.mcp.caller import Caller
    from tui.cli.mcp.parent_run import find_surrounding, take_environment
    from tui.cli.mcp.stdio import serve
    from tui.cli.support import session

    async with session.open_engine(follow=True, quiet=True) as engine:
        named = await engine.find(parent) if parent else None
        run = named or find_surrounding(engine.view.runs.values())
        # Settings of the user may name the server for all of Codex, runs included.
        is_unwanted = run and not named and not engine.config.mcp.agents
        if run:
            await asyncio.to_thread(take_environment, engine.paths, run.id)
        scope = Scope.READ if read_only or is_unwanted else Scope.ADMIN
        folder = None if run else Path.cwd()
        await serve(Caller(engine, scope, run.id if run else None, folder))
    return 0

"""`swarm-tui help`: the help of a command, as `--help` shows it."""

from __future__ import annotations

import click

from tui.cli.support import output
from tui.cli.support.options import everywhere, examples


@click.command("help", epilog=examples("help", "help run", "help batch start"))
@click.argument("words", metavar="[COMMAND]", nargs=-1)
@everywhere()
@click.pass_context
def show_help(ctx: click.Context, words: tuple[str, ...]) -> int:
    """Show the help of COMMAND, or of swarm-tui."""
    context = ctx.find_root()
    for word in words:
        command = context.command
        if not isinstance(command, click.Group):
            raise click.UsageError(f"`{context.command_path}` has no commands of its own.")
        name, found, _ = command.resolve_command(context, [word])
        assert found is not None  # an unknown name was refused
        context = click.Context(found, parent=context, info_name=name)
    output.say(context.get_help())
    return 0

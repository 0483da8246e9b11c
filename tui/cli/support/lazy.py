"""Commands that are imported only when they are used: `--help` and `ls` pay for nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from engine.domain.record import record

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


@record
class LazyCommand:
    """Location of a command (`module:name`), and its one line in the list of commands."""

    where: str
    summary: str


class LazyGroup(click.Group):
    """A group that knows its commands by name until one is called."""

    def __init__(self, *, lazy: Mapping[str, LazyCommand], **attributes: Any) -> None:  # noqa: ANN401  attributes of click's group
        super().__init__(**attributes)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table, which is the order of use."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        found = self._lazy.get(cmd_name)
        if found is None:
            return None
        module, _, name = found.where.partition(":")
        return getattr(import_module(module), name)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
        """Offer the commands without importing them, or the flags."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        from click.shell_completion import CompletionItem

        return [
            CompletionItem(name, help=lazy.summary)
            for name, lazy in self._lazy.items()
            if name.startswith(incomplete)
        ]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant; a wrong name gets the nearest right one."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            name = error.command_name
            raise click.NoSuchCommand(name, possibilities=self._lazy, ctx=ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.summary) for name, lazy in self._lazy.items()])

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
    """A group that knows its commands by name until one is called, and synonyms of the names."""

    def __init__(
        self,
        *,
        lazy: Mapping[str, LazyCommand],
        synonyms: Mapping[str, str] | None = None,
        **attributes: Any,  # noqa: ANN401  attributes of click's group
    ) -> None:
        super().__init__(**attributes)
        self._lazy = lazy
        self._synonyms = synonyms or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table, which is the order of use."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of a name or of a synonym."""
        found = self._lazy.get(self._name_of(cmd_name))
        if found is None:
            return None
        module, _, name = found.where.partition(":")
        return getattr(import_module(module), name)

    def _name_of(self, word: str) -> str:
        """Return the name of the command that a word means; a command comes before a synonym."""
        return word if word in self._lazy else self._synonyms.get(word, word)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
        """Return the commands without importing them, or the flags.

        Synonyms follow when something is typed: all at once, they would hide the commands.
        """
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        from click.shell_completion import CompletionItem

        named = [(name, lazy.summary) for name, lazy in self._lazy.items()]
        synonyms = [(word, f"the same as {name}") for word, name in self._synonyms.items()]
        return [
            CompletionItem(name, help=text)
            for name, text in [*named, *(synonyms if incomplete else [])]
            if name.startswith(incomplete)
        ]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is meant; an unknown name gets the nearest known ones."""
        try:
            _, command, rest = super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            name = error.command_name
            known = [*self._lazy, *self._synonyms]
            raise click.NoSuchCommand(name, possibilities=known, ctx=ctx) from None
        return self._name_of(args[0]), command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them, then their synonyms."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.summary) for name, lazy in self._lazy.items()])
        if not self._synonyms:
            return
        words: dict[str, list[str]] = {}
        for word, name in self._synonyms.items():
            words.setdefault(name, []).append(word)
        with formatter.section("Synonyms"):
            formatter.write_dl([(name, ", ".join(same)) for name, same in words.items()])

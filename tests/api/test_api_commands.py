"""Every command has an operation, or a reason why it has none."""

from __future__ import annotations

from collections.abc import Iterator

import click

from tui.cli.api import application
from tui.cli.api.commands import OPERATIONS, WITHOUT
from tui.cli.api.description import operations
from tui.cli.main import group

KNOWN = OPERATIONS.keys() | WITHOUT.keys()


def _commands(of: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of all commands that do something themselves."""
    context = click.Context(of)
    for name in of.list_commands(context):
        command = of.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, (*words, name))
        else:
            yield (*words, name)


def _is_known(words: tuple[str, ...]) -> bool:
    """Return whether a command, or the group it is in, is in one of the tables."""
    return any(" ".join(words[:count]) in KNOWN for count in range(1, len(words) + 1))


def test_every_command_has_an_operation_or_a_reason() -> None:
    assert isinstance(group, click.Group)
    assert [" ".join(words) for words in _commands(group) if not _is_known(words)] == []
    assert not OPERATIONS.keys() & WITHOUT.keys()


def test_every_operation_is_of_a_command() -> None:
    known = {each["operationId"] for each in operations(application.document())}
    named = {name for names in OPERATIONS.values() for name in names}
    assert named - known == set()
    assert known - named == {"check_health"}

"""Commands and flags that messages name exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from engine.domain.errors import CATALOGUE
from tui.cli.main import group

ROOT = Path(__file__).resolve().parents[2]
COMMAND = re.compile(r"`(?:swarm-tui )((?:-{0,2}[\w-]+|[A-Z{}.]+|'[^']*')(?: [^`]*)?)`")
BARE = re.compile(r"`((?:retry|resume|run|cleanup|doctor|batch|logs|apply)(?: [^`]*)?)`")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
PLACES = ("engine", "tui")


def _texts() -> Iterator[tuple[str, str]]:
    """Return every string of the program that is no docstring, with its place."""
    for place in PLACES:
        for path in sorted((ROOT / place).rglob("*.py")):
            tree = ast.parse(path.read_text("utf-8"))
            inner = {
                id(part)
                for node in ast.walk(tree)
                if isinstance(node, ast.JoinedStr)
                for part in node.values
            }
            for node in ast.walk(tree):
                where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
                if isinstance(node, ast.JoinedStr):
                    parts = [p.value if isinstance(p, ast.Constant) else "X" for p in node.values]
                    yield where, "".join(map(str, parts))
                elif (
                    isinstance(node, ast.Constant)
                    and isinstance(node.value, str)
                    and id(node) not in inner
                ):
                    yield where, node.value


def _options(command: click.Command) -> set[str]:
    return {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {
        "--help"
    }


def _resolve(words: list[str]) -> tuple[click.Command, set[str]]:
    """Return the command that words name, and the flags of it and of those above it."""
    command: click.Command = group
    flags = _options(group)
    context = click.Context(group)
    for word in words:
        if not isinstance(command, click.Group) or word.startswith("-"):
            break
        found = command.get_command(context, word)
        if found is None:
            break
        command, flags = found, _options(found)
    return command, flags


def _named() -> list[tuple[str, str]]:
    found = [
        (where, line)
        for where, text in _texts()
        for pattern in (COMMAND, BARE)
        for line in pattern.findall(text)
    ]
    return sorted(set(found))


@pytest.mark.parametrize(("where", "line"), _named())
def test_command_that_a_message_names_exists(where: str, line: str) -> None:
    words = line.split()
    command, flags = _resolve(words)
    assert command is not group or words[0].startswith("-"), f"{where}: {line}"
    assert set(FLAG.findall(line)) <= flags, f"{where}: {line}"


def _all_flags(command: click.Command) -> set[str]:
    flags = _options(command)
    if isinstance(command, click.Group):
        context = click.Context(command)
        found = (command.get_command(context, name) for name in command.list_commands(context))
        flags = flags.union(*(_all_flags(one) for one in found if one))
    return flags


def test_flags_that_errors_name_exist() -> None:
    known = _all_flags(group)
    ours = [re.sub(r"`git [^`]*`", "", entry.recovery) for entry in CATALOGUE.values()]
    named = {flag for text in ours for flag in FLAG.findall(text)}
    assert named <= known


def test_the_scan_finds_commands_and_flags_that_do_not_exist() -> None:
    assert _resolve(["frobnicate"])[0] is group
    assert "--timeout" not in _resolve(["retry"])[1]
    assert "--timeout" in _resolve(["run"])[1]
    assert len(_named()) > 20

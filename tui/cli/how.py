"""How runs are to be done: the flags that `run` and `batch` have in common."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from engine.domain.model import Agent, Sandbox
from engine.domain.text import printable_name
from engine.environment import problem_of
from engine.files import expanded, real_path
from tui import readings
from tui.cli import offers
from tui.cli.options import (
    DurationType,
    File,
    Folder,
    Nearest,
    Number,
    RunName,
    TimeType,
    TokensType,
    Utf8,
)

SCHEMA_BYTES, IMAGE_BYTES = 256 * 1024, 32 * 1024**2
Function = TypeVar("Function", bound=Callable[..., Any])


def _overrides(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        key, equals, _rest = value.partition("=")
        if not key.strip() or not equals:
            raise click.BadParameter("A setting has the form KEY=TOML.")  # it may hold a secret
    return values


def _variables(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in values:
        name, equals, value = each.partition("=")
        if not equals:
            raise click.BadParameter("A variable has the form KEY=VALUE.")  # it may hold a secret
        if problem := problem_of(name, value):
            raise click.BadParameter(f"It is refused: {problem}.")
        found[name] = value
    return found


def _read(name: str, limit_bytes: int) -> bytes:
    path = expanded(name)
    try:
        if not path.is_file():
            raise click.BadParameter(f"{printable_name(name)} is not a file.")
        with path.open("rb") as file:
            content = file.read(limit_bytes + 1)
    except OSError as error:
        raise click.BadParameter(f"{printable_name(name)}: {error.strerror}.") from error
    if len(content) > limit_bytes:
        raise click.BadParameter(f"{printable_name(name)} is larger than {limit_bytes} bytes.")
    return content


def _schema(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    if name is None:
        return None
    try:
        text = _read(name, SCHEMA_BYTES).decode()
        is_schema = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        is_schema, text = False, ""
    if not is_schema:
        raise click.BadParameter(f"{printable_name(name)} is not a JSON schema: an object.")
    return text


def _images(_: click.Context, __: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        _read(name, IMAGE_BYTES)
    return tuple(str(expanded(name).absolute()) for name in names)


def _folders(_: click.Context, __: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not expanded(name).is_dir():
            raise click.BadParameter(f"{printable_name(name)} is not a folder.")
    return tuple(str(real_path(expanded(name))) for name in names)


OPTIONS = (
    click.option("--model", type=Utf8(), help="The model that Codex asks."),
    click.option("--sandbox", type=Nearest(Sandbox), help="What Codex's commands may do."),
    click.option(
        "-c",
        "codex_config",
        type=Utf8(),
        multiple=True,
        metavar="KEY=TOML",
        callback=_overrides,
        help="A setting for Codex, as `codex -c` takes it.",
    ),
    click.option(
        "--env",
        type=Utf8(),
        multiple=True,
        metavar="KEY=VALUE",
        callback=_variables,
        help="A variable for all programs of the run; repeatable. The run otherwise has the "
        "environment of this shell.",
    ),
    click.option(
        "--output-schema",
        type=File(),
        metavar="FILE",
        callback=_schema,
        help="Codex's answer has to fit this JSON schema; it is `result` in JSON and reports.",
    ),
    click.option(
        "--image",
        "images",
        type=File(),
        multiple=True,
        metavar="FILE",
        callback=_images,
        help="An image to show to Codex; repeatable. A copy is kept with the run.",
    ),
    click.option(
        "--add-dir",
        "add_dirs",
        type=Folder(),
        multiple=True,
        metavar="DIR",
        callback=_folders,
        help="A folder outside of the workspace that Codex may write in, too; repeatable.",
    ),
    click.option("--timeout", type=DurationType(), help="The time limit, such as 90s, 30m or 2h."),
    click.option(
        "--retries",
        type=Number(0, readings.MAX_RETRIES),
        metavar="N",
        help="Try again so often where that can help: overload, a cut stream, a failed check.",
    ),
    click.option(
        "--verify",
        type=Utf8(),
        metavar="CMD",
        help="Run this in the workspace afterwards: it decides, and with --retries the agent hears "
        "what it said. It runs as you, outside Codex's sandbox.",
    ),
    click.option(
        "--verify-limit",
        type=DurationType(),
        help="How long the check may take.  [default: 15m]",
    ),
    click.option(
        "--budget",
        type=TokensType(),
        metavar="TOKENS",
        help="End the run when it has used more tokens, such as 50000, 200k or 1.5M.",
    ),
    click.option(
        "--priority",
        type=int,
        default=0,
        metavar="N",
        help="Higher ones leave the queue first.",
    ),
    click.option(
        "--after",
        type=RunName(),
        multiple=True,
        metavar="RUN",
        help="Start when this run has succeeded; repeatable. If it fails, this one is cancelled.",
    ),
    click.option(
        "--at",
        type=TimeType(),
        metavar="TIME",
        help="Start no earlier: 22:30, 2031-05-04T18:30, or +30m.",
    ),
    click.option(
        "--learn-from",
        type=Utf8(),
        shell_complete=offers.lessons,
        metavar="RUN|PATTERN",
        help="Tell the agent first what worked in an earlier run, or in a pattern.",
    ),
    click.option("--agent", type=Nearest(Agent), default="codex", help="Who does the work."),
    click.option("--codex-bin", type=File(), metavar="PATH", help="The Codex CLI to use."),
)


def how_options(function: Function) -> Function:
    """Add the flags that say how a run is done."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function

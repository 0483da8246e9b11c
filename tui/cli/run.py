"""`swarm-tui run`: start a run and follow it to its end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from engine.domain.errors import user_error
from engine.domain.model import Agent, RunSpec, Sandbox, WorkspaceKind, WorkspaceSpec
from engine.domain.text import one_line
from tui.cli import output
from tui.cli.options import DurationType, Nearest, Utf8, everywhere, examples, json_option

TITLE_LIMIT = 72


def _overrides(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        key, equals, _rest = value.partition("=")
        if not key.strip() or not equals:
            raise click.BadParameter(f"{value!r} is not of the form KEY=TOML.")
    return values


@click.command(
    epilog=examples(
        "run 'Fix the failing tests'",
        "run --copy ../shop --timeout 30m - < task.md",
        "run --empty --agent simulated --json 'Write a game'",
    )
)
@click.argument("prompt", type=Utf8())
@click.option("--project", type=Utf8(), help="The label that groups runs.  [default: the folder]")
@click.option("--title", type=Utf8(), help="What lists show.  [default: from the prompt]")
@click.option("--empty", is_flag=True, help="Work in a fresh, empty folder.")
@click.option("--copy", "source", type=Utf8(), metavar="DIR", help="Work in a copy of DIR.")
@click.option("--model", type=Utf8(), help="The model that Codex asks.")
@click.option("--sandbox", type=Nearest(Sandbox), help="What Codex's commands may do.")
@click.option(
    "-c",
    "codex_config",
    type=Utf8(),
    multiple=True,
    metavar="KEY=TOML",
    callback=_overrides,
    help="A setting for Codex, as `codex -c` takes it.",
)
@click.option("--timeout", type=DurationType(), help="The time limit, such as 90s, 30m or 2h.")
@click.option("--agent", type=Nearest(Agent), default="codex", help="Who does the work.")
@click.option("--codex-bin", type=Utf8(), metavar="PATH", help="The Codex CLI to use.")
@json_option("Print one event object a line, and nothing else.")
@everywhere()
def run(prompt: str, as_json: bool, **asked: Any) -> int:  # noqa: ANN401
    """Start a run with PROMPT (- reads it from stdin) and follow it to its end.

    Ctrl-C cancels the run; a second one kills it at once.
    """
    from tui.cli import session

    if asked["empty"] and asked["source"] is not None:
        raise click.UsageError("--empty and --copy exclude each other.")
    return session.start(_run(_read() if prompt == "-" else prompt, asked, as_json))


async def _run(prompt: str, asked: dict[str, Any], as_json: bool) -> int:
    from tui.cli import displays, session
    from tui.cli.follow import Follower, carry, exit_code

    async with session.open_engine(follow=True, supervise=True) as engine:
        sandbox = asked["sandbox"] or engine.config.codex.sandbox
        spec = make_spec(prompt, asked, Sandbox(sandbox))
        _explain(asked, as_json=as_json)
        follower = Follower(engine, [await engine.start(spec)])
        await carry(engine, follower, displays.choose(follower, as_json=as_json))
    return exit_code(follower.runs.values())


def make_spec(prompt: str, asked: dict[str, Any], sandbox: Sandbox) -> RunSpec:
    """Make what the user asked for complete: title, project and workspace have defaults."""
    here = _here()
    source = None if asked["empty"] else _absolute(here, asked["source"] or ".")
    kind = WorkspaceKind.EMPTY if source is None else WorkspaceKind.COPY
    return RunSpec(
        prompt=prompt,
        title=asked["title"] or one_line(prompt, TITLE_LIMIT),
        project=asked["project"] or (source or here).name or "default",
        agent=Agent(asked["agent"]),
        codex_bin=asked["codex_bin"],
        workspace=WorkspaceSpec(kind, None if source is None else str(source)),
        model=asked["model"],
        sandbox=sandbox,
        codex_config=asked["codex_config"],
        timeout_s=asked["timeout"],
    )


def _explain(asked: dict[str, Any], *, as_json: bool) -> None:
    here = _here()
    chosen = asked["empty"] or asked["source"] is not None
    if chosen or not any(_is_repository(folder) for folder in (here, *here.parents)):
        return
    text = "note: worktrees are not there yet; the run works in a copy of this folder"
    output.say_aside(text) if as_json else output.say(text)


def _is_repository(folder: Path) -> bool:
    git = folder / ".git"
    return git.is_file() or (git / "HEAD").exists()


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise user_error(
            "SOURCE_NOT_FOUND", "The current folder no longer exists.", "Change to another folder."
        ) from None


def _absolute(here: Path, folder: str) -> Path:
    return Path(here / Path(folder).expanduser()).resolve()


def _read() -> str:
    return sys.stdin.buffer.read().decode("utf-8", "replace")

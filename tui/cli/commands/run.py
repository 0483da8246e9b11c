"""`swarm-tui run`: start a run and follow it to its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.domain.model import RunSpec, Sandbox, WorkspaceKind, WorkspaceSpec
from tui.cli.support.named_paths import here
from tui.cli.support.options import (
    NumberParam,
    TemplateParam,
    TextParam,
    everywhere,
    examples,
    full_option,
    json_option,
    read_stdin,
)
from tui.cli.support.run_options import how_options, run_values, task_options, values_of
from tui.cli.support.run_specs import before, complete
from tui.cli.support.workspace_options import workspace_of, workspace_options

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort


@click.command(
    epilog=examples(
        "run 'Fix the failing tests'",
        "run -t test -p path=src",
        "run --copy ../shop --timeout 30m - < task.md",
        "run --trust 'Upgrade the parser'",
        "run --empty --agent simulated --json 'Write a game'",
        "run --detach --retries 3 --budget 500k 'Tidy up the tests'",
        "run --count 3 -m gpt-5.5 'Make the tests faster'",
        "run --after @last --at 22:00 'Update the changelog'",
    )
)
@click.argument("prompt", type=TextParam(), required=False)
@click.option("-t", "--template", type=TemplateParam(), metavar="NAME", help="Use this template.")
@click.option(
    "-p",
    "params",
    type=TextParam(),
    multiple=True,
    metavar="KEY=VALUE",
    help="Set a parameter of the template.",
)
@task_options
@workspace_options
@how_options
@click.option(
    "--count",
    type=NumberParam(1, 1000),
    default=1,
    metavar="N",
    help="Start N copies as a batch, each in its own workspace (best of N).",
)
@click.option("-d", "--detach", is_flag=True, help="Print the id and return; the run continues.")
@full_option
@json_option("Print one event object a line, or with --detach the run object; nothing else.")
@everywhere()
def run(prompt: str | None, as_json: bool, **asked: Any) -> int:  # noqa: ANN401  click passes options by name
    """Start a run with PROMPT (- reads it from stdin) and follow it to its end.

    With a template, PROMPT is optional and appended to the template's prompt.

    Ctrl-C asks on a terminal whether to leave the run in the background or to cancel it; a second
    one cancels, a third kills at once. Without a terminal the first one cancels. SIGTERM and the
    end of the terminal leave the run in the background.
    """
    from tui.cli.support import session

    if prompt is None and not asked["template"]:
        raise click.UsageError("Missing argument 'PROMPT', or a template with -t.")
    if asked["params"] and not asked["template"]:
        raise click.UsageError("-p goes with -t.")
    asked["workspace"] = workspace_of(asked)
    prompt = read_stdin() if prompt == "-" else prompt or ""
    if asked["count"] > 1:
        from tui.cli.commands.batch import start_copies

        return session.start(start_copies(prompt, asked, as_json=as_json))
    return session.start(_run(prompt, asked, as_json))


async def _run(prompt: str, asked: dict[str, Any], as_json: bool) -> int:
    from tui.cli.support import foreground, session, trust_prompt

    there = not asked["detach"]
    async with session.open_engine(strict=True, follow=there, supervise=there) as engine:
        sandbox = asked["sandbox"] or engine.config.codex.sandbox
        after = await before(engine, asked["after"])
        spec = make_spec(prompt, asked | {"after": after}, Sandbox(sandbox))
        if asked["template"]:
            spec = await _filled(engine, spec, asked, may_ask=not as_json)
        spec = await trust_prompt.settle(engine, spec, trust=asked["trust"], may_ask=not as_json)
        started = await engine.start(spec)
        if there:
            return await foreground.carry_or_leave(
                engine, [started], as_json=as_json, full=asked["full"]
            )
        await foreground.detach(engine, [started], as_json=as_json)
    return 0


async def _filled(
    engine: EnginePort, spec: RunSpec, asked: dict[str, Any], *, may_ask: bool
) -> RunSpec:
    """Return `spec` with the template's values where the user set none; raises `UserError`."""
    from tui.cli.commands.templates import pairs
    from tui.cli.support import trust_prompt

    root = engine.templates.repository_of(spec.workspace)
    template = await engine.templates.find(asked["template"], root)
    given = pairs(asked["params"])
    engine.templates.preview(template, given)  # what is wrong with them comes before any question
    said = set(values_of(asked))
    trust = asked["trust"]
    await trust_prompt.settle_template(
        engine, template, spec, said, given, trust=trust, may_ask=may_ask
    )
    return await engine.templates.fill(template, given, spec, said)


def make_spec(prompt: str, asked: dict[str, Any], sandbox: Sandbox) -> RunSpec:
    """Return what the user asked for as a whole: title, project and workspace have defaults."""
    workspace: WorkspaceSpec = asked["workspace"]
    is_named = workspace.source and workspace.kind is not WorkspaceKind.FROM_RUN
    folder = Path() if is_named else here()
    return complete(prompt, workspace, run_values(asked), sandbox, folder)

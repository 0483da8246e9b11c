"""`swarm-tui batch`: one task many times over, and what came of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Coroutine
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from engine.domain.model import Sandbox, WorkspaceKind, WorkspaceSpec
from tui.cli.support import output
from tui.cli.support.lazy import LazyCommand, LazyGroup
from tui.cli.support.options import (
    BudgetParam,
    FileParam,
    NumberParam,
    TemplateParam,
    TextParam,
    everywhere,
    examples,
    full_option,
    json_option,
    read_stdin,
)
from tui.cli.support.run_options import how_options, task_options
from tui.cli.support.run_specs import KINDS
from tui.cli.support.workspace_options import usual, workspace_of, workspace_options

if TYPE_CHECKING:
    from engine.batches.service import Told
    from engine.engine import BatchPlan, BatchRequest, Consent
    from engine.ports.engine import EnginePort

T = TypeVar("T")
COMMANDS = {
    "start": LazyCommand(
        "tui.cli.commands.batch:start", "Start a batch and follow it (needs no name)"
    ),
    "ls": LazyCommand("tui.cli.commands.batch_results:ls", "List the batches, newest first"),
    "show": LazyCommand(
        "tui.cli.commands.batch_results:show", "Show a batch, the best of its runs first"
    ),
    "compare": LazyCommand(
        "tui.cli.commands.compare:compare_batch", "Put the runs of a task side by side"
    ),
    "report": LazyCommand(
        "tui.cli.commands.batch_results:report", "Write the results as Markdown, CSV or JSON"
    ),
    "cancel": LazyCommand(
        "tui.cli.commands.batch_actions:cancel", "Stop what of a batch has not ended"
    ),
    "retry": LazyCommand(
        "tui.cli.commands.batch_actions:retry", "Start what failed again, and follow it"
    ),
    "apply": LazyCommand("tui.cli.commands.batch_actions:apply", "Apply the best run of each task"),
    "drop": LazyCommand(
        "tui.cli.commands.batch_actions:drop", "Delete the workspaces of those that did not win"
    ),
}
SHOWN = 8
"""Runs that are named before a batch is started."""


class BatchGroup(LazyGroup):
    """A group whose first command needs no name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Pass words that do not name a command to the first one; print the help without words."""
        if not args:
            output.say(ctx.get_help())
            ctx.exit(2)
        if args and args[0] not in self._lazy and args[0] not in ("-h", "--help"):
            args = ["start", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=BatchGroup,
    lazy=COMMANDS,
    epilog=examples(
        "batch -t test --matrix path=src,lib --count 2",
        "batch 'Translate the guide into {{ language }}' --from languages.csv",
        "batch --from feature.yaml --detach",
        "batch show @last",
        "batch apply @last --drop",
    ),
)
@everywhere()
def batch() -> None:
    """Start many runs: a template or prompt × rows of a file × a matrix × copies.

    `swarm-tui batch start --help` lists the flags. BATCH is a batch's name, any unique beginning of
    it, or @last.
    """


@click.command(
    epilog=examples(
        "batch -t test --matrix path=src,lib --matrix model=gpt-5.5,gpt-5.5-mini",
        "batch 'Fix the flaky test' --count 3 --verify 'make test'",
        "batch -t doc --from files.csv --dry-run",
        "batch --from feature.yaml --yes --total-budget 2M",
        "batch -t test --matrix path=src,lib --learn-from @last --detach --json",
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
    help="Set a parameter of the template for all runs.",
)
@click.option(
    "--from",
    "file",
    type=FileParam(),
    metavar="FILE",
    help="Start one run for each row of a .csv, .jsonl or .yaml file; or a flow of steps (.yaml).",
)
@click.option(
    "--matrix",
    type=TextParam(),
    multiple=True,
    metavar="KEY=a,b,c",
    help="Start one run for each value; repeatable: all combinations. KEY is a parameter, "
    "or model, repository, base.",
)
@click.option(
    "--count",
    type=NumberParam(1, 1000),
    default=1,
    metavar="N",
    help="Run each task N times (best of N).",
)
@click.option(
    "--name", type=TextParam(), help="Set the name of the batch.  [default: the template or file]"
)
@click.option(
    "--total-budget",
    type=BudgetParam(),
    metavar="AMOUNT",
    help="Limit all runs together, in tokens, money or percent as --budget; the rest ends with "
    "BUDGET_EXCEEDED.",
)
@task_options
@workspace_options
@how_options
@click.option("--dry-run", is_flag=True, help="Check all rows and print the runs; start nothing.")
@click.option("-y", "--yes", "--force", "yes", is_flag=True, help="Start without asking.")
@click.option(
    "-d", "--detach", is_flag=True, help="Print the batch's name and return; the runs continue."
)
@full_option
@json_option("Print one event object a line; with --detach the batch, with --dry-run the plan.")
@everywhere()
def start(prompt: str | None, as_json: bool, **asked: Any) -> int:  # noqa: ANN401  click passes options by name
    """Start a run for each row of a file × each value of a matrix × each copy, and follow them.

    PROMPT and --title may name columns: {{ city }}. Columns are parameters of the template; the
    columns model, repository, base, cwd, output_schema, images, add_dirs, title and prompt set
    options of the run. All rows are checked first: one mistake starts nothing. On a terminal the
    command asks before it starts.
    """
    from tui.cli.support import session

    if not (asked["file"] or asked["matrix"] or asked["count"] > 1):
        near = get_close_matches(prompt or "", COMMANDS, n=1)
        meant = f" Or did you mean 'batch {near[0]}'?" if near else ""
        raise click.UsageError(
            f"Choose the runs: --from FILE, --matrix KEY=a,b or --count N.{meant}"
        )
    if not (prompt or asked["template"] or asked["file"]):
        raise click.UsageError("Missing argument 'PROMPT', a template with -t, or --from FILE.")
    is_usual = not any(asked[name] for name in KINDS)
    asked["usual"] = partial(usual, asked=asked) if is_usual else None
    asked["workspace"] = workspace_of(asked)
    return session.start(_start(read_stdin() if prompt == "-" else prompt or "", asked, as_json))


async def start_copies(prompt: str, asked: dict[str, Any], *, as_json: bool) -> int:
    """Start several copies of one run as a batch, as `run --count` does."""
    of_batch = {"file": None, "matrix": (), "name": None, "total_budget": None, "usual": None}
    return await _start(prompt, {**asked, **of_batch, "dry_run": False, "yes": True}, as_json)


async def _start(prompt: str, asked: dict[str, Any], as_json: bool) -> int:
    from tui.cli.support import session

    there = not (asked["detach"] or asked["dry_run"])
    async with session.open_engine(strict=True, follow=there, supervise=there) as engine:
        order = await _order(engine, prompt, asked)
        parts = _StartParts()
        plan = await parts.shown(lambda told: engine.swarms.plan(order, told))
        is_dry = asked["dry_run"]
        consents = await _settle(engine, plan, asked, may_ask=not as_json)
        plan = await parts.checked(engine, plan, ask_later=is_dry)
        may_ask = (
            there and not (asked["yes"] or as_json) and output.is_terminal(sys.stdin, sys.stdout)
        )
        if asked["dry_run"] or may_ask:
            await _preview(engine, plan, consents, as_json=as_json)
        elif not as_json and output.is_terminal(sys.stdin, sys.stdout):
            await _print_estimate(engine, plan)
        if asked["dry_run"]:
            return 0
        if may_ask and not click.confirm(f"Start {_runs(plan)}?", default=True, err=True):
            from tui.cli.support.failure import EXIT_CANCELLED

            return EXIT_CANCELLED
        return await _started(engine, plan, asked, parts, as_json=as_json)


class _StartParts:
    """Parts of a start, each with its progress in sight; Ctrl-C stops it, and starts nothing."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    async def checked(self, engine: EnginePort, plan: BatchPlan, *, ask_later: bool) -> BatchPlan:
        """Return the checked plan."""
        return await self.shown(lambda told: engine.swarms.check(plan, told, ask_later=ask_later))

    async def shown(self, work: Callable[[Told], Coroutine[Any, Any, T]]) -> T:
        """Do a part and return its result; raises `click.Abort` where the user stops it."""
        from tui.cli.support.work_line import work_line

        with work_line(self._began) as line:
            done = await line.unless_stopped(work(line.tell_of))
        if done is None:
            output.say_aside("Stopped: no run was started.")
            raise click.Abort
        return done


async def _started(
    engine: EnginePort,
    plan: BatchPlan,
    asked: dict[str, Any],
    parts: _StartParts,
    *,
    as_json: bool,
) -> int:
    from tui.cli.support import foreground
    from tui.cli.support.batch_follow import follow_batch
    from tui.cli.support.batch_state import state_json

    swarm, runs = await parts.shown(lambda told: engine.swarms.start(plan, told=told))
    if not asked["detach"]:
        return await follow_batch(engine, swarm, runs, as_json=as_json, full=asked["full"])
    foreground.go_on(engine.paths)
    if as_json:
        output.say_json(await state_json(engine, swarm))
    else:
        output.say(swarm.id)
    return 0


async def _order(engine: EnginePort, prompt: str, asked: dict[str, Any]) -> BatchRequest:
    from engine.engine import BatchRequest, read_matrix
    from tui.cli.commands.run import make_spec
    from tui.cli.commands.templates import pairs
    from tui.cli.support.named_paths import absolute
    from tui.cli.support.run_options import values_of
    from tui.cli.support.run_specs import before

    after = await before(engine, asked["after"])
    sandbox = Sandbox(asked["sandbox"] or engine.config.codex.sandbox)
    return BatchRequest(
        make_spec(prompt, asked | {"after": after}, sandbox),
        frozenset(values_of(asked)),
        asked["template"],
        pairs(asked["params"]),
        absolute(asked["file"]) if asked["file"] else None,
        read_matrix(asked["matrix"]),
        asked["count"],
        asked["name"],
        asked["total_budget"],
        asked["usual"],
    )


async def _settle(
    engine: EnginePort, plan: BatchPlan, asked: dict[str, Any], *, may_ask: bool
) -> list[Consent]:
    """Ask about all that is not trusted; return it where nothing is to start."""
    from tui.cli.support import trust_prompt

    wanted = await engine.swarms.consents(plan)
    if asked["dry_run"]:
        return wanted
    for each in wanted:
        await trust_prompt.ask(engine, each, trust=asked["trust"], may_ask=may_ask)
    return []


async def _preview(
    engine: EnginePort, plan: BatchPlan, consents: list[Consent], *, as_json: bool
) -> None:
    from tui import formatting
    from tui.cli.support import trust_prompt
    from tui.cli.support.batch_state import plan_json
    from tui.formatting.estimates import estimate_words

    if as_json:
        output.say_json(await plan_json(engine, plan, consents))
        return
    size, free = await engine.swarms.size(plan), engine.disk.free()
    specs = [each.spec for each in plan.planned]
    estimate = await engine.usage.estimate(specs)
    lines = [f"  {spec.title}" for spec in specs[:SHOWN]]
    if len(specs) > SHOWN:
        lines.append(f"  and {len(specs) - SHOWN} more")
    disk = "of unknown size" if size is None else f"up to {formatting.size(size)}"
    disk = (
        f"{disk} on disk, {formatting.size(free)} are free"
        if size != 0
        else "nothing on disk at first"
    )
    where = ", ".join(sorted({_place(spec.workspace) for spec in specs})[:3])
    lines.append(f"{_runs(plan)} in {where}: {disk}")
    lines += [estimate_words(estimate)] if estimate else []
    for each in consents:
        lines += trust_prompt.listed(each, SHOWN)
    if consents:
        lines.append("--trust trusts that as it is now.")
    output.say("\n".join(lines))


async def _print_estimate(engine: EnginePort, plan: BatchPlan) -> None:
    """Print what the runs will use, where no question is asked about them."""
    from tui.formatting.estimates import estimate_words

    if estimate := await engine.usage.estimate([each.spec for each in plan.planned]):
        output.say_aside(estimate_words(estimate))


def _place(workspace: WorkspaceSpec) -> str:
    if workspace.kind is WorkspaceKind.EMPTY:
        return "empty folders"
    if workspace.kind is WorkspaceKind.IN_PLACE:
        return f"{workspace.source} itself"
    kind = {WorkspaceKind.WORKTREE: "worktrees", WorkspaceKind.COPY: "copies"}
    return f"{kind.get(workspace.kind, 'copies')} of {Path(workspace.source or '').name}"


def _runs(plan: BatchPlan) -> str:
    return f"{len(plan.planned)} run{'' if len(plan.planned) == 1 else 's'}"

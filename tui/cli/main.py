"""The command line: its commands, and the one place where failures become exit codes."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from tui.cli import COMPLETE
from tui.cli.support import failure, output
from tui.cli.support.lazy import LazyCommand, LazyGroup
from tui.cli.support.options import GlobalOptions, everywhere, examples

COMMANDS = {
    "run": LazyCommand("tui.cli.commands.run:run", "Start a run and follow it to its end"),
    "batch": LazyCommand(
        "tui.cli.commands.batch:batch", "Start many runs at once, and see what came of them"
    ),
    "ls": LazyCommand("tui.cli.commands.ls:ls", "List runs, newest first"),
    "show": LazyCommand("tui.cli.commands.ls:show", "Show all about one run"),
    "search": LazyCommand("tui.cli.commands.search:search", "Search what all runs said and did"),
    "watch": LazyCommand("tui.cli.commands.watch:watch", "Follow runs until they have ended"),
    "logs": LazyCommand(
        "tui.cli.commands.logs:logs", "Print what a run did, or what its agent wrote"
    ),
    "cancel": LazyCommand("tui.cli.commands.cancel:cancel", "Stop runs"),
    "retry": LazyCommand(
        "tui.cli.commands.retry:retry", "Start the next attempt of ended runs and follow it"
    ),
    "resume": LazyCommand(
        "tui.cli.commands.resume:resume", "Continue the thread of an ended run with a message"
    ),
    "wait": LazyCommand("tui.cli.commands.wait:wait", "Wait until runs have ended"),
    "pause": LazyCommand("tui.cli.commands.queue:pause", "Start nothing more from the queue"),
    "unpause": LazyCommand("tui.cli.commands.queue:unpause", "Let the queue go on"),
    "slots": LazyCommand(
        "tui.cli.commands.queue:slots", "Print or set how many runs may be active at a time"
    ),
    "supervise": LazyCommand(
        "tui.cli.commands.supervise:supervise", "Work off the queue without a screen"
    ),
    "doctor": LazyCommand(
        "tui.cli.commands.doctor:doctor", "Look at what runs need, and say what to do"
    ),
    "config": LazyCommand("tui.cli.commands.config:config", "Print, find or check the settings"),
    "files": LazyCommand("tui.cli.commands.files:files", "List a folder of a run's workspace"),
    "get": LazyCommand("tui.cli.commands.files:get", "Fetch a file from a run's workspace"),
    "artifacts": LazyCommand("tui.cli.commands.files:artifacts", "List the files a run saved"),
    "diff": LazyCommand("tui.cli.commands.changes:diff", "Show what a run changed"),
    "apply": LazyCommand(
        "tui.cli.commands.changes:apply", "Put what runs changed into their source"
    ),
    "restore": LazyCommand(
        "tui.cli.commands.changes:restore", "Put a workspace back to a checkpoint"
    ),
    "templates": LazyCommand(
        "tui.cli.commands.templates:templates", "List, show, make and check run templates"
    ),
    "patterns": LazyCommand(
        "tui.cli.commands.patterns:patterns", "List, show, edit and share what worked"
    ),
    "webhooks": LazyCommand(
        "tui.cli.commands.webhooks:webhooks", "List and test who is told of events"
    ),
    "completion": LazyCommand(
        "tui.cli.support.completion:completion", "Make your shell complete what you type"
    ),
    "du": LazyCommand("tui.cli.commands.du:du", "Say what takes room"),
    "cleanup": LazyCommand(
        "tui.cli.commands.cleanup:cleanup", "Delete workspaces, into a trash that gives back"
    ),
    "serve": LazyCommand(
        "tui.cli.commands.serve:serve", "Show the dashboard in a browser on this machine"
    ),
    "demo": LazyCommand(
        "tui.cli.commands.demo:demo", "Show it all with simulated runs on a throw-away home"
    ),
}


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        output.say(f"swarm-tui {version('swarm-tui')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "",
        "run 'Fix the failing tests'",
        "ls --status failed",
        "watch @last",
        "apply @last --check",
    )
    + "\n\nRUN is any unique beginning of a run's id, or @last. "
    "Exit codes: 0 done, 1 a run failed, 2 wrong usage, 3 an error you can mend, "
    "124 timed out, 130 cancelled.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Print the version and exit.",
)
@everywhere(hidden=False)
@click.pass_context
def group(ctx: click.Context) -> int | None:
    """Run a swarm of Codex agents; without a command, open the dashboard."""
    if ctx.invoked_subcommand is not None:
        return None
    from tui.cli.commands.dashboard import open_dashboard

    return open_dashboard()


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (by default this process's) and give the exit code."""
    output.prepare()
    settings = GlobalOptions()
    if COMPLETE in os.environ:
        from tui.cli.support import completion

        return completion.answer(group)
    try:
        result = group.main(arguments, prog_name="swarm-tui", standalone_mode=False, obj=settings)
    except click.ClickException as error:
        failure.tell_usage(error)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return failure.EXIT_CANCELLED
    except Exception as error:
        return failure.report(error, as_json=settings.json, debug=settings.debug)
    return result if isinstance(result, int) else 0

"""The command line: its commands, and the one place where failures become exit codes."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from tui.cli import COMPLETE, failure, output
from tui.cli.lazy import Lazy, LazyGroup
from tui.cli.options import Settings, everywhere, examples

COMMANDS = {
    "run": Lazy("tui.cli.run:run", "Start a run and follow it to its end"),
    "batch": Lazy("tui.cli.batch:batch", "Start many runs at once, and see what came of them"),
    "ls": Lazy("tui.cli.listing:ls", "List runs, newest first"),
    "show": Lazy("tui.cli.listing:show", "Show all about one run"),
    "search": Lazy("tui.cli.search:search", "Search what all runs said and did"),
    "watch": Lazy("tui.cli.watch:watch", "Follow runs until they have ended"),
    "logs": Lazy("tui.cli.logs:logs", "Print what a run did, or what its agent wrote"),
    "cancel": Lazy("tui.cli.cancel:cancel", "Stop runs"),
    "retry": Lazy("tui.cli.retry:retry", "Start the next attempt of ended runs and follow it"),
    "resume": Lazy("tui.cli.resume:resume", "Continue the thread of an ended run with a message"),
    "wait": Lazy("tui.cli.wait:wait", "Wait until runs have ended"),
    "pause": Lazy("tui.cli.queue:pause", "Start nothing more from the queue"),
    "unpause": Lazy("tui.cli.queue:unpause", "Let the queue go on"),
    "slots": Lazy("tui.cli.queue:slots", "Print or set how many runs may be active at a time"),
    "supervise": Lazy("tui.cli.supervise:supervise", "Work off the queue without a screen"),
    "doctor": Lazy("tui.cli.doctor:doctor", "Look at what runs need, and say what to do"),
    "config": Lazy("tui.cli.settings:config", "Print, find or check the settings"),
    "files": Lazy("tui.cli.files:files", "List a folder of a run's workspace"),
    "get": Lazy("tui.cli.files:get", "Fetch a file from a run's workspace"),
    "artifacts": Lazy("tui.cli.files:artifacts", "List the files a run saved"),
    "diff": Lazy("tui.cli.changes:diff", "Show what a run changed"),
    "apply": Lazy("tui.cli.changes:apply", "Put what runs changed into their source"),
    "restore": Lazy("tui.cli.changes:restore", "Put a workspace back to a checkpoint"),
    "templates": Lazy("tui.cli.templates:templates", "List, show, make and check run templates"),
    "patterns": Lazy("tui.cli.patterns:patterns", "List, show, edit and share what worked"),
    "webhooks": Lazy("tui.cli.webhooks:webhooks", "List and test who is told of events"),
    "completion": Lazy("tui.cli.completion:completion", "Make your shell complete what you type"),
    "du": Lazy("tui.cli.disk:du", "Say what takes room"),
    "cleanup": Lazy("tui.cli.cleanup:cleanup", "Delete workspaces, into a trash that gives back"),
    "serve": Lazy("tui.cli.serve:serve", "Show the dashboard in a browser on this machine"),
    "demo": Lazy("tui.cli.demo:demo", "Show it all with simulated runs on a throw-away home"),
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
    from tui.cli.dashboard import open_dashboard

    return open_dashboard()


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (by default this process's) and give the exit code."""
    output.prepare()
    settings = Settings()
    if COMPLETE in os.environ:
        from tui.cli import completion

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

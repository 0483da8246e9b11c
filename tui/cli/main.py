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
    "batch": LazyCommand("tui.cli.commands.batch:batch", "Start and manage batches of many runs"),
    "ls": LazyCommand("tui.cli.commands.ls:ls", "List runs, newest first"),
    "show": LazyCommand("tui.cli.commands.show:show", "Show the details of a run"),
    "search": LazyCommand("tui.cli.commands.search:search", "Search the history of all runs"),
    "watch": LazyCommand("tui.cli.commands.watch:watch", "Follow runs until they have ended"),
    "logs": LazyCommand("tui.cli.commands.logs:logs", "Print the log or output of a run"),
    "inbox": LazyCommand("tui.cli.commands.inbox:inbox", "List what agents ask for"),
    "approve": LazyCommand("tui.cli.commands.approve:approve", "Approve requests of agents"),
    "deny": LazyCommand("tui.cli.commands.approve:deny", "Deny requests of agents"),
    "answer": LazyCommand("tui.cli.commands.answer:answer", "Answer the questions of an agent"),
    "rules": LazyCommand(
        "tui.cli.commands.rules:rules", "List, add and remove rules that answer requests"
    ),
    "send": LazyCommand("tui.cli.commands.send:send", "Send a message to an agent at work"),
    "interrupt": LazyCommand("tui.cli.commands.send:interrupt", "End the turn of an agent"),
    "cancel": LazyCommand("tui.cli.commands.cancel:cancel", "Stop runs"),
    "retry": LazyCommand("tui.cli.commands.retry:retry", "Retry ended runs and follow them"),
    "resume": LazyCommand(
        "tui.cli.commands.resume:resume", "Continue the thread of an ended run with a message"
    ),
    "codex": LazyCommand(
        "tui.cli.commands.codex:codex", "Open the thread of an ended run in interactive Codex"
    ),
    "fork": LazyCommand(
        "tui.cli.commands.fork:fork", "Start a run on copies of an ended run's workspace and thread"
    ),
    "wait": LazyCommand("tui.cli.commands.wait:wait", "Wait until runs have ended"),
    "pause": LazyCommand("tui.cli.commands.queue:pause", "Pause the queue"),
    "unpause": LazyCommand("tui.cli.commands.queue:unpause", "Resume the queue"),
    "queue": LazyCommand(
        "tui.cli.commands.queue:queue", "Show the queue, or start runs although they are held"
    ),
    "nodes": LazyCommand("tui.cli.commands.nodes:nodes", "Show the nodes of the cluster"),
    "slots": LazyCommand("tui.cli.commands.queue:slots", "Print or set the number of slots"),
    "supervise": LazyCommand(
        "tui.cli.commands.supervise:supervise", "Run the queue without a dashboard"
    ),
    "doctor": LazyCommand("tui.cli.commands.doctor:doctor", "Check this machine and suggest fixes"),
    "login": LazyCommand("tui.cli.commands.login:login", "Check the login of Codex"),
    "config": LazyCommand(
        "tui.cli.commands.config:config", "Print, locate, edit or check the settings"
    ),
    "files": LazyCommand("tui.cli.commands.files:files", "List a folder of a run's workspace"),
    "get": LazyCommand("tui.cli.commands.files:get", "Fetch a file from a run's workspace"),
    "artifacts": LazyCommand("tui.cli.commands.files:artifacts", "List files saved by a run"),
    "diff": LazyCommand("tui.cli.commands.changes:diff", "Show the changes of a run"),
    "compare": LazyCommand("tui.cli.commands.compare:compare", "Compare runs side by side"),
    "apply": LazyCommand(
        "tui.cli.commands.apply:apply", "Apply the changes of runs to their source"
    ),
    "restore": LazyCommand(
        "tui.cli.commands.changes:restore", "Restore a checkpoint of a workspace"
    ),
    "dismiss": LazyCommand("tui.cli.commands.put_aside:dismiss", "Put ended runs aside"),
    "undismiss": LazyCommand(
        "tui.cli.commands.put_aside:undismiss", "Make dismissed runs need attention again"
    ),
    "archive": LazyCommand("tui.cli.commands.put_aside:archive", "Leave ended runs out of lists"),
    "unarchive": LazyCommand("tui.cli.commands.put_aside:unarchive", "List archived runs again"),
    "tag": LazyCommand("tui.cli.commands.tag:tag", "Add tags to a run, or remove them"),
    "note": LazyCommand("tui.cli.commands.tag:note", "Set the note of a run"),
    "comment": LazyCommand("tui.cli.commands.comments:comment", "Comment on lines of a run's file"),
    "comments": LazyCommand(
        "tui.cli.commands.comments:comments", "List, edit and remove comments on a run"
    ),
    "reviewed": LazyCommand(
        "tui.cli.commands.reviewed:reviewed", "List and mark the reviewed files of a run"
    ),
    "update": LazyCommand(
        "tui.cli.commands.update:update", "Move workspaces onto the newest commit of their base"
    ),
    "push": LazyCommand("tui.cli.commands.push:push", "Push the branch of a run to a remote"),
    "pr": LazyCommand("tui.cli.commands.pr:pr", "Read the pull requests of runs"),
    "templates": LazyCommand(
        "tui.cli.commands.templates:templates", "List, show, create and check templates"
    ),
    "patterns": LazyCommand(
        "tui.cli.commands.patterns:patterns", "List, show, edit and share patterns"
    ),
    "webhooks": LazyCommand(
        "tui.cli.commands.webhooks:webhooks", "List and test receivers of notifications"
    ),
    "completion": LazyCommand(
        "tui.cli.support.completion:completion", "Print a completion script for your shell"
    ),
    "usage": LazyCommand(
        "tui.cli.commands.usage:usage", "Show tokens, estimated cost and rate limits"
    ),
    "du": LazyCommand("tui.cli.commands.du:du", "Show disk usage"),
    "cleanup": LazyCommand(
        "tui.cli.commands.cleanup:cleanup", "Move workspaces of ended runs to the trash"
    ),
    "forget": LazyCommand(
        "tui.cli.commands.forget:forget", "Remove ended runs with their records and files"
    ),
    "serve": LazyCommand("tui.cli.commands.serve:serve", "Open the dashboard in a browser"),
    "api": LazyCommand("tui.cli.commands.api:api", "Serve the HTTP API, and manage its tokens"),
    "mcp": LazyCommand("tui.cli.commands.mcp:mcp", "Serve the runs to other agents (MCP)"),
    "node": LazyCommand("tui.cli.commands.node:node", "Run agents here for other machines"),
    "cluster": LazyCommand(
        "tui.cli.commands.cluster:cluster", "Start a scheduler or a trial; make certificates"
    ),
    "demo": LazyCommand("tui.cli.commands.demo:demo", "Show simulated runs in a temporary home"),
    "help": LazyCommand("tui.cli.commands.help:show_help", "Show the help of a command"),
}
SYNONYMS = {
    "start": "run",
    "new": "run",
    "exec": "run",
    "ps": "ls",
    "list": "ls",
    "status": "ls",
    "tail": "watch",
    "attach": "watch",
    "stop": "cancel",
    "kill": "cancel",
    "rm": "cleanup",
    "limits": "usage",
    "cost": "usage",
}
"""Words that users of other tools type, and the commands that they mean."""


def command_names() -> frozenset[str]:
    """Return the words that the command line knows as commands."""
    return frozenset({*COMMANDS, *SYNONYMS})


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        output.say(f"swarm-tui {version('swarm-tui')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    synonyms=SYNONYMS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "",
        "run 'Fix the failing tests'",
        "ls --status failed",
        "watch @last",
        "apply @last --check",
    )
    + "\n\nRUN is a run's id, its unique beginning or end, or @last; `ls` shows "
    "in bold what is enough. "
    "Exit codes: 0 done, 1 a run failed, 2 wrong usage, 3 an error you can fix, "
    "124 timed out, 130 cancelled.",
)
@click.option(
    "-V",
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

    return open_dashboard(command_names)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (by default this process's) and return the exit code."""
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

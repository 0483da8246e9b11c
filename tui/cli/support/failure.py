"""Failures on the command line: one panel or one JSON object, and an exit code."""

from __future__ import annotations

import errno
import sys
import traceback
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, cast

from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.model import ErrorInfo
from engine.domain.secrets import hide
from engine.domain.text import one_line, printable
from engine.domain.transient import transient
from tui.cli.support import output

if TYPE_CHECKING:
    import click

EXIT_FAILED = 1
EXIT_USER_ERROR = 3
EXIT_NEEDS_INPUT = 75
EXIT_TIMED_OUT = 124
EXIT_CANCELLED = 130
EXIT_PIPE_CLOSED = 141  # what a shell shows for a program that SIGPIPE ended


def report(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Show an exception to the user and return the exit code."""
    error = _innermost(error)
    if debug and not isinstance(error, output.PipeClosed):
        output.say_aside(hide("".join(traceback.format_exception(error)).rstrip()))
    if isinstance(error, (output.PipeClosed, BrokenPipeError)):
        output.forget(sys.stdout)
        return EXIT_PIPE_CLOSED
    if isinstance(error, output.Unwritable):
        tell(os_failure(cast("OSError", error.__cause__)).info)
        return EXIT_USER_ERROR
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        output.forget(sys.stdout)  # click may have written its help there
        error = os_failure(error)
    with suppress(output.PipeClosed, output.Unwritable):
        tell((error if isinstance(error, UserError) else _internal(error)).info, as_json=as_json)
    return EXIT_USER_ERROR


def tell_usage(error: click.ClickException) -> None:
    """Print the problem in the words of a command, and where its help is."""
    import click

    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None:
        output.say_aside(context.get_usage())
        output.say_aside(f"Try '{context.command_path} --help' for help.\n")
    output.say_aside(f"Error: {error.format_message()}")


def tell(error: ErrorInfo, *, as_json: bool = False) -> None:
    """Show an error: as the JSON object on stdout, or as a panel on stderr."""
    if as_json:
        output.say_json({"error": asdict(error)})
    elif output.is_terminal(sys.stderr):
        output.console(sys.stderr).print(panel(error))
    else:
        footer = f"{error.code} · {error.docs_url}"
        output.say_aside(f"Error: {error.message}\n{error.recovery}\n{footer}")


def panel(error: ErrorInfo) -> object:
    """Make the Rich panel of an error."""
    from rich import box
    from rich.panel import Panel
    from rich.text import Text

    from tui.formatting import unicode_ok

    return Panel(
        Text.assemble(
            (printable(error.message), "bold"), "\n", printable(error.recovery), style="default"
        ),
        title=Text(error.code, style="bold red"),
        title_align="left",
        subtitle=Text(error.docs_url, style="dim"),
        subtitle_align="right",
        border_style="red",
        box=box.ROUNDED if unicode_ok() else box.ASCII,
    )


def _innermost(error: BaseException) -> BaseException:
    """Take the error that matters out of the groups that task groups wrap around it."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    group = cast("BaseExceptionGroup[BaseException]", error)
    inner = [_innermost(one) for one in group.exceptions]
    known = [
        one for one in inner if isinstance(one, (UserError, output.PipeClosed, output.Unwritable))
    ]
    return (known or inner)[0]


def _internal(error: BaseException) -> UserError:
    from tui.cli.support.log_file import write_down

    if words := transient(error):
        recovery = "Free the resource or raise its limit, then try again."
        return user_error("INTERNAL", f"The command cannot go on: {words}.", recovery)
    what = one_line(f"{type(error).__name__}: {error}")
    message = f"Something went wrong inside swarm-tui ({what})."
    where = write_down(error)
    return user_error("INTERNAL", message, f"Please report it with {where}." if where else "")

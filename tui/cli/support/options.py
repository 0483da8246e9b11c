"""Settings, flags and self-describing types that the commands share."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from engine.domain.budget import Budget, read_budget
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run, Status
from engine.domain.text import printable_name
from tui.models import parsing

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(slots=True)
class GlobalOptions:
    """Values of the flags that every command has; found as the context's `obj`."""

    debug: bool = False
    json: bool = False


def _set_debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.ensure_object(GlobalOptions).debug |= value


def _set_json(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
    ctx.ensure_object(GlobalOptions).json = value
    return value


def _set_no_color(_: click.Context, __: click.Parameter, value: bool) -> None:
    if value:
        os.environ["NO_COLOR"] = "1"


def everywhere(*, hidden: bool = True) -> Callable[[Function], Function]:
    """Add the flags that are understood before and after a command's name."""

    def add(function: Function) -> Function:
        for name, callback, text in (
            ("--debug", _set_debug, "Show the traceback of an error."),
            ("--no-color", _set_no_color, "Print without colours, as NO_COLOR does."),
        ):
            function = click.option(
                name, is_flag=True, expose_value=False, callback=callback, help=text, hidden=hidden
            )(function)
        return function

    return add


def json_option(text: str) -> Callable[[Function], Function]:
    """Add `--json`; errors become JSON with it."""
    return click.option(
        "--json", "as_json", is_flag=True, callback=_set_json, is_eager=True, help=text
    )


def full_option(function: Function) -> Function:
    """Add `--full`."""
    return click.option(
        "--full", is_flag=True, help="Show all output of commands, not only the last lines."
    )(function)


def live_option(function: Function) -> Function:
    """Add `--live`."""
    return click.option(
        "--live", is_flag=True, help="Show the output of commands while they run, too."
    )(function)


def bookkeeping_option(function: Function) -> Function:
    """Add `--all`."""
    return click.option(
        "--all",
        "bookkeeping",
        is_flag=True,
        help="Show stages, checkpoints, tokens and artifacts, too.",
    )(function)


def batch_option(function: Function) -> Function:
    """Add `--batch`, in the place of runs that are named."""
    return click.option(
        "--batch", type=BatchParam(), metavar="BATCH", help="Select all runs of a batch."
    )(function)


def examples(*lines: str) -> str:
    """Write a command's examples as its help ends with them, one a line."""
    return "\b\nExamples:\n" + "\n".join(f"  swarm-tui {line}".rstrip() for line in lines)


def read_stdin() -> str:
    """Read all of stdin as text, whatever bytes it holds."""
    return sys.stdin.buffer.read().decode("utf-8", "replace")


class ChoiceParam(click.Choice[str]):
    """One of a few words; a wrong one is answered with the nearest."""

    def __init__(self, choices: Iterable[str]) -> None:
        super().__init__([str(choice) for choice in choices])

    def get_invalid_choice_message(self, value: object, ctx: click.Context | None) -> str:
        """Name the nearest word, then all of them."""
        import difflib

        near = difflib.get_close_matches(str(value), self.choices, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return f"{value!r} is not one of {', '.join(self.choices)}.{hint}"


class TextParam(click.ParamType[str]):
    """Text that can be stored and printed: invalid UTF-8 is refused."""

    name = "text"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Check the text."""
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail(f"{printable_name(text)!r} is not valid UTF-8.", param, ctx)
        return text


class RunParam(TextParam):
    """A run: a unique beginning or end of its id, or @last; shells offer those that `fits`."""

    name = "run"

    def __init__(self, fits: Callable[[Run], bool] = bool) -> None:
        self.fits = fits

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        """Offer the runs that are not on the line yet."""
        from tui.cli.support import completion

        given: object = ctx.params.get(param.name or "")
        taken = cast("tuple[str, ...]", given) if isinstance(given, tuple) else ()
        return completion.runs(incomplete, taken, self.fits)


class RunArgument(click.Argument):
    """The run of a command; on a terminal the user chooses one where none is named."""

    def process_value(self, ctx: click.Context, value: Any) -> Any:  # noqa: ANN401  as click has it
        """Convert the value, or ask for it."""
        if self.value_is_missing(value) and isinstance(self.type, RunParam):
            from tui.cli.support import run_picker

            if run_picker.may_pick(ctx):
                value = run_picker.pick(ctx, self.type.fits)
                value = (value,) if self.nargs == -1 else value
        return super().process_value(ctx, value)


def chosen_runs(fits: Callable[[Run], bool] = bool) -> tuple[str, ...]:
    """Return the run that the user chooses on a terminal; empty without a terminal."""
    from tui.cli.support import run_picker

    ctx = click.get_current_context()
    return (run_picker.pick(ctx, fits),) if run_picker.may_pick(ctx) else ()


def is_live(run: Run) -> bool:
    """Return whether a run can still be waited for, or cancelled."""
    return run.status not in FINISHED


def has_ended(run: Run) -> bool:
    """Return whether a run can be retried or resumed."""
    return run.status in FINISHED


class ProjectParam(TextParam):
    """The label that groups runs; shells offer those that there are."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        """Offer the projects of all runs."""
        from tui.cli.support import completion

        return completion.projects(incomplete)


class TemplateParam(TextParam):
    """A template by its name; shells offer those that there are."""

    name = "template"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        """Offer the templates of the home and of this repository."""
        from tui.cli.support import completion

        return completion.templates(incomplete)


class BatchParam(TextParam):
    """A batch: any unique beginning of its name, or @last; shells offer those that there are."""

    name = "batch"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        """Offer the batches of the home."""
        from tui.cli.support import completion

        return completion.batches(incomplete)


class FolderParam(TextParam):
    """A folder on this machine; shells offer those that there are."""

    kind = "dir"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        """Leave it to the shell."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type=self.kind)]


class FileParam(FolderParam):
    """A file on this machine; shells offer those that there are."""

    kind = "file"


class WorkspacePathParam(click.ParamType[str]):
    """A path in the workspace of the run that is named before it, whatever bytes it has."""

    name = "path"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return it unchanged: names of files may be invalid UTF-8."""
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        """Offer what is in the folder that is typed so far."""
        from tui.cli.support import completion

        return completion.workspace_files(str(ctx.params.get("run") or "@last"), incomplete)


class DurationParam(click.ParamType[float]):
    """A length of time such as 90s, 5m or 12h; a bare number is in seconds."""

    name = "duration"

    def __init__(self, *, may_be_zero: bool = False) -> None:
        self._may_be_zero = may_be_zero

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return a duration in seconds; it must be longer than nothing, unless it may be zero."""
        try:
            return parsing.duration(str(value), may_be_zero=self._may_be_zero)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class TimeParam(click.ParamType[float]):
    """A moment to come, in seconds since 1970: HH:MM, ISO 8601, or +30m for a time from now."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read a time; without a zone it is the user's own, and HH:MM is the next such moment."""
        try:
            return parsing.moment(str(value), time.time())
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class PastParam(click.ParamType[float]):
    """A moment that has passed, in seconds since 1970: 2h ago, HH:MM, or ISO 8601."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the moment in seconds since 1970."""
        try:
            return parsing.past_moment(str(value), time.time())
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class BudgetParam(click.ParamType[Budget]):
    """A budget such as 50000, 200k, $5, 10% or 10%5h."""

    name = "budget"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Budget:
        """Read a budget; it must be more than none."""
        try:
            return read_budget(str(value))
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class NumberParam(click.IntRange):
    """A whole number within bounds; what is none is answered so."""

    name = "whole number"


STATUSES = ChoiceParam(Status)

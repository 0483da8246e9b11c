"""The flags of a run, made from the table of its options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import click

from engine.config.run_options import AGENT_OPTIONS, BY_NAME, RUN_OPTIONS, TASK_OPTIONS
from engine.domain.interaction import ApprovalPolicy, ModeChange
from engine.domain.run_option import MAX_RETRIES, WORKSPACE, Kind, RunOption, is_given
from engine.system.environment import problem_of
from tui.cli.support import argument_completion
from tui.cli.support.named_paths import absolute, program_path
from tui.cli.support.options import (
    BudgetParam,
    ChoiceParam,
    DurationParam,
    FileParam,
    FolderParam,
    NumberParam,
    ProjectParam,
    RunParam,
    TextParam,
    TimeParam,
)

Function = TypeVar("Function", bound=Callable[..., Any])
_TYPES: Mapping[Kind, Callable[[], click.ParamType[Any]]] = {
    Kind.PROJECT: ProjectParam,
    Kind.NUMBER: lambda: click.INT,
    Kind.COUNT: lambda: NumberParam(0, MAX_RETRIES),
    Kind.DURATION: DurationParam,
    Kind.BUDGET: BudgetParam,
    Kind.TIME: TimeParam,
    Kind.FILE: FileParam,
    Kind.FILES: FileParam,
    Kind.FOLDERS: FolderParam,
    Kind.PROGRAM: FileParam,
    Kind.RUNS: RunParam,
}
"""The types of values on the command line; all others are texts."""
_COMPLETIONS = {
    Kind.REF: argument_completion.bases,
    Kind.SUBFOLDER: argument_completion.subfolders,
    Kind.NODE: argument_completion.machines,
    Kind.LESSON: argument_completion.lessons,
}


def how_options(function: Function) -> Function:
    """Add the flags of how a run is done."""
    return with_flags(function, AGENT_OPTIONS)


def task_options(function: Function) -> Function:
    """Add the flags for project and title."""
    return with_flags(function, TASK_OPTIONS)


def mode_options(function: Function) -> Function:
    """Add the flags that change the mode of a run's next attempts, and their start."""
    function = _flag(BY_NAME["ignore-pace"])(function)
    for option, words in (
        ("interactive", "Go on with an agent that asks and can be spoken to, or on its own."),
        ("approvals", "Choose when the agent asks from now on; the run is interactive with it."),
    ):
        help_text = f"{words}  [default: as the run was]"
        function = _flag(replace(BY_NAME[option], help=help_text))(function)
    return function


def machine_option(function: Function) -> Function:
    """Add the flag that starts runs over on another machine."""
    return click.option(
        "--on",
        type=TextParam(),
        metavar="NODE",
        shell_complete=argument_completion.machines,
        help="Start over on this machine (local), on a node of the cluster, or on any node.",
    )(function)


def mode_change(asked: Mapping[str, Any]) -> ModeChange:
    """Return the change of mode that was requested on the command line."""
    approvals = asked["approvals"]
    mode = approvals and ApprovalPolicy(approvals)
    on = asked.get("on") or ""
    return ModeChange(asked["interactive"], mode, asked["ignore_pace"], on)


def with_flags(function: Function, options: Sequence[RunOption]) -> Function:
    """Add the flags of some options, in their order."""
    for option in reversed(options):
        function = _flag(option)(function)
    return function


def _flag(option: RunOption) -> Callable[[Function], Function]:
    names = [option.flag, option.key, *filter(None, [option.short])]
    if option.kind is Kind.FLAG:
        return click.option(*names, is_flag=True, help=option.help)
    if option.kind is Kind.YES_NO:
        names[0] = f"{option.flag}/--no-{option.name}"
        return click.option(*names, default=None, help=option.help)
    made = _TYPES.get(option.kind, TextParam)
    return click.option(
        *names,
        type=ChoiceParam(option.choices) if option.choices else made(),
        multiple=option.is_repeated,
        default=option.default,
        metavar=option.metavar,
        callback=_READ.get(option.kind),
        shell_complete=_COMPLETIONS.get(option.kind),
        help=option.help,
    )


def _settings(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
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


def _path(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    return None if name is None else str(absolute(name))


def _paths(_: click.Context, __: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(absolute(name)) for name in names)


def _program(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    return program_path(name)


_READ: Mapping[Kind, Callable[..., Any]] = {
    Kind.SETTINGS: _settings,
    Kind.VARIABLES: _variables,
    Kind.FILE: _path,
    Kind.FILES: _paths,
    Kind.FOLDERS: _paths,
    Kind.PROGRAM: _program,
}


def values_of(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given on the command line, by the fields that it sets."""
    found = ((option, asked.get(option.key)) for option in RUN_OPTIONS)
    return {
        option.sets: option.choices(value) if option.choices else value
        for option, value in found
        if is_given(option, value)
    }


def run_values(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given for the run itself, not for its workspace."""
    return {k: v for k, v in values_of(asked).items() if not k.startswith(WORKSPACE)}

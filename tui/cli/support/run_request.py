"""The request for a run as JSON: each option of a run is a key, with the name it has in files."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import msgspec
from msgspec import Meta, Struct, structs

from engine.config.run_options import RUN_OPTIONS
from engine.domain.errors import UserError, user_error
from engine.domain.model import RunSpec, Sandbox, WorkspaceKind, WorkspaceSpec
from engine.domain.run_option import (
    MAX_RETRIES,
    PATHS,
    REPEATED,
    WORKSPACE,
    Kind,
    RunOption,
    is_given,
)
from engine.system.files import expanded
from tui.cli.json.base import Shape
from tui.cli.support import run_specs
from tui.cli.support.child_runs import inherit, of_parent
from tui.cli.support.named_paths import resolved
from tui.cli.support.run_specs import KINDS
from tui.models import parsing

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

S = TypeVar("S", bound=Struct)
R = TypeVar("R", bound="RunRequest")
NUMBER = 2**31 - 1
_TYPES: Mapping[Kind, Any] = {
    Kind.FLAG: bool,
    Kind.YES_NO: bool,
    Kind.NUMBER: Annotated[int, Meta(ge=-NUMBER, le=NUMBER)],
    Kind.COUNT: Annotated[int, Meta(ge=0, le=MAX_RETRIES)],
    Kind.DURATION: Annotated[float, Meta(gt=0)] | str,
    Kind.BUDGET: Annotated[int, Meta(gt=0, le=10**15)] | str,
    Kind.VARIABLES: dict[str, str],
    **{kind: list[str] for kind in REPEATED if kind is not Kind.VARIABLES},
}
"""The types of values in JSON; all others are texts."""
_DESCRIPTIONS = {
    "project": "Set the label that groups runs. Default: the name of the source's folder.",
    "env": "Set variables for all programs of the run. It otherwise has the environment of the "
    "process that serves this request.",
    "after": "Start when these runs have succeeded. If one fails, this one is cancelled.",
}
"""Descriptions of options whose help is about the command line."""


def with_run_options(kind: type[S]) -> type[S]:
    """Return a struct that has the keys of `kind`, and one for each option of a run."""
    fields = [(option.key, _type(option), None) for option in RUN_OPTIONS]
    made = msgspec.defstruct(
        kind.__name__,
        fields,
        bases=(kind,),
        module=kind.__module__,
        namespace={"__doc__": kind.__doc__},
        kw_only=True,
    )
    return cast("type[S]", made)


def _type(option: RunOption) -> Any:  # noqa: ANN401  a type
    kind = option.choices or _TYPES.get(option.kind, str)
    return Annotated[kind | None, Meta(description=_description(option))]


def _description(option: RunOption) -> str:
    """Return the help of an option, without the words that are about flags."""
    if option.key in _DESCRIPTIONS:
        return _DESCRIPTIONS[option.key]
    text = option.help.replace("; repeatable", "")
    text = re.sub(r"\s+\[default: (.*?)\]", r" Default: \1.", text)
    text = re.sub(r"--([a-z-]+)", lambda found: f"`{found[1].replace('-', '_')}`", text)
    is_seconds = option.kind is Kind.DURATION
    return f"{text} A number is in seconds." if is_seconds else text


@with_run_options
class RunRequest(Shape, kw_only=True):
    """A request for a run. It names a workspace; all other keys have the defaults of `run`."""

    prompt: Annotated[
        str, Meta(description="the task; with a template, it is appended to the template's prompt")
    ] = ""
    template: Annotated[str | None, Meta(description="use this template")] = None
    params: Annotated[
        dict[str, str | int | float | bool] | None,
        Meta(description="parameters of the template"),
    ] = None
    worktree: Annotated[
        str | None,
        Meta(description="work in a git worktree of this repository, on a branch of its own"),
    ] = None
    copy: Annotated[str | None, Meta(description="work in a copy of this folder")] = None
    empty: Annotated[bool, Meta(description="work in a new, empty folder")] = False
    from_run: Annotated[
        str | None, Meta(description="work in a copy of this run's current workspace")
    ] = None
    in_place: Annotated[
        str | None, Meta(description="work in this folder itself; it is never cleaned up")
    ] = None
    parent: Annotated[
        str | None,
        Meta(
            description="the run that starts it: it has at most the rights of that run, and counts "
            "in the limits of its family; without a workspace, it has one like it"
        ),
    ] = None
    trust: Annotated[
        bool,
        Meta(description="trust what the repository's settings and the template ask for, as now"),
    ] = False


async def to_spec(engine: EnginePort, request: RunRequest, *, may_trust: bool) -> RunSpec:
    """Return the request for a run that `engine.start` takes, its template filled in.

    With `may_trust`, `trust: true` trusts what the repository asks for. The engine refuses the
    parts that are not trusted. Raises `UserError`.
    """
    check_trust(request, may_trust=may_trust)
    request = await with_parent(engine, request)
    if request.params and not request.template:
        raise invalid("`params` goes with `template`.")
    spec = await make_spec(engine, request)
    if request.template:
        spec = await _filled(engine, spec, request)
    consent = await engine.trust.asked(spec) if request.trust else None
    if consent is not None:
        await engine.trust.grant(consent)
    if request.parent is None:
        return spec
    return await inherit(engine, request.parent, spec, set(given_fields(request)))


async def with_parent(engine: EnginePort, request: R) -> R:
    """Return a request of a run for another with its parent's id, and with a workspace.

    Raises `UserError`.
    """
    if request.parent is None:
        return request
    parent = await engine.find(request.parent)
    if any(getattr(request, name) for name in KINDS):
        return structs.replace(request, parent=parent.id)
    usual = of_parent(parent)
    key = next(name for name, kind in KINDS.items() if kind is usual.kind)
    value = True if usual.kind is WorkspaceKind.EMPTY else usual.source
    return structs.replace(request, parent=parent.id, **{key: value})


def check_trust(request: RunRequest, *, may_trust: bool) -> None:
    """Raise `UserError` if a request trusts what its sender may not trust."""
    if request.trust and request.parent is not None:
        raise user_error("RIGHTS_EXCEEDED", "A request of a run may not trust anything.")
    if request.trust and not may_trust:
        message = "`trust` needs a client that may change what is trusted: the scope admin."
        raise user_error("API_SCOPE_MISSING", message)


async def make_spec(
    engine: EnginePort, request: RunRequest, usual: WorkspaceSpec | None = None
) -> RunSpec:
    """Return what was requested, with defaults, but without the template's values.

    `usual` is the workspace of a request that names none: there is no current folder here.
    """
    given = given_fields(request)
    workspace = _workspace_of(request, given, usual)
    run = {name: value for name, value in given.items() if not name.startswith(WORKSPACE)}
    if "after" in run:
        run["after"] = await run_specs.before(engine, run["after"])
    if workspace.kind is WorkspaceKind.FROM_RUN and not run.get("project"):
        run["project"] = (await engine.find(workspace.source or "")).spec.project
    usual_sandbox = Sandbox(engine.config.codex.sandbox)
    return run_specs.complete(request.prompt, workspace, run, usual_sandbox, Path())


def given_fields(request: RunRequest) -> dict[str, Any]:
    """Return the options that were set, by the fields that they set; raises `UserError`."""
    values = ((option, getattr(request, option.key)) for option in RUN_OPTIONS)
    return {
        option.sets: _read(option, value) for option, value in values if is_given(option, value)
    }


def params_of(request: RunRequest) -> dict[str, str | int | float | bool]:
    """Return the parameters of the template."""
    return dict(request.params or {})


async def _filled(engine: EnginePort, spec: RunSpec, request: RunRequest) -> RunSpec:
    """Return `spec` with the template's values where the request set none."""
    root = await asyncio.to_thread(engine.templates.repository_of, spec.workspace)
    template = await engine.templates.find(request.template or "", root)
    params, fields = params_of(request), set(given_fields(request))
    if request.trust:
        consent = await engine.templates.consent(template, spec, fields, params)
        if consent is not None:
            await engine.trust.grant(consent)
    return await engine.templates.fill(template, params, spec, fields)


def _workspace_of(
    request: RunRequest, given: Mapping[str, Any], usual: WorkspaceSpec | None
) -> WorkspaceSpec:
    chosen = [name for name in KINDS if getattr(request, name)]
    if len(chosen) > 1:
        names = " and ".join(f"`{name}`" for name in chosen)
        raise invalid(f"{names} exclude each other.")
    wish = _chosen(chosen[0], request) if chosen else usual
    if wish is None:
        names = ", ".join(f"`{name}`" for name in KINDS)
        raise invalid("The request names no workspace.", f"Set one of {names}.")
    own = {k.removeprefix(WORKSPACE): v for k, v in given.items() if k.startswith(WORKSPACE)}
    wish = replace(wish, **own)
    keys = {option.key for option in RUN_OPTIONS if option.sets in given}
    if problem := run_specs.workspace_problem(wish, keys, lambda option: f"`{option.key}`"):
        raise invalid(problem)
    return wish


def _chosen(name: str, request: RunRequest) -> WorkspaceSpec:
    kind, value = KINDS[name], getattr(request, name)
    if kind is WorkspaceKind.EMPTY:
        return WorkspaceSpec()
    return WorkspaceSpec(kind, value if kind is WorkspaceKind.FROM_RUN else absolute(name, value))


def absolute(key: str, path: str) -> str:
    """Return an absolute path, links resolved; raises `UserError` for a relative one.

    The current folder of the process that serves a request means nothing to its sender.
    """
    found = expanded(path)
    if "\0" in path or not found.is_absolute():
        raise invalid(f"`{key}`: the path must be absolute.", "Begin it with / or ~.")
    return str(resolved(found))


def _read(option: RunOption, value: Any) -> Any:  # noqa: ANN401  any option's value
    """Return the value of an option as the run has it."""
    from engine.templates.option_keys import read_value, value_problem

    try:
        found = _text(option, value) if isinstance(value, str) else value
        found = read_value(option, found)
    except ValueError as error:
        raise invalid(f"`{option.key}`: {error}.") from None
    if problem := value_problem(option, found):
        raise invalid(f"`{option.key}`: {problem}.")
    if option.kind in PATHS and isinstance(found, list):
        return tuple(absolute(option.key, path) for path in cast("list[str]", found))
    if option.kind is Kind.SETTINGS:
        _check_settings(option, found)
    return tuple(cast("list[str]", found)) if isinstance(found, list) else found


def _text(option: RunOption, value: str) -> str | float:
    match option.kind:
        case Kind.TIME:
            return parsing.moment(value, time.time())
        case Kind.FILE:
            return absolute(option.key, value)
        case Kind.PROGRAM if "/" in value:
            return absolute(option.key, value)
        case _:
            return value


def _check_settings(option: RunOption, values: list[str]) -> None:
    for value in values:
        key, equals, _ = value.partition("=")
        if not key.strip() or not equals:  # the value may hold a secret
            raise invalid(f"`{option.key}`: a setting has the form KEY=TOML.")


def invalid(message: str, recovery: str = "") -> UserError:
    """Return the error of a request that is invalid."""
    return user_error("INPUT_INVALID", message, recovery)

"""The keys of YAML files that set options of a run, made from the table of options."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Struct

from engine.config.run_options import FILE_OPTIONS
from engine.config.values import BudgetText, Duration
from engine.domain import base_name
from engine.domain.budget import read_budget
from engine.domain.errors import user_error
from engine.domain.run_option import PATHS, Kind, RunOption, problem_of
from engine.domain.text import printable_name
from engine.system.environment import current_folder, problem_in

S = TypeVar("S", bound=Struct)
_TYPES: Mapping[Kind, Any] = {
    Kind.FLAG: bool,
    Kind.YES_NO: bool,
    Kind.COUNT: int,
    Kind.BUDGET: BudgetText,
    Kind.DURATION: Duration,
    Kind.VARIABLES: dict[str, str],
    Kind.FILES: tuple[str, ...],
    Kind.FOLDERS: tuple[str, ...],
}
"""The types of values in YAML; all others are texts."""


def with_options(kind: type[S]) -> type[S]:
    """Return a struct that has the keys of `kind`, and one for each option."""
    fields = [(option.key, _type(option) | None, None) for option in FILE_OPTIONS]
    made = msgspec.defstruct(
        kind.__name__, fields, bases=(kind,), frozen=True, forbid_unknown_fields=True, kw_only=True
    )
    return cast("type[S]", made)


def _type(option: RunOption) -> Any:  # noqa: ANN401  a type
    return option.choices or _TYPES.get(option.kind, str)


def fields_of(keys: Struct) -> dict[str, Any]:
    """Return the values of options in a file, by the fields that they set."""
    found: dict[str, Any] = {}
    for option in FILE_OPTIONS:
        value = getattr(keys, option.key)
        if value is not None:
            found[option.sets] = read_value(option, value)
    return found


def read_value(option: RunOption, value: Any) -> Any:  # noqa: ANN401  any option's value
    """Return a value of YAML or JSON as the run has it; raises ValueError."""
    match option.kind:
        case Kind.DURATION:
            return float(Duration.parse(value))
        case Kind.BUDGET:
            return read_budget(value)
        case _:
            return value


def located(keys: S, folder: Path | None) -> S:
    """Return keys whose relative paths are taken from `folder`, that of their file.

    Without a folder, raises `UserError` for them.
    """
    found: dict[str, Any] = {}
    for option in FILE_OPTIONS:
        value = getattr(keys, option.key)
        if value is None or option.kind not in PATHS:
            continue
        found[option.key] = (
            _from(folder, option, value)
            if option.kind is Kind.FILE
            else tuple(_from(folder, option, each) for each in value)
        )
    return msgspec.structs.replace(keys, **found)


def absolute(folder: Path, path: str) -> str:
    """Return a path as an absolute one; links and `..` stay as they are."""
    if not path.strip():
        return path  # it is refused later
    return os.path.join(folder, os.path.expanduser(path))  # noqa: PTH111, PTH118  `..` stays


def _from(folder: Path | None, option: RunOption, path: str) -> str:
    found = absolute(folder or Path(), path)
    if folder is None and path.strip() and not os.path.isabs(found):  # noqa: PTH117  a text
        message = f"`{option.key}`: the path must be absolute: {printable_name(path[:200])}."
        raise user_error("BATCH_INVALID", message, "Begin it with / or ~.")
    return found


def from_text(option: RunOption, text: str, *, is_sent: bool = False) -> Any:  # noqa: ANN401  any option's value
    """Return the value in a cell of a batch; its paths are taken from the current folder.

    In a cell that a client sent, they have to be absolute. Raises `UserError`.
    """
    if option.kind not in PATHS:
        return text
    here = None if is_sent else Path(current_folder() or "/")
    if option.kind is Kind.FILE:
        return _from(here, option, text)
    try:
        words = shlex.split(text)
    except ValueError:
        raise user_error("BATCH_INVALID", f"`{option.key}`: a quote has no end.") from None
    return tuple(_from(here, option, word) for word in words)


def problems(keys: Struct) -> dict[str, str]:
    """Return the problem of each value that cannot be, by its key."""
    values = ((option, getattr(keys, option.key)) for option in FILE_OPTIONS)
    found = {
        option.key: value_problem(option, value) for option, value in values if value is not None
    }
    return {key: problem for key, problem in found.items() if problem}


def value_problem(option: RunOption, value: Any) -> str:  # noqa: ANN401  any option's value
    """Return why an option cannot have this value; empty where it can."""
    match option.kind:
        case Kind.REF if not base_name.is_possible(value):
            return "no commit can have this name"
        case Kind.VARIABLES:
            return problem_in(value)
        case Kind.FILE | Kind.FILES | Kind.FOLDERS:
            paths = (value,) if option.kind is Kind.FILE else value
            is_odd = any(not path.strip() or "\0" in path for path in paths)
            return "a path is empty, or holds a NUL" if is_odd else ""
        case _:
            return problem_of(option, value)

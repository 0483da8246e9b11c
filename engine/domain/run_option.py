"""One option of a run: its names, its kind of value, and where it can be set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

from engine.domain.hosts import problem_of_host
from engine.domain.model import RunSpec
from engine.domain.open_enum import OpenEnum

MAX_RETRIES = 100
WORKSPACE = "workspace."
"""The beginning of `sets` where an option sets a field of the workspace."""


class Kind(Enum):
    """The value of an option: how it is typed, written in YAML, checked and completed."""

    TEXT = auto()
    TITLE = auto()
    PROJECT = auto()
    COMMAND = auto()
    CHOICE = auto()
    FLAG = auto()
    YES_NO = auto()
    """A flag with a `--no-` twin; neither leaves it to the default."""
    NUMBER = auto()
    COUNT = auto()
    DURATION = auto()
    BUDGET = auto()
    TIME = auto()
    REF = auto()
    SUBFOLDER = auto()
    NODE = auto()
    """A machine for the run: `local`, `any`, or the name of a node."""
    VARIABLES = auto()
    SETTINGS = auto()
    FILE = auto()
    FILES = auto()
    FOLDERS = auto()
    PROGRAM = auto()
    RUNS = auto()
    LESSON = auto()


REPEATED = (Kind.VARIABLES, Kind.SETTINGS, Kind.FILES, Kind.FOLDERS, Kind.RUNS)
"""Kinds of which a run can have several values, one a flag."""
PATHS = (Kind.FILE, Kind.FILES, Kind.FOLDERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOption:
    """One option: a flag, and optionally a field of the forms, a key in files, a column."""

    name: str
    """Flag of the option without the dashes, and the id of its field."""
    sets: str
    """The field of `RunSpec` that it sets, or of its workspace: `workspace.base`."""
    kind: Kind
    help: str
    metavar: str | None = None
    choices: type[OpenEnum] | None = None
    default: str | int | None = None
    flag: str = ""
    """The flag, where that is not the name behind two dashes."""
    short: str = ""
    """A short flag beside it, such as `-m`."""
    key: str = ""
    """Name of the option in Python and YAML, where that is not the name with underscores."""
    label: str = ""
    """Label of the option in the forms; without one it has no field there."""
    hint: str = ""
    """The default and examples, shown in the empty field."""
    shown: str = ""
    """Format in which a value of a template is shown; otherwise with the key before it."""
    is_kept: bool = False
    """True if the form keeps it for the next run."""
    in_files: bool = False
    """True if templates and steps of flows have it as a key."""
    is_column: bool = False
    """True if a column of a batch sets it."""
    worktree_only: bool = False

    def __post_init__(self) -> None:
        """Fill in what follows from the name."""
        object.__setattr__(self, "flag", self.flag or f"--{self.name}")
        object.__setattr__(self, "key", self.key or self.name.replace("-", "_"))
        object.__setattr__(self, "shown", self.shown or f"{self.key}: {{}}")

    @property
    def is_repeated(self) -> bool:
        """Return whether the flag can be given several times."""
        return self.kind in REPEATED


def with_values(spec: RunSpec, values: Mapping[str, Any]) -> RunSpec:
    """Return `spec` with these values, by the fields that options set."""
    inside = {
        name.removeprefix(WORKSPACE): value
        for name, value in values.items()
        if name.startswith(WORKSPACE)
    }
    own = {name: value for name, value in values.items() if not name.startswith(WORKSPACE)}
    if inside:
        own["workspace"] = replace(own.get("workspace", spec.workspace), **inside)
    return replace(spec, **own)


def value_of(spec: RunSpec, option: RunOption) -> Any:  # noqa: ANN401  any option's value
    """Return the value that an option has in `spec`."""
    if option.sets.startswith(WORKSPACE):
        return getattr(spec.workspace, option.sets.removeprefix(WORKSPACE))
    return getattr(spec, option.sets)


def is_given(option: RunOption, value: object) -> bool:
    """Return whether a value was given: zero and an empty text count, as does the answer no."""
    if value is False:
        return option.kind is Kind.YES_NO
    return value is not None and value not in ((), {})


def problem_of(option: RunOption, value: Any) -> str:  # noqa: ANN401  any option's value
    """Return why a number is out of its bounds; empty where it is within them."""
    if option.kind is Kind.NODE:
        return problem_of_host(value)
    if option.kind is Kind.DURATION and value <= 0:
        return "it must be more than nothing"
    if option.kind is Kind.COUNT and not 0 <= value <= MAX_RETRIES:
        return f"0 to {MAX_RETRIES} is allowed"
    return ""

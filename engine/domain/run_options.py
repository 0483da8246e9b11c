"""The options of a run, declared once.

Flags, fields of the forms, keys of templates and flows, columns of batches, completion and
docs/options.md are derived from this table. A new option is one row here, and its effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

from engine.domain.model import Agent, RunSpec, Sandbox
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
    TOKENS = auto()
    TIME = auto()
    REF = auto()
    SUBFOLDER = auto()
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
    """One option: a flag, and where it says so a field of the forms, a key and a column."""

    name: str
    """Its flag without the dashes, and the id of its field."""
    sets: str
    """The field of `RunSpec` that it sets, or of its workspace: `workspace.base`."""
    kind: Kind
    help: str
    metavar: str | None = None
    choices: type[OpenEnum] | None = None
    default: str | int | None = None
    flag: str = ""
    """The flag, where that is not the name behind two dashes."""
    key: str = ""
    """Its name in Python and YAML, where that is not the name with underscores."""
    label: str = ""
    """Its label in the forms; without one it has no field there."""
    hint: str = ""
    """The default and examples, shown in the empty field."""
    shown: str = ""
    """How a value of a template is shown; otherwise with the key before it."""
    is_kept: bool = False
    """Whether the form keeps it for the next run."""
    in_files: bool = False
    """Whether templates and steps of flows have it as a key."""
    is_column: bool = False
    """Whether a column of a batch sets it."""
    worktree_only: bool = False

    def __post_init__(self) -> None:
        """Fill in what follows from the name."""
        object.__setattr__(self, "flag", self.flag or f"--{self.name}")
        object.__setattr__(self, "key", self.key or self.name.replace("-", "_"))
        object.__setattr__(self, "shown", self.shown or f"{self.key}: {{}}")

    @property
    def is_repeated(self) -> bool:
        """Whether the flag can be given several times."""
        return self.kind in REPEATED


TASK_OPTIONS = (
    RunOption(
        name="project",
        sets="project",
        kind=Kind.PROJECT,
        help="Set the label that groups runs.  [default: the folder]",
        label="Project",
        hint="the folder's name",
    ),
    RunOption(
        name="title",
        sets="title",
        kind=Kind.TITLE,
        help="Set the title shown in lists; of a batch it may name columns: {{ path }}.  "
        "[default: from the prompt]",
        label="Title",
        hint="from the prompt's first line",
    ),
)
WORKSPACE_OPTIONS = (
    RunOption(
        name="base",
        sets="workspace.base",
        kind=Kind.REF,
        metavar="REF",
        help="Start a worktree from this branch, tag or commit, as it is now, or from pr/N of the "
        "remote.  [default: HEAD]",
        label="Base",
        hint="HEAD · a branch, tag or commit, or pr/123",
        in_files=True,
        is_column=True,
        worktree_only=True,
    ),
    RunOption(
        name="fetch",
        sets="workspace.fetch",
        kind=Kind.FLAG,
        help="Fetch the base from its remote first (network).",
        label="Fetch base",
        in_files=True,
        worktree_only=True,
    ),
    RunOption(
        name="cwd",
        sets="workspace.cwd",
        kind=Kind.SUBFOLDER,
        metavar="DIR",
        help="Work in this folder of the workspace, relative to the top of the repository.  "
        "[default: the folder of a worktree's source]",
        label="Subfolder",
        hint="the one it starts from · packages/api, . is the top",
        in_files=True,
        is_column=True,
    ),
    RunOption(
        name="include-uncommitted",
        sets="workspace.include_uncommitted",
        kind=Kind.FLAG,
        help="Bring along what is not committed in the repository.",
        worktree_only=True,
    ),
    RunOption(
        name="setup",
        sets="with_setup",
        kind=Kind.YES_NO,
        help="Run the set-up commands of the settings, or do not and leave out the repository's "
        "own settings.  [default: only in worktrees and copies]",
    ),
)
AGENT_OPTIONS = (
    RunOption(
        name="model",
        sets="model",
        kind=Kind.TEXT,
        help="Set the model that Codex asks.",
        label="Model",
        hint="Codex's own choice",
        is_kept=True,
        in_files=True,
        is_column=True,
    ),
    RunOption(
        name="sandbox",
        sets="sandbox",
        kind=Kind.CHOICE,
        choices=Sandbox,
        help="Limit what Codex's commands may do.",
        shown="{}",
        in_files=True,
    ),
    RunOption(
        name="codex-config",
        flag="-c",
        sets="codex_config",
        kind=Kind.SETTINGS,
        metavar="KEY=TOML",
        help="Pass a setting to Codex, as `codex -c` takes it.",
    ),
    RunOption(
        name="env",
        sets="env",
        kind=Kind.VARIABLES,
        metavar="KEY=VALUE",
        help="Set a variable for all programs of the run; repeatable. The run otherwise has the "
        "environment of this shell.",
        label="Variables",
        hint="this shell's · CI=1 NODE_ENV=test",
        in_files=True,
    ),
    RunOption(
        name="output-schema",
        sets="schema_file",
        kind=Kind.FILE,
        metavar="FILE",
        help="Require an answer of Codex that fits this JSON schema; it is `result` in JSON and "
        "reports.",
        label="Schema",
        hint="none · a JSON schema file that the answer must fit",
        in_files=True,
        is_column=True,
    ),
    RunOption(
        name="image",
        key="images",
        sets="images",
        kind=Kind.FILES,
        metavar="FILE",
        help="Show an image to Codex; repeatable. A copy is kept with the run.",
        label="Images",
        hint="none · files to show to Codex: shot.png page.jpg",
        in_files=True,
        is_column=True,
    ),
    RunOption(
        name="add-dir",
        key="add_dirs",
        sets="add_dirs",
        kind=Kind.FOLDERS,
        metavar="DIR",
        help="Let Codex also write in this folder outside of the workspace; repeatable.",
        label="Add folders",
        hint="none · folders outside where Codex may write, too",
        in_files=True,
        is_column=True,
    ),
    RunOption(
        name="timeout",
        sets="timeout_s",
        kind=Kind.DURATION,
        help="Limit the time, such as 90s, 30m or 2h.",
        label="Time limit",
        hint="none · 90s, 30m, 2h",
        shown="at most {}",
        in_files=True,
    ),
    RunOption(
        name="retries",
        sets="retries",
        kind=Kind.COUNT,
        metavar="N",
        help="Try again up to N times where that can help: overload, a cut stream, a failed check.",
        label="Retries",
        hint="0 · where the cause can pass, or the check failed",
        shown="retries {}",
        in_files=True,
    ),
    RunOption(
        name="verify",
        sets="verify",
        kind=Kind.COMMAND,
        metavar="CMD",
        help="Run this in the workspace afterwards: it decides, and with --retries the agent gets "
        "its output. It runs as you, outside Codex's sandbox.",
        label="Check",
        hint="none · a command that decides: make test",
        shown="checked by {}",
        in_files=True,
    ),
    RunOption(
        name="verify-limit",
        sets="verify_limit_s",
        kind=Kind.DURATION,
        help="Limit the time of the check.  [default: 15m]",
        in_files=True,
    ),
    RunOption(
        name="budget",
        sets="budget_tokens",
        kind=Kind.TOKENS,
        metavar="TOKENS",
        help="End the run when it has used more tokens, such as 50000, 200k or 1.5M.",
        label="Budget",
        hint="none · 200k, 1.5M tokens",
        in_files=True,
    ),
    RunOption(
        name="priority",
        sets="priority",
        kind=Kind.NUMBER,
        metavar="N",
        default=0,
        help="Leave the queue before runs with a lower number.",
    ),
    RunOption(
        name="after",
        sets="after",
        kind=Kind.RUNS,
        metavar="RUN",
        help="Start when this run has succeeded; repeatable. If it fails, this one is cancelled.",
    ),
    RunOption(
        name="at",
        sets="not_before",
        kind=Kind.TIME,
        metavar="TIME",
        help="Start no earlier: 22:30, 2031-05-04T18:30, or +30m.",
        label="Start at",
        hint="now · 22:30, +30m",
    ),
    RunOption(
        name="learn-from",
        sets="learn_from",
        kind=Kind.LESSON,
        metavar="RUN|PATTERN",
        help="Tell the agent first what worked in an earlier run, or in a pattern.",
        label="Learn from",
        hint="none · a run or a pattern",
    ),
    RunOption(
        name="agent",
        sets="agent",
        kind=Kind.CHOICE,
        choices=Agent,
        default="codex",
        help="Choose the agent.",
    ),
    RunOption(
        name="codex-bin",
        sets="codex_bin",
        kind=Kind.PROGRAM,
        metavar="PATH",
        help="Use this Codex CLI.",
    ),
)
RUN_OPTIONS = TASK_OPTIONS + WORKSPACE_OPTIONS + AGENT_OPTIONS
FILE_OPTIONS = tuple(option for option in RUN_OPTIONS if option.in_files)
COLUMNS = tuple(option for option in RUN_OPTIONS if option.is_column)
BY_NAME = {option.name: option for option in RUN_OPTIONS}


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


def is_given(value: object) -> bool:
    """Return whether a value of an option was given: zero and an empty text count."""
    return value is not None and value is not False and value not in ((), {})

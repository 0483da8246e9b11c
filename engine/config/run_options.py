"""The options of a run, declared once.

Flags, fields of the forms, keys of templates and flows, columns of batches, completion and
docs/options.md are derived from this table. A new option is one row here, and its effect. Options
that only one agent has are rows of its profile.
"""

from __future__ import annotations

from engine.agents.profiles import DEFAULT, OPTIONS
from engine.domain.model import Agent, Sandbox
from engine.domain.run_option import PATHS, Kind, RunOption

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
        name="on",
        sets="on",
        kind=Kind.NODE,
        metavar="NODE",
        help="Work on this machine (local), on a node of the cluster, or on any node.  "
        "[default: as in the settings]",
        label="Node",
        hint="as in the settings · local, any, or the name of a node",
        shown="on {}",
        in_files=True,
        is_column=True,
    ),
    RunOption(
        name="model",
        short="-m",
        sets="model",
        kind=Kind.TEXT,
        help="Set the model that the agent asks.",
        label="Model",
        hint="the agent's own choice",
        is_kept=True,
        in_files=True,
        is_column=True,
    ),
    RunOption(
        name="sandbox",
        sets="sandbox",
        kind=Kind.CHOICE,
        choices=Sandbox,
        help="Limit what the agent's commands may do.",
        shown="{}",
        in_files=True,
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
        help="Require an answer that fits this JSON schema; it is `result` in JSON and reports.",
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
        help="Show an image to the agent; repeatable. A copy is kept with the run.",
        label="Images",
        hint="none · files to show to the agent: shot.png page.jpg",
        in_files=True,
        is_column=True,
    ),
    RunOption(
        name="add-dir",
        key="add_dirs",
        sets="add_dirs",
        kind=Kind.FOLDERS,
        metavar="DIR",
        help="Let the agent also write in this folder outside of the workspace; repeatable.",
        label="Add folders",
        hint="none · folders outside where the agent may write, too",
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
        "its output. It runs as you, outside the agent's sandbox.",
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
        sets="budget",
        kind=Kind.BUDGET,
        metavar="AMOUNT",
        help="End the run when it has used more: 200k or 1.5M (tokens), $5 (at list prices), 10% "
        "(of the week) or 10%5h.",
        label="Budget",
        hint="none · 200k tokens, $5, 10% of the week, 10%5h",
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
        name="ignore-pace",
        sets="ignore_pace",
        kind=Kind.FLAG,
        help="Start although `queue.reserve` keeps a reserve, or `queue.pace` spreads starts.",
        label="Ignore pace",
        shown="starts past the reserve",
        in_files=True,
    ),
    RunOption(
        name="learn-from",
        sets="learn_from",
        kind=Kind.LESSON,
        metavar="RUN|PATTERN",
        help="Show the agent first what worked in an earlier run, or in a pattern.",
        label="Learn from",
        hint="none · a run or a pattern",
    ),
    RunOption(
        name="agent",
        sets="agent",
        kind=Kind.CHOICE,
        choices=Agent,
        default=DEFAULT.name,
        help="Choose the agent.",
    ),
    *OPTIONS,
)
RUN_OPTIONS = TASK_OPTIONS + WORKSPACE_OPTIONS + AGENT_OPTIONS
OF_AGENTS = frozenset(option.sets for option in OPTIONS)
"""The fields that options of one agent alone set."""
FILE_OPTIONS = tuple(option for option in RUN_OPTIONS if option.in_files)
COLUMNS = tuple(option for option in RUN_OPTIONS if option.is_column)
FOUND_OUT = tuple(
    option for option in RUN_OPTIONS if option.kind in (*PATHS, Kind.RUNS, Kind.LESSON)
)
"""Options whose values are others once they were checked: read, resolved, found by a prefix."""
PROGRAMS = tuple(option for option in RUN_OPTIONS if option.kind is Kind.PROGRAM)
BY_NAME = {option.name: option for option in RUN_OPTIONS}

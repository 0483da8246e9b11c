"""A run as it is being written: what was typed and chosen, what is wrong with it, what it means."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.domain.model import Agent, RunSpec, Sandbox, WorkspaceKind, WorkspaceSpec
from engine.domain.text import one_line
from tui import readings

AGENTS = (Agent.CODEX, Agent.SIMULATED)
KINDS = (
    WorkspaceKind.WORKTREE,
    WorkspaceKind.COPY,
    WorkspaceKind.EMPTY,
    WorkspaceKind.FROM_RUN,
    WorkspaceKind.IN_PLACE,
)
SANDBOXES = tuple(Sandbox)
TITLE_LIMIT = 120
DEFAULT_TITLE = 72
SOURCE = "source"
"""The field of the folder, or the run, to work from."""


@dataclass(frozen=True, slots=True)
class Field:
    """A line to type: what is asked for, its flag on the command line, and how it is read.

    `read` raises ValueError, saying what is needed.
    """

    id: str
    label: str
    hint: str
    flag: str
    read: Callable[[str, float], object]
    lasts: bool = False
    """Kept for the next run."""


def _title(text: str) -> str:
    if len(text) > TITLE_LIMIT:
        raise ValueError(f"it is {len(text) - TITLE_LIMIT} characters too long")
    return one_line(text, TITLE_LIMIT)


FIELDS: tuple[Field, ...] = (
    Field("title", "Title", "from the prompt's first line", "--title", lambda t, _: _title(t)),
    Field("project", "Project", "the folder's name", "--project", lambda t, _: t.strip()),
    Field("model", "Model", "Codex's own choice", "--model", lambda t, _: t.strip(), lasts=True),
    Field(
        "timeout",
        "Time limit",
        "none · 90s, 30m, 2h",
        "--timeout",
        lambda text, _: readings.duration(text),
        lasts=True,
    ),
    Field(
        "retries",
        "Retries",
        "0 · where the cause can pass",
        "--retries",
        lambda text, _: readings.retries(text),
        lasts=True,
    ),
    Field(
        "budget",
        "Budget",
        "none · 200k, 1.5M tokens",
        "--budget",
        lambda text, _: readings.tokens(text),
        lasts=True,
    ),
    Field("learn-from", "Learn from", "none · a run or a pattern", "--learn-from", lambda t, _: t),
    Field("at", "Start at", "now · 22:30, +30m", "--at", readings.moment),
)


@dataclass(frozen=True, slots=True)
class Choices:
    """What is remembered from the form: how the last run was to be done, not what it was to do."""

    agent: Agent
    kind: WorkspaceKind
    folder: str
    started_in: str
    """Where the dashboard was started: kind and folder hold for this place alone."""
    include_uncommitted: bool
    sandbox: Sandbox | None
    typed: dict[str, str]


@dataclass(slots=True)
class Draft:
    """What was typed so far: it survives leaving the form."""

    prompt: str = ""
    agent: Agent = Agent.CODEX
    kind: WorkspaceKind = WorkspaceKind.EMPTY
    folder: str = field(default_factory=lambda: here())
    earlier: str = "@last"
    """The run whose workspace to go on from."""
    include_uncommitted: bool = False
    sandbox: Sandbox | None = None
    """None: as the settings say."""
    typed: dict[str, str] = field(default_factory=dict[str, str])
    """What stands in the fields, by their ids."""

    @classmethod
    def begin(cls, choices: Choices | None) -> Draft:
        """Begin with what was chosen last; kind and folder only where that was chosen here."""
        draft = cls()
        draft.kind = usual_kind(Path(draft.folder))
        if choices is None:
            return draft
        if choices.started_in == draft.folder:
            draft.kind, draft.folder = choices.kind, choices.folder
        draft.agent, draft.sandbox = choices.agent, choices.sandbox
        draft.include_uncommitted = choices.include_uncommitted
        draft.typed = dict(choices.typed)
        return draft

    def choices(self) -> Choices:
        """Give what is to be remembered."""
        return Choices(
            self.agent,
            self.kind,
            self.folder,
            here(),
            self.include_uncommitted,
            self.sandbox,
            {each.id: self.text(each) for each in FIELDS if each.lasts and self.text(each)},
        )

    def rest(self) -> Draft:
        """Give what stays for the next run: everything but what this one was to do."""
        choices = self.choices()
        return Draft(
            agent=self.agent,
            kind=self.kind,
            folder=self.folder,
            include_uncommitted=self.include_uncommitted,
            sandbox=self.sandbox,
            typed=choices.typed,
        )

    def text(self, which: Field) -> str:
        """Give what stands in a field."""
        return self.typed.get(which.id, "").strip()

    # What is wrong with it

    def problems(self, now: float) -> Iterator[tuple[str, str]]:
        """Give the id of each field that cannot be as it is, and a sentence about it."""
        if not self.prompt.strip():
            yield "prompt", "Say what is to be done."
        if self.kind is WorkspaceKind.FROM_RUN and not self.earlier.strip():
            yield SOURCE, "Name the run to go on from: the beginning of its id, or @last."
        elif self.kind is not WorkspaceKind.EMPTY and not self.folder.strip():
            yield SOURCE, "Name the folder to work from."
        for each in FIELDS:
            try:
                self.read(each, now)
            except ValueError as error:
                yield each.id, f"{each.label}: {error}."

    def read(self, which: Field, now: float) -> object:
        """Give what a field's text means, None where it is empty; raises ValueError."""
        text = self.text(which)
        return which.read(text, now) if text else None

    # What it means

    def workspace(self) -> WorkspaceSpec:
        """Give the workspace that is asked for."""
        if self.kind is WorkspaceKind.EMPTY:
            return WorkspaceSpec(self.kind)
        if self.kind is WorkspaceKind.FROM_RUN:
            return WorkspaceSpec(self.kind, self.earlier.strip())
        brings = self.kind is WorkspaceKind.WORKTREE and self.include_uncommitted
        return WorkspaceSpec(self.kind, absolute(self.folder), brings)

    def spec(self, sandbox: Sandbox, now: float) -> RunSpec:
        """Give the run that is asked for; `sandbox` is the settings'. Raises ValueError."""
        read: dict[str, Any] = {each.id: self.read(each, now) for each in FIELDS}
        workspace = self.workspace()
        return RunSpec(
            prompt=self.prompt,
            title=read["title"] or default_title(self.prompt),
            project=read["project"] or default_project(workspace),
            agent=self.agent,
            workspace=workspace,
            model=read["model"],
            sandbox=self.sandbox or sandbox,
            timeout_s=read["timeout"],
            retries=read["retries"] or 0,
            not_before=read["at"],
            budget_tokens=read["budget"],
            learn_from=read["learn-from"],
        )

    def command(self) -> list[str]:
        """Give the command line that would do the same."""
        words = ["swarm-tui", "run"]
        workspace = self.workspace()
        words.append(f"--{workspace.kind.value}")
        if workspace.source:
            words.append(workspace.source)
        if workspace.include_uncommitted:
            words.append("--include-uncommitted")
        if self.agent is not Agent.CODEX:
            words += ["--agent", self.agent.value]
        if self.sandbox:
            words += ["--sandbox", self.sandbox.value]
        for each in FIELDS:
            if text := self.text(each):
                words += [each.flag, text]
        if self.prompt.startswith("-"):
            words.append("--")
        return [*words, self.prompt]

    def command_line(self) -> str:
        """Write that command line for a shell."""
        return shlex.join(self.command())


def here() -> str:
    """Give the folder the dashboard was started in, or the root where it is gone."""
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return "/"


def absolute(folder: str) -> str:
    """Give a folder that was typed as an absolute path."""
    path = Path(os.path.expandvars(folder.strip()))
    with suppress(RuntimeError):  # ~nobody stands for itself, and will not be found
        path = path.expanduser()
    return str(Path(here()) / path)


def default_title(prompt: str) -> str:
    """Give what lists show where no title is given."""
    return one_line(prompt, DEFAULT_TITLE)


def default_project(workspace: WorkspaceSpec) -> str:
    """Give the project of a run where none is named: the source folder's name."""
    named = workspace.source if workspace.kind is not WorkspaceKind.FROM_RUN else None
    return Path(named or here()).name or "default"


def usual_kind(folder: Path) -> WorkspaceKind:
    """Give the kind to begin with: a worktree in a repository, else a copy, if that can be."""
    if any((place / ".git").exists() for place in (folder, *folder.parents)):
        return WorkspaceKind.WORKTREE
    too_wide = folder in (Path("/"), Path.home())
    return WorkspaceKind.EMPTY if too_wide else WorkspaceKind.COPY

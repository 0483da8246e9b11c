"""A run as it is being written: what was typed and chosen, what is wrong with it, what it means."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine.config.run_options import BY_NAME
from engine.domain.base_name import HEADS, PULL
from engine.domain.batch import MOST_RUNS
from engine.domain.model import Agent, RunSpec, Sandbox, WorkspaceKind, WorkspaceSpec
from engine.domain.run_option import WORKSPACE, RunOption
from tui.models import fields
from tui.models.fields import FIELDS
from tui.models.named_paths import absolute, here
from tui.models.run_defaults import default_project, default_title, default_workspace

AGENTS = (Agent.CODEX, Agent.SIMULATED)
KINDS = (
    WorkspaceKind.WORKTREE,
    WorkspaceKind.COPY,
    WorkspaceKind.EMPTY,
    WorkspaceKind.FROM_RUN,
    WorkspaceKind.IN_PLACE,
)
SANDBOXES = tuple(Sandbox)
KEPT_TEMPLATES = 20
ANY_PROMPT = "…"
BASE = BY_NAME["base"].name
COPIES = "copies"
"""The field of the number of runs to start."""
SOURCE = "source"
"""The field of the folder, or the run, to work from."""


def read_copies(text: str) -> int:
    """Return how many copies a text means, 1 where it is empty. Raises `ValueError`."""
    text = text.strip() or "1"
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST_RUNS):
        raise ValueError(f"use a number from 1 to {MOST_RUNS}")
    return int(text)


@dataclass(frozen=True, slots=True)
class FormChoices:
    """Choices that the form remembers: the options of the last run, without its prompt."""

    agent: Agent
    kind: WorkspaceKind
    folder: str
    started_in: str
    """Folder in which the dashboard was started: kind and folder hold for this place alone."""
    include_uncommitted: bool
    sandbox: Sandbox | None
    typed: dict[str, str]
    given: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    """Last values of the parameters of each template, the latest template last."""


@dataclass(slots=True)
class Draft:
    """Fields of the form so far: they survive leaving it."""

    prompt: str = ""
    agent: Agent = Agent.CODEX
    kind: WorkspaceKind = WorkspaceKind.EMPTY
    folder: str = field(default_factory=here)
    earlier: str = "@last"
    """The run whose workspace to go on from."""
    include_uncommitted: bool = False
    sandbox: Sandbox | None = None
    """None: the value of the settings."""
    typed: dict[str, str] = field(default_factory=dict[str, str])
    """Texts of the fields, by their ids."""
    copies: str = "1"
    """Number of runs of it to start, as it was typed."""
    template: str = ""
    """The template to start from; the prompt is put behind its own."""
    given: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    """Texts of the fields of each template's parameters, where they are not the default."""

    @classmethod
    def begin(cls, choices: FormChoices | None) -> Draft:
        """Begin with what was chosen last; kind and folder only where that was chosen here."""
        draft = cls()
        started_in, usual = draft.folder, default_workspace(Path(draft.folder))
        draft.kind, draft.folder = usual.kind, usual.source or draft.folder
        if choices is None:
            return draft
        if choices.started_in == started_in:
            draft.kind, draft.folder = choices.kind, choices.folder
        draft.agent, draft.sandbox = choices.agent, choices.sandbox
        draft.include_uncommitted = choices.include_uncommitted
        lasting = {each.name for each in FIELDS if each.is_kept}
        draft.typed = {id: text for id, text in choices.typed.items() if id in lasting}
        draft.given = {name: dict(given) for name, given in choices.given.items()}
        return draft

    def choices(self) -> FormChoices:
        """Return the choices to remember."""
        return FormChoices(
            self.agent,
            self.kind,
            self.folder,
            here(),
            self.include_uncommitted,
            self.sandbox,
            {each.name: self.text(each) for each in FIELDS if each.is_kept and self.text(each)},
            self._kept(),
        )

    def _kept(self) -> dict[str, dict[str, str]]:
        """Return the parameters by template, the present template last."""
        others = {name: given for name, given in self.given.items() if name != self.template}
        if self.template:
            others[self.template] = self.given.get(self.template, {})
        return dict(list(others.items())[-KEPT_TEMPLATES:])

    def rest(self) -> Draft:
        """Return the draft of the next run: all fields but the prompt."""
        choices = self.choices()
        return Draft(
            agent=self.agent,
            kind=self.kind,
            folder=self.folder,
            include_uncommitted=self.include_uncommitted,
            sandbox=self.sandbox,
            typed=choices.typed,
            given=choices.given,
        )

    def text(self, which: RunOption) -> str:
        """Return what stands in a field."""
        return self.typed.get(which.name, "").strip()

    # What is wrong with it

    def problems(self, now: float) -> Iterator[tuple[str, str]]:
        """Return the id of each invalid field, with a message."""
        if not self.prompt.strip() and not self.template:
            yield "prompt", "Write a prompt."
        if self.kind is WorkspaceKind.FROM_RUN and not self.earlier.strip():
            yield SOURCE, "Name the run to continue from: its id, or @last."
        elif self.kind is not WorkspaceKind.EMPTY and not self.folder.strip():
            yield SOURCE, "Name the folder to work from."
        try:
            read_copies(self.copies)
        except ValueError as error:
            yield COPIES, f"Copies: {error}."
        wish = self.workspace()
        if wish.include_uncommitted and wish.base not in HEADS:
            yield BASE, "Base: uncommitted changes go with HEAD only."
        for each in FIELDS:
            try:
                self.read(each, now)
            except ValueError as error:
                yield each.name, f"{each.label}: {error}."

    def read(self, which: RunOption, now: float) -> object:
        """Return what a field's text means, None where it is empty; raises ValueError."""
        text = self.text(which)
        return fields.read(which, text, now) if text else None

    def applies(self, which: RunOption) -> bool:
        """Return whether a field counts for the kind of workspace that is chosen."""
        return self.kind is WorkspaceKind.WORKTREE or not which.worktree_only

    # What it means

    def workspace(self) -> WorkspaceSpec:
        """Return the workspace that is asked for."""
        source = None if self.kind is WorkspaceKind.EMPTY else absolute(self.folder)
        if self.kind is WorkspaceKind.FROM_RUN:
            source = self.earlier.strip()
        brings = self.kind is WorkspaceKind.WORKTREE and self.include_uncommitted
        used = (each for each in FIELDS if each.sets.startswith(WORKSPACE) and self.applies(each))
        given: dict[str, Any] = {
            each.sets.removeprefix(WORKSPACE): self.read(each, 0)
            for each in used
            if self.text(each)
        }
        return replace(WorkspaceSpec(self.kind, source, brings), **given)

    def spec(self, sandbox: Sandbox, now: float) -> RunSpec:
        """Return the run that is asked for; `sandbox` is the settings'. Raises ValueError."""
        applied = filter(self.applies, FIELDS)
        own = (each for each in applied if not each.sets.startswith(WORKSPACE))
        read: dict[str, Any] = {each.sets: self.read(each, now) for each in own}
        workspace = self.workspace()
        usual: dict[str, Any] = {"title": default_title(self.prompt)}
        usual["project"] = default_project(workspace, Path(here()))
        given = {name: value for name, value in read.items() if value is not None}
        return RunSpec(
            prompt=self.prompt,
            agent=self.agent,
            workspace=workspace,
            sandbox=self.sandbox or sandbox,
            **(usual | given),
        )

    def to_look_up(self) -> Draft:
        """Return what of it only the disk can check, without what would need the network."""
        looked_up = [each for each in FIELDS if each.kind in fields.LOOKED_UP]
        typed = {each.name: self.text(each) for each in looked_up if self.text(each)}
        if PULL.fullmatch(typed.get(BASE, "")):
            del typed[BASE]
        return Draft(ANY_PROMPT, self.agent, self.kind, self.folder, self.earlier, typed=typed)

    def said(self) -> set[str]:
        """Return the fields of the run that were set here, whatever a template has for them."""
        chosen = {"sandbox"} if self.sandbox else set[str]()
        return chosen | {each.sets for each in FIELDS if self.text(each) and self.applies(each)}

    def command(self) -> list[str]:
        """Return the command line that would do the same."""
        words = ["swarm-tui", "run", *self._template_words(), *self._workspace_words()]
        if self.agent is not Agent.CODEX:
            words += ["--agent", self.agent.value]
        if self.sandbox:
            words += ["--sandbox", self.sandbox.value]
        for each in FIELDS:
            if (text := self.text(each)) and self.applies(each):
                words += fields.words(each, text)
        if (copies := self.copies.strip()) not in ("", "1"):
            words += ["--count", copies]
        if self.prompt.startswith("-"):
            words.append("--")
        return [*words, self.prompt] if self.prompt.strip() or not self.template else words

    def _template_words(self) -> list[str]:
        words = ["-t", self.template] if self.template else []
        for name, value in self.given.get(self.template, {}).items():
            words += ["-p", f"{name}={value}"]
        return words

    def _workspace_words(self) -> list[str]:
        workspace = self.workspace()
        words = [f"--{workspace.kind.value}"]
        if workspace.source:
            words.append(workspace.source)
        if workspace.include_uncommitted:
            words.append("--include-uncommitted")
        return words

    def command_line(self) -> str:
        """Write that command line for a shell."""
        return shlex.join(self.command())

"""A flow: steps that wait for each other, research → write → review, as one YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from engine.batches.rows import INVALID, InputRow, invalid, key_of, listed, row_of, text_of
from engine.config import yaml_file
from engine.config.run_options import FILE_OPTIONS
from engine.domain import nearest
from engine.domain.text import printable_name
from engine.templates import option_keys
from engine.templates.parameters import Value
from engine.templates.template_sources import NAME

MOST_STEPS = 50


class WorkflowStep(Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of a step that set no option: its task, the steps before it, its workspace."""

    name: str
    template: str | None = None
    prompt: str | None = None
    title: str | None = None
    params: dict[str, Value] = {}
    after: tuple[str, ...] = ()
    starts_from: str | None = msgspec.field(name="from", default=None)

    @property
    def needs(self) -> tuple[str, ...]:
        """The steps that must have succeeded first."""
        return tuple(dict.fromkeys([*self.after, *filter(None, (self.starts_from,))]))

    def says(self) -> dict[str, Any]:
        """Return the values of its options, by the fields that they set."""
        return option_keys.fields_of(self)


if TYPE_CHECKING:
    _Steps = tuple[WorkflowStep, ...]
else:
    _Steps = tuple[option_keys.with_options(WorkflowStep), ...]


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    steps: _Steps
    name: str | None = None
    params: dict[str, Value] = {}
    matrix: dict[str, tuple[Value, ...]] = {}
    rows: tuple[dict[str, Value | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Workflow:
    """The steps, those that wait behind those they wait for, and what they are done for."""

    steps: tuple[WorkflowStep, ...]
    name: str | None
    params: Mapping[str, str]
    matrix: Mapping[str, Sequence[str]]
    rows: list[InputRow]


def is_flow(text: str) -> bool:
    """Return whether a YAML text looks like a flow: a mapping, not a list of rows."""
    kept = (
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    )
    return not next((line for line in kept if line != "---"), "-").startswith(("-", "["))


def read(text: str, name: str, folder: Path | None) -> Workflow:
    """Read a flow, whose paths are taken from `folder`; raises `UserError`, naming the line.

    Without a folder, its paths have to be absolute.
    """
    file = yaml_file.parse(text, name, _File, INVALID)
    if not 0 < len(file.steps) <= MOST_STEPS:
        raise invalid(f"{name}: a flow has 1 to {MOST_STEPS} steps.")
    lines = yaml_file.lines_of(text, "steps")
    steps = tuple(option_keys.located(step, folder) for step in file.steps)
    for step, line in zip(steps, lines, strict=True):
        _check(step, steps, f"{name}:{line}")
    rows = listed(file.rows, name, yaml_file.lines_of(text, "rows")) if file.rows else []
    params = row_of(file.params, f"{name}:{yaml_file.line_of(text, 'params')}").values
    where = f"{name}:{yaml_file.line_of(text, 'matrix')}"
    matrix = {
        key_of(key, where): tuple(text_of(key, value, where) for value in values)
        for key, values in file.matrix.items()
    }
    return Workflow(_in_order(steps, name), file.name, params, matrix, rows)


def _check(step: WorkflowStep, steps: Sequence[WorkflowStep], where: str) -> None:
    name = printable_name(step.name[:60])
    if not NAME.fullmatch(step.name):
        raise invalid(f"{where}: `{name}`: a name of small letters, digits, `-` and `_` is needed.")
    names = [other.name for other in steps]
    if names.count(step.name) > 1:
        raise invalid(f"{where}: there are two steps `{name}`.")
    if not step.template and not (step.prompt or "").strip():
        raise invalid(f"{where}: the step `{name}` needs a prompt or a template.")
    for other in step.needs:
        if other not in names:
            meant = nearest.hint(other, names)
            shown = printable_name(other[:60])
            raise invalid(f"{where}: `{name}` waits for `{shown}`, which is not a step.{meant}")
    _check_values(step, f"{where}: `{name}`")


def _check_values(step: WorkflowStep, where: str) -> None:
    for key, problem in option_keys.problems(step).items():
        raise invalid(f"{where}: `{key}`: {problem}.")
    needless = [option.key for option in FILE_OPTIONS if option.worktree_only]
    if step.starts_from and (found := [key for key in needless if getattr(step, key)]):
        raise invalid(f"{where}: `{found[0]}` goes with a worktree, not with `from`.")
    if step.starts_from and getattr(step, "on"):  # noqa: B009  options are added at run time
        raise invalid(f"{where}: `on` does not go with `from`: it works where that step did.")


def _in_order(steps: Sequence[WorkflowStep], name: str) -> tuple[WorkflowStep, ...]:
    """Put every step behind those it waits for; raises `UserError` where they wait in a circle."""
    left, done = list(steps), dict[str, WorkflowStep]()
    while left:
        ready = [step for step in left if all(other in done for other in step.needs)]
        if not ready:
            circle = ", ".join(step.name for step in left)
            raise invalid(f"{name}: these steps wait for each other: {circle}.")
        done |= {step.name: step for step in ready}
        left = [step for step in left if step.name not in done]
    return tuple(done.values())

"""A flow: steps that wait for each other, research → write → review, as one YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from engine import yaml_file
from engine.domain import nearest
from engine.domain.model import Sandbox
from engine.domain.text import printable_name
from engine.environment import problem_in
from engine.library.parameters import Value
from engine.library.rows import INVALID, Row, invalid, key_of, listed, row_of, text_of
from engine.library.shelf import NAME
from engine.values import Duration

MOST_STEPS = 50


class Step(Struct, frozen=True, forbid_unknown_fields=True):
    """One step: what is to be done, after which others, and from whose workspace."""

    name: str
    template: str | None = None
    prompt: str | None = None
    title: str | None = None
    params: dict[str, Value] = {}
    after: tuple[str, ...] = ()
    starts_from: str | None = msgspec.field(name="from", default=None)
    model: str | None = None
    sandbox: Sandbox | None = None
    timeout: Duration | None = None
    retries: int | None = None
    budget: int | None = None
    verify: str | None = None
    verify_limit: Duration | None = None
    env: dict[str, str] | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """The steps that must have succeeded first."""
        return tuple(dict.fromkeys([*self.after, *filter(None, (self.starts_from,))]))

    def says(self) -> dict[str, object]:
        """Give what it says of a run, by the fields of `RunSpec`."""
        said: dict[str, object] = {
            "model": self.model,
            "sandbox": self.sandbox,
            "timeout_s": self.timeout and float(self.timeout),
            "retries": self.retries,
            "budget_tokens": self.budget,
            "verify": self.verify,
            "verify_limit_s": self.verify_limit and float(self.verify_limit),
            "env": self.env,
        }
        return {name: value for name, value in said.items() if value is not None}


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    steps: tuple[Step, ...]
    name: str | None = None
    params: dict[str, Value] = {}
    matrix: dict[str, tuple[Value, ...]] = {}
    rows: tuple[dict[str, Value | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Flow:
    """The steps, those that wait behind those they wait for, and what they are done for."""

    steps: tuple[Step, ...]
    name: str | None
    params: Mapping[str, str]
    matrix: Mapping[str, Sequence[str]]
    rows: list[Row]


def is_flow(text: str) -> bool:
    """Say whether a YAML text looks like a flow: a mapping, not a list of rows."""
    kept = (
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    )
    return not next((line for line in kept if line != "---"), "-").startswith(("-", "["))


def read(text: str, name: str) -> Flow:
    """Read a flow; raises `UserError`, naming the line."""
    file = yaml_file.parse(text, name, _File, INVALID)
    if not 0 < len(file.steps) <= MOST_STEPS:
        raise invalid(f"{name}: a flow has 1 to {MOST_STEPS} steps.")
    lines = yaml_file.lines_of(text, "steps")
    for step, line in zip(file.steps, lines, strict=True):
        _check(step, file.steps, f"{name}:{line}")
    rows = listed(file.rows, name, yaml_file.lines_of(text, "rows")) if file.rows else []
    params = row_of(file.params, f"{name}:{yaml_file.line_of(text, 'params')}").values
    where = f"{name}:{yaml_file.line_of(text, 'matrix')}"
    matrix = {
        key_of(key, where): tuple(text_of(key, value, where) for value in values)
        for key, values in file.matrix.items()
    }
    return Flow(_in_order(file.steps, name), file.name, params, matrix, rows)


def _check(step: Step, steps: Sequence[Step], where: str) -> None:
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
            raise invalid(f"{where}: `{name}` waits for `{shown}`, which is no step.{meant}")
    _check_values(step, f"{where}: `{name}`")


def _check_values(step: Step, where: str) -> None:
    if problem := problem_in(step.env or {}):
        raise invalid(f"{where}: {problem}.")
    for key, value in step.says().items():
        if isinstance(value, (int, float)) and (value < 0 or (value == 0 and key != "retries")):
            raise invalid(f"{where}: `{key.split('_s')[0]}` must be more than nothing.")


def _in_order(steps: Sequence[Step], name: str) -> tuple[Step, ...]:
    """Put every step behind those it waits for; raises `UserError` where they wait in a circle."""
    left, done = list(steps), dict[str, Step]()
    while left:
        ready = [step for step in left if all(other in done for other in step.needs)]
        if not ready:
            circle = ", ".join(step.name for step in left)
            raise invalid(f"{name}: these steps wait for each other: {circle}.")
        done |= {step.name: step for step in ready}
        left = [step for step in left if step.name not in done]
    return tuple(done.values())

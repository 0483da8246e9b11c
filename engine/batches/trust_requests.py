"""Trust requests of a batch's files, combined into one question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.batches.request import BatchRequest
from engine.batches.rows import InputRow
from engine.batches.workflow import Workflow, WorkflowStep
from engine.config.run_options import COLUMNS
from engine.config.settings import WatchdogSettings
from engine.domain.batch import PlannedRun
from engine.domain.consent import TrustConcern, TrustItem, TrustRequest
from engine.domain.model import RunSpec
from engine.domain.run_option import value_of
from engine.domain.text import printable_name
from engine.system.files import real_path
from engine.templates.template import Template, own_base
from engine.templates.trust_request import project_of
from engine.trust.loosening import commands as judged
from engine.trust.loosening import looser
from engine.workspaces.create.create import root_of
from engine.workspaces.create.working_folder import chosen

FILE = "BATCH_NOT_TRUSTED"
FEW_RUNS = 100
"""So many runs a file may ask for without a question."""


@dataclass(frozen=True, slots=True)
class BatchFile:
    """A file that a batch is made from, as it was read."""

    path: Path
    text: str
    flow: Workflow | None
    rows: Sequence[InputRow]

    @property
    def gives(self) -> frozenset[str]:
        """The names of the values that it sets."""
        found = {name for row in self.rows for name in row.values}
        if self.flow:
            found |= {*self.flow.params, *self.flow.matrix}
            found |= {name for row in self.flow.rows for name in row.values}
        return frozenset(found)

    def writes_verify(self, template: Template | None, step: WorkflowStep | None) -> bool:
        """Return whether a run's verify command is the file's, or made with its values."""
        if step and step.says().get("verify"):
            return True
        given = self.gives | (step.params.keys() if step else set[str]())
        return bool(template and given.intersection(template.verify_names))


def of_file(
    file: BatchFile,
    order: BatchRequest,
    planned: Sequence[PlannedRun],
    known: Mapping[str, Template],
    usual: WatchdogSettings,
    root: Path | None,
) -> TrustRequest:
    """Return what a file from a repository asks for beyond what the user did."""
    items: dict[TrustItem, None] = {}
    commands: dict[str, None] = {}
    steps = {step.name: step for step in file.flow.steps} if file.flow else {}
    home = root or project_of(file.path) or file.path.parent
    for spec in (each.spec for each in planned):
        step = steps.get(spec.given.get("step", ""))
        template = known.get(spec.template or "")
        wanted = _wanted(file, spec, step)
        own = template.own if template else None
        base = own_base(order.spec, own, order.said) if own else order.spec
        items.update(dict.fromkeys(looser(wanted, base, usual, (str(home),))))
        if place := _outside(file, spec, home):
            items[TrustItem(TrustConcern.LEAVES, f"works from {printable_name(place)}")] = None
        if file.writes_verify(template, step) and spec.verify in spec.preparation.guarded:
            commands[spec.verify or ""] = None
    items.update(dict.fromkeys(judged(list(commands), str(home))))
    if (count := len(planned) // max(1, order.count)) > FEW_RUNS:
        items[TrustItem(TrustConcern.COST, f"starts {count} runs")] = None
    return TrustRequest(
        str(file.path),
        FILE,
        ((str(file.path), file.text),),
        tuple(items),
        tuple(commands),
        roots=roots_of(planned),
        cwds=cwds_of(planned),
    )


def roots_of(planned: Sequence[PlannedRun]) -> tuple[str, ...]:
    """Return the folders that the workspaces of these runs are made from."""
    places = [root_of(each) for each in {each.spec.workspace: None for each in planned}]
    return tuple(dict.fromkeys(str(place) for place in places if place))


def cwds_of(planned: Sequence[PlannedRun]) -> tuple[str, ...]:
    """Return the folders of their workspaces where these runs work."""
    wishes = {each.spec.workspace: None for each in planned}
    return tuple(dict.fromkeys(chosen(wish) for wish in wishes))


def _wanted(file: BatchFile, spec: RunSpec, step: WorkflowStep | None) -> dict[str, Any]:
    """Return the values of options that the file sets for a run, by the fields that they set."""
    wanted = step.says() if step else {}
    columns = [option for option in COLUMNS if option.key in file.gives]
    return {**wanted, **{option.sets: value_of(spec, option) for option in columns}}


def _outside(file: BatchFile, spec: RunSpec, home: Path) -> str | None:
    """Return the folder that the file chose for a run, where that is outside its project."""
    source = spec.workspace.source
    if not source or not file.gives.intersection(("repository", "source")):
        return None
    return None if real_path(source).is_relative_to(real_path(home)) else source

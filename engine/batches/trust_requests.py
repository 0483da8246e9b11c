"""What the files of a repository ask for, put together for the one question about them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.batches.request import BatchRequest
from engine.batches.rows import InputRow
from engine.batches.workflow import Workflow, WorkflowStep
from engine.config.settings import WatchdogSettings
from engine.domain.batch import PlannedRun
from engine.domain.consent import TrustConcern, TrustItem, TrustRequest
from engine.domain.model import RunSpec
from engine.domain.run_options import COLUMNS, value_of
from engine.domain.text import printable_name
from engine.system.files import real_path
from engine.templates.loosening import command, looser, own_base
from engine.templates.loosening import commands as judged
from engine.templates.template import Template, fields_of
from engine.workspaces.create.create import root_of
from engine.workspaces.create.working_folder import chosen

TEMPLATE = "TEMPLATE_NOT_TRUSTED"
FILE = "BATCH_NOT_TRUSTED"
FEW_RUNS = 100
"""So many runs a file may ask for without a question."""
_MARKERS = (".git/HEAD", ".hg", ".svn", ".jj", ".swarm")


def project_of(file: Path) -> Path | None:
    """Return the nearest folder above a file that is the top of a project, if there is one."""
    return next((at for at in file.parents if _is_project(at)), None)


def _is_project(folder: Path) -> bool:
    # A linked worktree has a file in the place of the folder `.git`.
    is_linked = (folder / ".git").is_file()
    return is_linked or any(os.path.lexists(folder / name) for name in _MARKERS)


def of_template(
    template: Template,
    spec: RunSpec,
    said: Collection[str],
    usual: WatchdogSettings,
    *,
    roots: Sequence[str] = (),
    rendered: Sequence[str] = (),
    cwds: Sequence[str] = (),
) -> TrustRequest | None:
    """Return what a repository's template asks for where `spec` is what the user did; or None.

    `roots` are the folders where its command runs, `rendered` the command with what the user gave.
    """
    if not template.foreign:
        return None
    file = template.foreign[0].path
    # The repository's own `.swarm` counts also where a run works from a part of it.
    places = tuple(dict.fromkeys((*roots, str(file.parents[2]))))
    said = frozenset(said)
    fields = fields_of(template.keys)
    wanted = {field: value for field, value in fields.items() if field not in said}
    wanted["env"] = {k: v for k, v in fields.get("env", {}).items() if k not in spec.env}
    items = list(looser(wanted, own_base(spec, template.own, said), usual, places))
    if template.displaced:
        where = template.displaced.layer.value
        text = f"takes the place of the template `{template.name}` that is {where}"
        items.append(TrustItem(TrustConcern.LEAVES, text))
    commands: list[str] = []
    if template.has_foreign_verify and "verify" not in said:
        parts = dict(_verify_parts(template, places[0]))
        items += parts.values()
        commands += parts
    return TrustRequest(
        str(file),
        TEMPLATE,
        tuple((str(each.path), each.text) for each in template.foreign),
        tuple(items),
        tuple(commands),
        tuple(rendered) if commands else (),
        places,
        tuple(cwds),
    )


def _verify_parts(template: Template, root: str) -> Iterator[tuple[str, TrustItem]]:
    """Return the texts that a verify command is made of, and how each is shown."""
    verify = template.keys.option("verify") or ""
    yield verify, command(verify, root)
    for name in template.verify_names:
        default = template.params[name].default
        if default not in (None, ""):
            concern = command(str(default), root).concern
            yield str(default), TrustItem(concern, f"with {name} {printable_name(str(default))}")


@dataclass(frozen=True, slots=True)
class BatchFile:
    """A file that a batch is made from, as it was read."""

    path: Path
    text: str
    flow: Workflow | None
    rows: Sequence[InputRow]

    @property
    def gives(self) -> frozenset[str]:
        """The names that it gives values to."""
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

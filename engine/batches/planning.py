"""The runs that come of what is asked for as a batch: all of them filled in, none started."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.batches import rows
from engine.batches import workflow as flows
from engine.batches.matrix import cells
from engine.batches.request import BatchRequest
from engine.batches.rows import InputRow, invalid
from engine.batches.titles import RunTitles, usual
from engine.batches.trust_requests import BatchFile
from engine.batches.workflow import Workflow, WorkflowStep
from engine.config.run_options import COLUMNS
from engine.domain.batch import PlannedRun
from engine.domain.errors import UserError
from engine.domain.model import RunSpec, WorkspaceKind
from engine.domain.run_option import with_values
from engine.domain.text import one_line, printable_name
from engine.system.files import expanded, real_path
from engine.templates import loading, rendering
from engine.templates.option_keys import from_text
from engine.templates.rendering import TemplateTextError
from engine.templates.template import Template

SPECIAL = ("repository", "source", "title", "prompt", *(option.key for option in COLUMNS))
"""Columns that set options of a run, where the template has no parameter of that name."""
TITLE, GIVEN = 272, 200
PLACEHOLDER = re.compile(r"(?<!\{)\{\{-?\s*[^\W\d]\w*\s*(\||-?\}\})|\{%-?\s*raw\b")
"""Braces that always mean a variable; other braces are code."""
LITERALLY = (
    "Set it with --matrix, --from or -p. Literal braces go between {% raw %} and {% endraw %}."
)
SOURCES = (WorkspaceKind.WORKTREE, WorkspaceKind.COPY, WorkspaceKind.IN_PLACE)


@dataclass(frozen=True, slots=True)
class _Filled:
    """Parts that runs are made of: the steps to go through for each cell."""

    order: BatchRequest
    known: Mapping[str, Template]
    flow: Workflow | None
    file: BatchFile | None = None
    """The file, where it came from a repository."""


def read(file: Path) -> tuple[Workflow | None, list[InputRow]]:
    """Read a file of rows, or of a flow; raises `UserError`."""
    return parse(file, rows.read_file(file))


def parse(
    file: Path, text: str, *, is_sent: bool = False
) -> tuple[Workflow | None, list[InputRow]]:
    """Parse the text of such a file; one that was sent is in no folder. Raises `UserError`."""
    if rows.KINDS[file.suffix.lower()] == "YAML" and flows.is_flow(text):
        folder = None if is_sent else file.parent
        return flows.read(text, printable_name(file.name), folder), []
    return None, rows.rows(file, text)


def planned(
    order: BatchRequest,
    known: Mapping[str, Template],
    listed: Sequence[InputRow],
    flow: Workflow | None,
    foreign: BatchFile | None = None,
    looked: Callable[[int, int], None] = lambda _done, _of: None,
) -> list[PlannedRun]:
    """Make every run, those that wait behind those they wait for; raises `UserError`.

    `foreign` is the file, where it came from a repository: check commands of its are guarded.
    `looked` gets how many rows are done, and of how many.
    """
    what, steps = _Filled(order, known, flow, foreign), flow.steps if flow else (None,)
    matrix = {**(flow.matrix if flow else {}), **order.matrix}
    listed = [*listed, *(flow.rows if flow else ())]
    done: list[list[RunSpec]] = []
    rows_ = cells(listed, matrix, order.count * len(steps))
    for cell in rows_:
        looked(len(done), len(rows_))
        done.append([_at(what, cell, step) for step in steps])
    named = RunTitles([spec for specs in done for spec in specs], order.count)
    found: list[PlannedRun] = []
    for specs in done:
        for copy in range(1, order.count + 1):
            titled = [
                replace(spec, title=named.of(spec, step.name if step else None, copy))
                for spec, step in zip(specs, steps, strict=True)
            ]
            found += _linked(titled, steps, len(found))
    return found


def _linked(
    specs: Sequence[RunSpec], steps: Sequence[WorkflowStep | None], first: int
) -> Iterator[PlannedRun]:
    places = {step.name: first + place for place, step in enumerate(steps) if step}
    for spec, step in zip(specs, steps, strict=True):
        if step is None:
            yield PlannedRun(spec)
            continue
        source = places.get(step.starts_from or "")
        yield PlannedRun(spec, tuple(places[name] for name in step.needs), source)


def _at(what: _Filled, cell: InputRow, step: WorkflowStep | None) -> RunSpec:
    """Return the run spec of a cell; an error names the place of the cell."""
    try:
        return _spec(what, cell, step)
    except UserError as error:
        if not cell.where:
            raise
        message = f"{printable_name(cell.where[:300])}: {error.message}"
        raise UserError(message, error.recovery, error.code, error.docs_url) from error


def _spec(what: _Filled, cell: InputRow, step: WorkflowStep | None) -> RunSpec:
    order = what.order
    name = step.template if step else order.template
    template = loading.find(what.known, name) if name else None
    names = template.params if template else {}
    values = {**(what.flow.params if what.flow else {}), **order.params, **cell.values}
    special = {key: values[key] for key in SPECIAL if key in values and key not in names}
    base, said = order.spec, set(order.said)
    if step:
        variables = {**step.says().get("env", {}), **base.env}
        base = with_values(base, {**step.says(), "env": variables})
        said |= step.says().keys()
    prompt = [_rendered(step.prompt if step else base.prompt, values, "the prompt")]
    prompt.append("" if step else special.get("prompt", ""))
    spec = replace(base, prompt="\n\n".join(text for text in prompt if text.strip()))
    title = special.get("title") or (step.title if step else base.title if "title" in said else "")
    if template:
        given = _params(template, {k: v for k, v in values.items() if k not in special}, step)
        spec = loading.fill(template, given).over(replace(spec, title=""), said - {"title"})
    if title:
        spec = replace(spec, title=one_line(_rendered(title, values, "the title"), TITLE))
    elif not template:
        spec = replace(spec, title=usual(step.name if step else None, spec.prompt))
    if spec.verify and what.file and what.file.writes_verify(template, step):
        guarded = tuple(dict.fromkeys((*spec.preparation.guarded, spec.verify)))
        spec = replace(spec, preparation=replace(spec.preparation, guarded=guarded))
    given = {k: one_line(v, GIVEN) for k, v in cell.values.items() if k != "title"}
    return replace(
        _placed(spec, special, order), given={**given, **({"step": step.name} if step else {})}
    )


def _params(
    template: Template, values: Mapping[str, str], step: WorkflowStep | None
) -> dict[str, Any]:
    """Return the values for a template: in a flow its own parameters, else all, to find typos."""
    names = template.params
    if step is None:
        # An empty cell sets nothing, except where the parameter's default is empty.
        return {k: v for k, v in values.items() if v or k not in names or names[k].default == ""}
    own = {
        k: _rendered(v, values, f"`{k}`") if isinstance(v, str) else v
        for k, v in step.params.items()
    }
    return {**{k: v for k, v in values.items() if k in names and v}, **own}


def _rendered(text: str | None, values: Mapping[str, str], what: str) -> str:
    """Fill a text in with what is given; where nothing is, only a placeholder makes it one."""
    if not text or not (values or PLACEHOLDER.search(text)):
        return text or ""
    try:
        return rendering.render(text, values)
    except TemplateTextError as wrong:
        raise invalid(f"{what}: {printable_name(wrong.what)}.", LITERALLY) from wrong


def _placed(spec: RunSpec, special: Mapping[str, str], order: BatchRequest) -> RunSpec:
    """Return the spec with the options that a row sets; its paths are relative to this folder."""
    given = {option: special.get(option.key) for option in COLUMNS}
    values = {
        option.sets: from_text(option, text, is_sent=order.is_sent)
        for option, text in given.items()
        if text
    }
    spec = with_values(spec, values)
    named = special.get("repository") or special.get("source")
    if not named:
        return spec
    path = expanded(named)
    if order.usual:
        wish = spec.workspace
        workspace = replace(order.usual(path), cwd=wish.cwd, base=wish.base, fetch=wish.fetch)
    elif spec.workspace.kind in SOURCES:
        here = Path(spec.workspace.source or ".")
        workspace = replace(spec.workspace, source=str(real_path(here / path)))
    else:
        raise invalid("`repository` goes with a worktree or a copy.")
    project = spec.project if "project" in order.said else Path(workspace.source or "").name
    return replace(spec, workspace=workspace, project=project or "default")

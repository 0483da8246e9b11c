"""The request for a batch as JSON: the request for a run, with rows, a matrix and copies."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from engine.domain.batch import MOST_RUNS
from engine.domain.budget import Budget, read_budget
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.domain.run_option import WORKSPACE
from engine.system.files import real_path
from tui.cli.support.child_runs import inherit, inherit_all
from tui.cli.support.run_request import (
    RunRequest,
    absolute,
    check_trust,
    given_fields,
    invalid,
    make_spec,
    with_parent,
)
from tui.cli.support.run_specs import KINDS
from tui.models.run_defaults import workspace_from

if TYPE_CHECKING:
    from engine.engine import BatchPlan, BatchRequest, Consent
    from engine.ports.engine import EnginePort

Value = str | int | float | bool
SOURCES = ("rows", "tasks", "csv", "yaml")
"""The keys that have one run each for their items; they exclude each other."""
FOLDER = Path("/")
"""The folder that relative paths of a sent text start from; none is expected to exist there."""
CHARACTERS = 4 * 1024**2


class BatchStartRequest(RunRequest, kw_only=True):
    """A request for a batch: options of all its runs, and the runs: rows × matrix × copies.

    Prompt and title may name columns: `{{ city }}`.
    """

    rows: Annotated[
        Annotated[list[dict[str, Value | None]], Meta(max_length=MOST_RUNS)] | None,
        Meta(description="start one run for each row of values by column"),
    ] = None
    tasks: Annotated[
        Annotated[list[str], Meta(max_length=MOST_RUNS)] | None,
        Meta(description="start one run for each prompt; `prompt` comes before each"),
    ] = None
    csv: Annotated[
        Annotated[str, Meta(max_length=CHARACTERS)] | None,
        Meta(description="start one run for each row of this CSV text"),
    ] = None
    yaml: Annotated[
        Annotated[str, Meta(max_length=CHARACTERS)] | None,
        Meta(description="start one run for each row of this YAML text; or a flow of steps"),
    ] = None
    matrix: Annotated[
        dict[str, list[Value]] | None,
        Meta(description="start one run for each value; of several keys, all combinations"),
    ] = None
    count: Annotated[
        int, Meta(ge=1, le=MOST_RUNS, description="run each task so many times (best of N)")
    ] = 1
    name: Annotated[
        str | None, Meta(description="name of the batch; null: the template, or the title")
    ] = None
    total_budget: Annotated[
        Annotated[int, Meta(gt=0, le=10**15)] | str | None,
        Meta(description="limit all runs together, in tokens, money or percent as `budget`"),
    ] = None
    dry_run: Annotated[bool, Meta(description="check all rows and return the plan only")] = False


async def plan_batch(
    engine: EnginePort, request: BatchStartRequest, *, may_trust: bool
) -> tuple[BatchPlan, list[Consent]]:
    """Return the checked plan of a batch, and what is not trusted yet; nothing is started.

    With `may_trust`, `trust: true` trusts what its sources ask for, unless it is a dry run.
    Raises `UserError`.
    """
    check_trust(request, may_trust=may_trust)
    request = await with_parent(engine, request)
    order = await _order(engine, request)
    if request.parent is not None:  # refused before anything is read
        await inherit(engine, request.parent, order.spec, order.said)
    plan = await engine.swarms.plan(order)
    if request.parent is not None:  # a template or a column may have set more
        plan = await inherit_all(engine, request.parent, plan)
    if not _has_kind(request):
        _check_places(plan)
    consents = await engine.swarms.consents(plan)
    if request.trust and not request.dry_run:
        for each in consents:
            await engine.trust.grant(each)
    return await engine.swarms.check(plan, ask_later=request.dry_run), consents


def budget_of(value: int | str | None) -> Budget | None:
    """Return the budget that all runs of a batch share; raises `UserError`."""
    try:
        return None if value is None else read_budget(str(value))
    except ValueError as error:
        raise invalid(f"`total_budget`: {error}.") from None


async def _order(engine: EnginePort, request: BatchStartRequest) -> BatchRequest:
    from engine.engine import BatchRequest, matrix_of

    sent = [key for key in SOURCES if getattr(request, key) is not None]
    if len(sent) > 1:
        raise invalid(f"`{sent[0]}` and `{sent[1]}` exclude each other.")
    if not (sent or request.matrix or request.count > 1):
        names = ", ".join(f"`{key}`" for key in SOURCES)
        raise invalid("The request names no runs.", f"Set {names}, `matrix` or `count`.")
    if not (request.prompt or request.template or sent):
        raise invalid("The request has no task.", "Set `prompt` or `template`.")
    file, text = _file(request)
    params = matrix_of({key: [value] for key, value in (request.params or {}).items()})
    spec = await make_spec(engine, request, WorkspaceSpec())
    return BatchRequest(
        spec,
        frozenset(given_fields(request)),
        request.template,
        {key: value for key, (value,) in params.items()},
        file,
        matrix_of(request.matrix or {}),
        request.count,
        request.name,
        budget_of(request.total_budget),
        None if _has_kind(request) else lambda folder: _usual(folder, request),
        text,
        is_sent=True,
    )


def _file(request: BatchStartRequest) -> tuple[Path | None, str | None]:
    """Return the rows as a file that is in no folder: its name has the format."""
    if request.csv is not None:
        return FOLDER / "rows.csv", request.csv
    if request.yaml is not None:
        return FOLDER / "rows.yaml", request.yaml
    rows: list[Any] | None = request.rows
    if request.tasks is not None:
        rows = [{"prompt": task} for task in request.tasks]
    if rows is None:
        return None, None
    return FOLDER / "rows.jsonl", "\n".join(map(json.dumps, rows))


def _has_kind(request: RunRequest) -> bool:
    return any(getattr(request, name) for name in KINDS)


def _usual(folder: Path, request: RunRequest) -> WorkspaceSpec:
    """Return the workspace for a folder that a row names."""
    wish = workspace_from(real_path(Path(absolute("repository", str(folder)))))
    fields = given_fields(request).items()
    own = {k.removeprefix(WORKSPACE): v for k, v in fields if k.startswith(WORKSPACE)}
    return replace(wish, **own)


def _check_places(plan: BatchPlan) -> None:
    """Refuse runs without a workspace: no row and no option of the request names one."""
    for each in plan.planned:
        if each.starts_from is None and each.spec.workspace.kind is WorkspaceKind.EMPTY:
            names = ", ".join(f"`{name}`" for name in KINDS)
            raise invalid(
                "The request names no workspace.", f"Set one of {names}, or `repository` in rows."
            )

"""Operations on patterns of earlier work: list, show, export, import, edit and remove."""

from __future__ import annotations

import json
from typing import Annotated, Any

from litestar import Response, delete, get, patch, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, PathParameter
from msgspec import UNSET, Meta, UnsetType, structs, to_builtins

from engine.domain.pattern import StoredPattern
from tui.cli.api.answers import as_shape
from tui.cli.api.context import Context
from tui.cli.api.scopes import READ, RUN
from tui.cli.json import PatternJson
from tui.cli.json.base import Shape
from tui.cli.json.library import PatternStepJson, VariableJson
from tui.cli.support.library_json import pattern_json

YAML = "application/yaml"
SENT = "the pattern"
"""Stands in errors for a file."""
PatternName = Annotated[
    str, PathParameter(name="pattern", description="id of a pattern, or its unique beginning")
]


class PatternText(Shape):
    """A pattern as a file has it."""

    text: Annotated[
        str,
        Meta(
            max_length=64 * 1024,
            description="YAML, as the export has it",
            examples=["goal: Tidy up\nsteps:\n  - {kind: run, text: make test}\n"],
        ),
    ]


class PatternChange(Shape, kw_only=True):
    """The parts of a pattern to change; those left out stay."""

    goal: str | UnsetType = UNSET
    steps: list[PatternStepJson] | UnsetType = UNSET
    variables: list[VariableJson] | UnsetType = UNSET
    outcome: str | UnsetType = UNSET
    template: str | UnsetType | None = UNSET


@get(
    "/patterns",
    opt=READ,
    operation_id="list_patterns",
    summary="List the patterns",
    tags=["patterns"],
)
async def list_patterns(context: Context) -> list[PatternJson]:
    """Return all patterns of successful runs, the last changed first."""
    found = [pattern_json(known) for known in await context.engine.patterns.all()]
    return as_shape(list[PatternJson], found)


@get(
    "/patterns/{pattern:str}",
    opt=READ,
    operation_id="show_pattern",
    summary="Show a pattern",
    tags=["patterns"],
)
async def show_pattern(name: PatternName, context: Context) -> PatternJson:
    """Return a pattern, with the success of the runs that used it and of those that did not."""
    return _shown(await context.engine.patterns.find(name))


@get(
    "/patterns/{pattern:str}/export",
    opt=READ,
    operation_id="export_pattern",
    summary="Export a pattern as YAML",
    tags=["patterns"],
    media_type=YAML,
    responses={
        200: ResponseSpec(str, generate_examples=False, media_type=YAML, description="the file")
    },
)
async def export_pattern(name: PatternName, context: Context) -> Response[str]:
    """Return the file by which a pattern is shared; another home imports it."""
    return Response(await context.engine.patterns.export(name), media_type=YAML)


@post(
    "/patterns",
    opt=RUN,
    operation_id="import_pattern",
    summary="Import a pattern",
    tags=["patterns"],
    status_code=201,
)
async def import_pattern(context: Context, data: JSONBody[PatternText]) -> PatternJson:
    """Store the pattern of a file; one with the same id is replaced."""
    return _shown(await context.engine.patterns.save(data.text, SENT))


@patch(
    "/patterns/{pattern:str}",
    opt=RUN,
    operation_id="edit_pattern",
    summary="Edit a pattern",
    tags=["patterns"],
)
async def edit_pattern(
    name: PatternName, context: Context, data: JSONBody[PatternChange]
) -> PatternJson:
    """Change parts of a pattern; later runs never change it again."""
    patterns = context.engine.patterns
    known = await patterns.find(name)
    text = _file(known, {k: v for k, v in structs.asdict(data).items() if v is not UNSET})
    return _shown(await patterns.save(text, SENT, id=known.id))


@delete(
    "/patterns/{pattern:str}",
    opt=RUN,
    operation_id="remove_pattern",
    summary="Remove a pattern",
    tags=["patterns"],
    status_code=200,
)
async def remove_pattern(name: PatternName, context: Context) -> PatternJson:
    """Remove a pattern and return it; `undo` restores the last removed one."""
    return _shown(await context.engine.patterns.remove(name))


@post(
    "/patterns/undo",
    opt=RUN,
    operation_id="restore_pattern",
    summary="Restore the last removed pattern",
    tags=["patterns"],
    status_code=200,
)
async def restore_pattern(context: Context) -> PatternJson:
    """Restore the pattern that was removed last."""
    return _shown(await context.engine.patterns.bring_back())


def _shown(known: StoredPattern) -> PatternJson:
    return as_shape(PatternJson, pattern_json(known))


def _file(known: StoredPattern, changes: dict[str, Any]) -> str:
    """Return a changed pattern as the text of a file; JSON is YAML, too."""
    keys = ("goal", "steps", "variables", "outcome", "template")
    fields = {key: pattern_json(known)[key] for key in keys} | to_builtins(changes)
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]
    return "\n".join(lines)


HANDLERS = [
    list_patterns,
    show_pattern,
    export_pattern,
    import_pattern,
    edit_pattern,
    remove_pattern,
    restore_pattern,
]

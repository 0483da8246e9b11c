"""Operations on run templates: list, show, check and create."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from litestar import get, post
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta

from engine.domain.errors import user_error
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.engine import Template
from tui.cli.api.answers import as_shape
from tui.cli.api.context import ApiContext, Context
from tui.cli.api.scopes import ADMIN, READ
from tui.cli.json import TemplateJson
from tui.cli.json.base import Shape
from tui.cli.support.library_json import template_json
from tui.cli.support.run_request import absolute

TemplateName = Annotated[str, PathParameter(name="template", description="name of a template")]
Repository = Annotated[
    str | None,
    QueryParameter(
        name="repository",
        description="absolute path of a repository whose templates count, too",
    ),
]
InRepository = Annotated[
    str | None,
    Meta(description="absolute path of a repository whose templates count, too"),
]
Content = Annotated[str, Meta(max_length=256 * 1024)]
NewName = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,39}$", examples=["tidy"])]


class SentTemplate(Shape, kw_only=True):
    """The text of a template that is in no file."""

    name: NewName
    text: Annotated[
        Content,
        Meta(
            description="YAML, as a file of a template has it",
            examples=["description: Tidy up\nprompt: Tidy the code up.\n"],
        ),
    ]
    repository: InRepository = None


class NewTemplate(Shape, kw_only=True):
    """A template to create."""

    name: NewName
    text: Annotated[
        Content | None, Meta(description="YAML; null: a template with comments to edit")
    ] = None
    repository: Annotated[
        str | None,
        Meta(description="absolute path of a repository to create it in; null: one of your own"),
    ] = None


@get(
    "/templates",
    opt=READ,
    operation_id="list_templates",
    summary="List the templates",
    tags=["templates"],
)
async def list_templates(context: Context, repository: Repository = None) -> list[TemplateJson]:
    """Return the built-in templates, your own, and those of a repository; later ones win by name.

    An invalid template has its error.
    """
    templates = context.engine.templates
    known = await templates.all(await _root(context, repository))
    achieved = await templates.achieved()
    found = [template_json(each, achieved.get(each.name)) for each in known.values()]
    return as_shape(list[TemplateJson], found)


@get(
    "/templates/{template:str}",
    opt=READ,
    operation_id="show_template",
    summary="Show a template",
    tags=["templates"],
)
async def show_template(
    name: TemplateName, context: Context, repository: Repository = None
) -> TemplateJson:
    """Return a template with its parameters and the results of its runs."""
    found = await context.engine.templates.find(name, await _root(context, repository))
    return await _shown(context, found)


@post(
    "/templates/check",
    opt=READ,
    operation_id="check_template",
    summary="Check the text of a template",
    tags=["templates"],
    status_code=200,
)
async def check_template(context: Context, data: JSONBody[SentTemplate]) -> TemplateJson:
    """Return the template of a text, with its error if it is invalid; nothing is stored."""
    root = await _root(context, data.repository)
    found = await context.engine.templates.check_text(data.name, data.text, root)
    return as_shape(TemplateJson, template_json(found, None))


@post(
    "/templates",
    opt=ADMIN,
    operation_id="create_template",
    summary="Create a template",
    tags=["templates"],
    status_code=201,
)
async def create_template(context: Context, data: JSONBody[NewTemplate]) -> TemplateJson:
    """Write a template file, one of your own or one in a repository; no file is overwritten."""
    templates, root = context.engine.templates, await _root(context, data.repository)
    if data.text is not None:
        checked = await templates.check_text(data.name, data.text, root)
        if checked.problem:
            raise checked.problem
    folder = root / ".swarm" / "templates" if root else None
    path = await templates.new(data.name, folder, data.text)
    return as_shape(TemplateJson, template_json(await templates.check(path, root), None))


async def _shown(context: ApiContext, template: Template) -> TemplateJson:
    achieved = await context.engine.templates.achieved()
    return as_shape(TemplateJson, template_json(template, achieved.get(template.name)))


async def _root(context: ApiContext, repository: str | None) -> Path | None:
    """Return the folder whose templates count beside those of the user; raises `UserError`."""
    if repository is None:
        return None
    workspace = WorkspaceSpec(WorkspaceKind.WORKTREE, absolute("repository", repository))
    root = await asyncio.to_thread(context.engine.templates.repository_of, workspace)
    if root is None:
        raise user_error("SOURCE_NOT_FOUND")
    return root


HANDLERS = [list_templates, show_template, check_template, create_template]

"""The template that a draft starts from: looked for, checked and filled in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.domain.errors import UserError
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.domain.text import printable, printable_name
from tui.models.draft import Draft
from tui.models.named_paths import here

if TYPE_CHECKING:
    from engine.engine import RenderedTemplate, Template
    from engine.ports.engine import EnginePort
    from engine.ports.services import TemplatesPort


async def templates_for(
    templates: TemplatesPort, workspace: WorkspaceSpec | None = None
) -> Mapping[str, Template]:
    """Return the templates for runs in such a workspace, by default for those of this folder."""
    place = workspace or WorkspaceSpec(WorkspaceKind.WORKTREE, here())
    repository = await asyncio.to_thread(templates.repository_of, place)
    return await templates.all(repository)


class DraftedTemplate:
    """Template named in `draft`, once it was read; templates depend on the folder."""

    def __init__(self, engine: EnginePort, draft: Draft) -> None:
        self._templates, self._draft = engine.templates, draft
        self._all: tuple[WorkspaceSpec, Mapping[str, Template]] | None = None
        self.found: Template | None = None
        """The template, even one that cannot be used."""

    async def all(self) -> Mapping[str, Template]:
        """Return the templates of the home and of the folder to work from."""
        workspace, templates = self._draft.workspace(), self._templates
        if self._all is None or self._all[0] != workspace:
            self._all = workspace, await templates_for(templates, workspace)
        return self._all[1]

    async def look(self) -> bool:
        """Find the named template; return whether it is another one than before."""
        before, name = self.found, self._draft.template
        found = (await self.all()).get(name)
        if name == self._draft.template:  # another may have been chosen meanwhile
            self.found = found
        return self.found is not before

    @property
    def usable(self) -> Template | None:
        """The template, where it can be used."""
        return self.found if self.found and not self.found.problem else None

    def problem(self) -> str | None:
        """Return the reason why no run can be started from it, if there is one."""
        if self.found is None:
            name = self._draft.template
            return f"There is no template {printable_name(name[:60])} here." if name else None
        if self.found.problem:
            return printable(self.found.problem.message)
        try:
            self._fill(self.found)
        except UserError as error:
            return printable(error.message)
        return None

    def filled(self) -> RenderedTemplate | None:
        """Return the rendered template, where it can be rendered."""
        with suppress(UserError):
            return self._fill(self.usable) if self.usable else None
        return None

    def _fill(self, template: Template) -> RenderedTemplate:
        return self._templates.preview(template, self._draft.given.get(template.name, {}))

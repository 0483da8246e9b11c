"""The run templates of a home and a repository: listed, checked, filled in, made."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from engine.agents.registry import agent_of
from engine.config import workspace_roots
from engine.config.paths import Paths
from engine.config.settings import Config
from engine.domain.consent import Consent, TrustRequest
from engine.domain.errors import user_error
from engine.domain.model import RunSpec, TemplateStats, WorkspaceKind, WorkspaceSpec
from engine.domain.text import printable_name
from engine.store.store import Store
from engine.system.files import real_path
from engine.templates import template_sources
from engine.templates.parameters import Value
from engine.templates.template import RenderedTemplate, Template
from engine.templates.template_sources import NAME, TemplateSource, sent
from engine.trust.service import Trust, with_guard
from engine.workspaces.create.create import root_of, top_of
from engine.workspaces.create.working_folder import chosen

NEW = """# A run template: start it with `swarm-tui run -t {name}`, see docs/templates.md.
description: What it does, in one line

# extends: test               # begin with all keys of another template

params:                       # {{{{ path }}}} in the texts below stands for what is given
  path:
    type: path                # text, number, choice (with `choices: [a, b]`), flag or path
    default: .                # without a default it has to be given
    help: What to work on
    # check: value != "/"     # a condition on `value`

# title: "{name} {{{{ path }}}}"
# model: gpt-5.5
# sandbox: workspace-write    # read-only, workspace-write or danger-full-access
timeout: 30m
# verify: make test           # run afterwards, as you: it decides whether the run succeeded
# verify_limit: 15m
# retries: 2                  # so often the agent gets the check's output, and tries again
# budget: 500k                # tokens; or $5, or 10% of the week
# base: main                  # the branch, tag or commit to start from
# fetch: true                 # fetch it first
# cwd: packages/api           # the folder of the repository to work in
# output_schema: answer.json  # a JSON schema beside this file that the answer must fit
# images: [screen.png]        # for the agent
# add_dirs: [../common]       # folders that the agent may also write in
# env: {{CI: "1"}}             # variables for the run
# watchdog: {{silent_s: 10m, action: resume}}

prompt: |
  Describe the task in `{{{{ path }}}}`, step by step.
  {{% if path == "." %}}Conditions are allowed.{{% endif %}}

  End with a short report: what you changed, how you checked it, what is left.
"""


class Templates:
    """Service for templates; each call reads the files as they are then."""

    def __init__(
        self, paths: Paths, store: Store, trust: Trust, config: Config | None = None
    ) -> None:
        self.folder = paths.config.parent / "templates"
        """Folder of the user's own templates."""
        self._store = store
        self._trust = trust
        self._home = paths.home
        self._config = config or Config()
        self.watchdog = self._config.watchdog
        """The settings that templates are held against."""

    def settled(self, spec: RunSpec) -> RunSpec:
        """Return what the user asks for, with the mode that the settings have."""
        return agent_of(spec.agent).complete(spec, self._config)

    def is_foreign(self, file: Path, source: Path | None) -> bool:
        """Return whether a file that was named is a project's or an agent's, not the user's own."""
        from engine.templates.trust_request import project_of

        above = (
            self._home,
            real_path(self._home),
            *(real_path(root) for root in workspace_roots.chosen(self._home)),
            *([source, real_path(source)] if source else []),
        )
        return any(
            project_of(at) is not None or any(at.is_relative_to(top) for top in above)
            for at in (file, real_path(file))
        )

    async def all(self, repository: Path | None = None) -> dict[str, Template]:
        """Return all templates by name; invalid ones hold their problem."""
        return await asyncio.to_thread(self._load, repository)

    async def find(self, name: str, repository: Path | None = None) -> Template:
        """Return a template; raises `UserError` TEMPLATE_NOT_FOUND or TEMPLATE_INVALID."""
        from engine.templates import loading  # Jinja and YAML take their time to import

        return loading.find(await self.all(repository), name)

    async def check(self, path: Path, repository: Path | None = None) -> Template:
        """Return the template in a file, wherever it lies; `problem` is its error."""
        return await asyncio.to_thread(self._check, path, repository)

    async def check_text(self, name: str, text: str, repository: Path | None = None) -> Template:
        """Return the template of a text that is in no file; `problem` is its error."""
        path = self.folder / f"{name}.yaml"
        return await asyncio.to_thread(self._check_source, sent(path, text), repository)

    async def consent(
        self,
        template: Template,
        spec: RunSpec,
        said: Collection[str],
        given: Mapping[str, Value] | None = None,
    ) -> Consent | None:
        """Return the consent needed before the template can be used for `spec`, if any.

        `said` are the fields of it that the user set: they come before the template's.
        """
        request = self.request(template, spec, said, given)
        return next(iter(await self._trust.missing([request])), None)

    async def fill(
        self,
        template: Template,
        given: Mapping[str, Value],
        spec: RunSpec,
        said: Collection[str] = (),
    ) -> RunSpec:
        """Fill a template in; raises `UserError`, TEMPLATE_NOT_TRUSTED among others.

        The run's check is bound to the files that it can run, as they were trusted.
        """
        filled = self.preview(template, given).over(spec, said)
        (consent,) = await self._trust.require([self.request(template, spec, said, given)]) or (
            None,
        )
        files = list(consent.programs.values()) if consent else []
        return replace(filled, preparation=with_guard(spec.preparation, filled.preparation, files))

    def request(
        self,
        template: Template,
        spec: RunSpec,
        said: Collection[str],
        given: Mapping[str, Value] | None = None,
    ) -> TrustRequest | None:
        """Return what a repository's template asks for, if anything; raises `UserError`."""
        from engine.templates import trust_request

        filled = self.preview(template, given) if given is not None else None
        verify = filled.verify if filled else None
        places = [spec.workspace, *([filled.placed(spec.workspace)] if filled else [])]
        root = root_of(spec.workspace)
        return trust_request.of_template(
            template,
            self.settled(spec),
            said,
            self.watchdog,
            roots=(str(root),) if root else (),
            rendered=(verify,) if verify else (),
            cwds=tuple(dict.fromkeys(map(chosen, places))),
        )

    def preview(self, template: Template, given: Mapping[str, Value]) -> RenderedTemplate:
        """Fill a template in to look at it; raises `UserError`."""
        from engine.templates import loading

        return loading.fill(template, given)

    async def achieved(self) -> dict[str, TemplateStats]:
        """Return the statistics of each template's runs."""
        return await self._store.achieved()

    async def new(self, name: str, folder: Path | None = None, text: str | None = None) -> Path:
        """Write a template, by default a commented one; return its file. Raises `UserError`."""
        if not NAME.fullmatch(name):
            raise user_error(
                "INPUT_INVALID",
                f"`{printable_name(name[:60])}` is not a valid name for a template.",
                "Use small letters, digits, `-` and `_`.",
            )
        content = NEW.format(name=name) if text is None else text
        return await asyncio.to_thread(_write, folder or self.folder, name, content)

    def repository_of(self, workspace: WorkspaceSpec) -> Path | None:
        """Return the folder whose `.swarm/templates/` count for runs in such a workspace."""
        if not workspace.source or workspace.kind is WorkspaceKind.FROM_RUN:
            return None
        source = Path(workspace.source)
        return top_of(source) or source if source.is_dir() else None

    def _load(self, repository: Path | None) -> dict[str, Template]:
        from engine.templates import loading

        return loading.load(template_sources.files(self.folder, repository))

    def _check(self, path: Path, repository: Path | None) -> Template:
        return self._check_source(template_sources.read_file(path), repository)

    def _check_source(self, source: TemplateSource, repository: Path | None) -> Template:
        from engine.templates import loading

        found = template_sources.files(self.folder, repository)
        return loading.check_file(source, found)


def _write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.yaml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise user_error(
            "INPUT_INVALID", f"{path} is there already.", "Edit it, or choose another name."
        ) from None
    except OSError as error:
        raise user_error(
            "INPUT_INVALID", f"{path} cannot be written: {error.strerror}.", "Check its folder."
        ) from error
    return path

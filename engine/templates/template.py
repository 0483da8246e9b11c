"""A template: the merged keys of its files, and what they render to."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from engine.config.values import Duration
from engine.domain.errors import UserError
from engine.domain.model import RunSpec, WatchdogOverride, WorkspaceKind, WorkspaceSpec
from engine.domain.run_option import WORKSPACE, with_values
from engine.templates.option_keys import fields_of as option_fields
from engine.templates.option_keys import with_options
from engine.templates.parameters import Parameter
from engine.templates.template_sources import TemplateLayer, TemplateSource


class TemplateWatchdog(Struct, frozen=True, forbid_unknown_fields=True):
    """Watchdog limits of such runs, where they differ from the settings."""

    silent_s: Duration | None = None
    first_event_s: Duration | None = None
    action: Literal["notice", "resume", "fail"] | None = None


class TemplateFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of a template file that set no option; all are optional where it extends another."""

    name: str | None = None
    description: str | None = None
    extends: str | None = None
    params: dict[str, Parameter] | None = None
    title: str | None = None
    prompt: str | None = None
    watchdog: TemplateWatchdog | None = None

    def option(self, key: str) -> Any:  # noqa: ANN401  any option's value
        """Return the value of an option, by its key; None where the file has none."""
        return getattr(self, key)


KEYS = with_options(TemplateFile)


@dataclass(frozen=True, slots=True)
class Template:
    """A template as it is now, whole; or its error, in `problem`."""

    name: str
    layer: TemplateLayer
    path: Path
    keys: TemplateFile = field(default_factory=KEYS)
    problem: UserError | None = None
    files: tuple[TemplateSource, ...] = ()
    """The file and those it extends."""
    origin: dict[str, TemplateSource] = field(default_factory=dict[str, TemplateSource])
    own: TemplateFile = field(default_factory=KEYS)
    """The keys of its files that come from no repository."""
    displaced: TemplateSource | None = None
    """The file of the same name that it stands before without extending it."""

    @property
    def is_built_in(self) -> bool:
        """Return whether it comes with this package."""
        return self.layer is TemplateLayer.BUILT_IN

    @property
    def params(self) -> dict[str, Parameter]:
        """The template's parameters, by name."""
        return self.keys.params or {}

    @property
    def foreign(self) -> list[TemplateSource]:
        """The files of it that a repository brings."""
        return [file for file in self.files if file.layer is TemplateLayer.REPOSITORY]

    @property
    def verify_names(self) -> list[str]:
        """The parameters that its verify command is made with."""
        said = " ".join(_inside(self.keys.option("verify") or ""))
        return [name for name in self.params if re.search(rf"\b{name}\b", said)]

    @property
    def has_foreign_verify(self) -> bool:
        """Return whether a repository's file wrote its verify command, or a part of it."""
        parts = ("verify", *(f"params.{name}" for name in self.verify_names))
        origins = [self.origin.get(part) for part in parts]
        return any(file and file.layer is TemplateLayer.REPOSITORY for file in origins)


_OPENED = re.compile(r"\{[{%]")
_CLOSED = re.compile(r"[%}]\}")


def _inside(text: str) -> Iterator[str]:
    """Return the parts of a text in the template language, in linear time."""
    at = 0
    while (begin := _OPENED.search(text, at)) and (end := _CLOSED.search(text, begin.end())):
        yield text[begin.end() : end.start()]
        at = end.end()


def fields_of(keys: TemplateFile) -> dict[str, Any]:
    """Return the values that keys have for a run, by the fields of `RunSpec`."""
    found, watch = option_fields(keys), keys.watchdog
    if watch:
        found["watchdog"] = WatchdogOverride(watch.silent_s, watch.first_event_s, watch.action)
    return found


@dataclass(frozen=True, slots=True)
class RenderedTemplate:
    """A template with its parameters filled in."""

    name: str
    prompt: str
    title: str | None
    verify: str | None
    keys: TemplateFile
    has_foreign_verify: bool = False

    def placed(self, wish: WorkspaceSpec) -> WorkspaceSpec:
        """Return a workspace with the base and the folder to work in that this template names."""
        if wish.kind is WorkspaceKind.WORKTREE and wish.base is None:
            # A base of the user's may be a commit, which cannot be fetched.
            base, fetch = self.keys.option("base"), self.keys.option("fetch")
            wish = replace(wish, base=base, fetch=wish.fetch or bool(fetch))
        return wish if wish.cwd is not None else replace(wish, cwd=self.keys.option("cwd"))

    def over(self, spec: RunSpec, said: Collection[str]) -> RunSpec:
        """Return `spec` with the fields of this template, except those that the user set.

        A prompt of `spec` is added after the template's.
        """
        found = {k: v for k, v in fields_of(self.keys).items() if not k.startswith(WORKSPACE)}
        found |= {"title": self.title or self.name, "verify": self.verify}
        wanted = {k: v for k, v in found.items() if v is not None and k not in said}
        wanted["workspace"] = self.placed(spec.workspace)
        wanted["env"] = {**(self.keys.option("env") or {}), **spec.env}
        if self.has_foreign_verify and (verify := wanted.get("verify")):
            guarded = (*spec.preparation.guarded, verify)
            wanted["preparation"] = replace(spec.preparation, guarded=guarded)
        prompt = f"{self.prompt}\n\n{spec.prompt}" if spec.prompt.strip() else self.prompt
        return replace(spec, prompt=prompt, template=self.name, **wanted)


def own_base(spec: RunSpec, own: TemplateFile, said: frozenset[str]) -> RunSpec:
    """Return the run as the user's own part of a template has it: what that limits, counts."""
    kept = {k: v for k, v in fields_of(own).items() if k not in said}
    return with_values(spec, {**kept, "env": {**kept.get("env", {}), **spec.env}})

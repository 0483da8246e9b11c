"""What a template is: the keys of its files, laid over each other, and what they come to."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from engine.domain.errors import UserError
from engine.domain.model import RunSpec, Sandbox, WatchdogWish
from engine.domain.text import printable_name
from engine.library.parameters import Parameter
from engine.library.shelf import File, Layer
from engine.values import Duration


class Watch(Struct, frozen=True, forbid_unknown_fields=True):
    """When such a run counts as stalled, where that differs from the settings."""

    silent_s: Duration | None = None
    first_event_s: Duration | None = None
    action: Literal["notice", "resume", "fail"] | None = None


class Keys(Struct, frozen=True, forbid_unknown_fields=True):
    """What a template file may say; every key is optional where it extends another."""

    name: str | None = None
    description: str | None = None
    extends: str | None = None
    params: dict[str, Parameter] | None = None
    title: str | None = None
    prompt: str | None = None
    model: str | None = None
    sandbox: Sandbox | None = None
    timeout: Duration | None = None
    retries: int | None = None
    budget: int | None = None
    verify: str | None = None
    verify_limit: Duration | None = None
    watchdog: Watch | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A template as it is now, whole; or what is wrong with it, where `problem` says so."""

    name: str
    layer: Layer
    path: Path
    keys: Keys = field(default_factory=Keys)
    problem: UserError | None = None
    files: tuple[File, ...] = ()
    """The file and those it extends."""
    origin: dict[str, File] = field(default_factory=dict[str, File])

    @property
    def params(self) -> dict[str, Parameter]:
        """What it asks for, by name."""
        return self.keys.params or {}

    @property
    def foreign(self) -> list[File]:
        """The files of it that a repository brings."""
        return [file for file in self.files if file.layer is Layer.REPOSITORY]

    def asks(self) -> tuple[str, ...]:
        """Say what a repository's template could do to the user, one thing a line, safe to show."""
        found: list[str] = []
        if self.foreign and self.keys.verify:
            found.append(f"runs {printable_name(self.keys.verify)}")
            defaults = {name: param.default for name, param in self.params.items()}
            found += [f"with {k} {printable_name(str(v))}" for k, v in defaults.items() if v]
        if self.foreign and self.keys.sandbox is Sandbox.DANGER_FULL_ACCESS:
            found.append("lets Codex work without a sandbox")
        return tuple(found)

    def digest(self) -> str:
        """Give what stands for the content of the repository's files."""
        parts = [part for file in self.foreign for part in (str(file.path), file.text)]
        return hashlib.sha256(b"\0".join(map(os.fsencode, parts))).hexdigest()


@dataclass(frozen=True, slots=True)
class Filled:
    """A template with its parameters filled in."""

    name: str
    prompt: str
    title: str | None
    verify: str | None
    keys: Keys

    def over(self, spec: RunSpec, said: Collection[str]) -> RunSpec:
        """Give `spec` as this template has it, except for the fields that the user said.

        What `spec` has for a prompt is put behind the template's.
        """
        keys, watch = self.keys, self.keys.watchdog
        found: dict[str, Any] = {
            "title": self.title or self.name,
            "model": keys.model,
            "sandbox": keys.sandbox,
            "timeout_s": keys.timeout and float(keys.timeout),
            "retries": keys.retries,
            "budget_tokens": keys.budget,
            "verify": self.verify,
            "verify_limit_s": keys.verify_limit and float(keys.verify_limit),
            "watchdog": watch and WatchdogWish(watch.silent_s, watch.first_event_s, watch.action),
        }
        wanted = {k: v for k, v in found.items() if v is not None and k not in said}
        prompt = f"{self.prompt}\n\n{spec.prompt}" if spec.prompt.strip() else self.prompt
        return replace(spec, prompt=prompt, template=self.name, **wanted)

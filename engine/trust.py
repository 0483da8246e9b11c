"""What a repository's own settings ask for: nothing, until the user has trusted exactly them.

Trust is for the place, the content of `.swarm/config.yaml`, and the content of the scripts that its
commands name. Whatever changes there asks again.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from engine.config import Config, ProjectSettings, parse_repository
from engine.domain.errors import user_error
from engine.domain.model import Preparation, RunSpec, WorkspaceKind
from engine.domain.text import one_line, printable_name
from engine.runs.settingup import digest_of
from engine.store.store import Store
from engine.workspace.below import Below
from engine.workspace.create import top_of

FILE = b".swarm/config.yaml"
LIMIT_BYTES = 1024**2
SHOWN, SHOWN_CHARACTERS = 3, 100
NEW = frozenset({WorkspaceKind.WORKTREE, WorkspaceKind.COPY})
"""Workspaces that lack what their source has beside its files: they are set up unasked."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Consent:
    """What the user is to trust: a repository's settings as they are at this moment."""

    file: str
    digest: str
    settings: ProjectSettings = field(default_factory=ProjectSettings)
    scripts: dict[str, str] = field(default_factory=dict[str, str])
    """Files of the repository that its commands run, with their SHA-256."""
    asks: tuple[str, ...] = ()
    """What a template asks for, one thing a line, safe to show."""

    def lines(self) -> list[str]:
        """Say all that it asks for, one thing a line, safe to show."""
        found = list(self.asks)
        found += [f"runs {printable_name(command)}" for command in self.settings.setup or ()]
        for what, names in (
            ("brings along", self.settings.copy_files),
            ("leaves out of copies", self.settings.ignore),
        ):
            if names is not None:
                found.append(f"{what} {', '.join(map(printable_name, names)) or 'nothing'}")
        return found


class Trust:
    """What the user of a home has trusted, and what follows for a run."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._config = config

    async def asked(self, spec: RunSpec) -> Consent | None:
        """Give what has to be trusted before `spec` can be started; raises `UserError`."""
        consent = await asyncio.to_thread(self._read, spec)
        if consent is None or _key(consent) in await self._store.settings():
            return None
        return consent

    async def give(self, consent: Consent) -> None:
        """Trust this, from now on."""
        await self._store.change_setting(_key(consent), lambda _: consent.file)

    async def has(self, consent: Consent) -> bool:
        """Say whether this is trusted."""
        return _key(consent) in await self._store.settings()

    async def prepared(self, spec: RunSpec) -> RunSpec:
        """Give `spec` with what the settings ask for; raises `UserError` SETUP_NOT_TRUSTED.

        What counts is kept in the run: a later change of a file changes nothing for it.
        """
        if spec.workspace.kind is WorkspaceKind.FROM_RUN:
            return _as_before(spec)
        consent = await asyncio.to_thread(self._read, spec)
        if consent and _key(consent) not in await self._store.settings():
            asked = [one_line(line, SHOWN_CHARACTERS) for line in consent.lines()]
            more = f"; and {len(asked) - SHOWN} more" if len(asked) > SHOWN else ""
            raise user_error(
                "SETUP_NOT_TRUSTED",
                f"You have not trusted {printable_name(consent.file)} as it is now: it "
                f"{'; '.join(asked[:SHOWN])}{more}.",
            )
        return replace(spec, preparation=self._preparation(spec, consent))

    def _preparation(self, spec: RunSpec, consent: Consent | None) -> Preparation:
        own, common = self._own(spec), self._config.workspace
        theirs = consent.settings if consent else ProjectSettings()
        runs, kind = _runs_setup(spec), spec.workspace.kind
        setup = _first(own.setup, theirs.setup, common.setup) if runs else ()
        copies = _first(own.copy_files, theirs.copy_files, common.copy_files)
        ignore = _first(own.ignore, theirs.ignore, common.ignore)
        return Preparation(
            copy_limit=int(self._config.workspace.copy_limit),
            setup=tuple(command for command in setup if command.strip()),
            setup_limit_s=float(_first(own.setup_limit, theirs.setup_limit, common.setup_limit)),
            copy_files=tuple(map(str, copies)) if kind in NEW else (),
            ignore=ignore if kind is WorkspaceKind.COPY else (),
            trusted=consent.scripts if consent and own.setup is None and runs else {},
        )

    def _own(self, spec: RunSpec) -> ProjectSettings:
        return self._config.projects.get(spec.project, ProjectSettings())

    def _read(self, spec: RunSpec) -> Consent | None:
        """Read what the repository asks for and the user's own settings leave open."""
        root = _root(spec)
        if root is None:
            return None
        name = str(root / os.fsdecode(FILE))
        with Below(root) as below:
            content = _content(below, printable_name(name))
            if content is None:
                return None
            asked = _left_open(content, printable_name(name), self._own(spec))
            scripts = dict(_scripts(below, asked.setup or ()))
        if asked == ProjectSettings():
            return None
        held = [name, hashlib.sha256(content).hexdigest()]
        held += [part for script in sorted(scripts.items()) for part in script]
        digest = hashlib.sha256(b"\0".join(map(os.fsencode, held))).hexdigest()
        return Consent(name, digest, asked, scripts)


def _key(consent: Consent) -> str:
    return f"trusted {consent.digest}"


def _runs_setup(spec: RunSpec) -> bool:
    return spec.workspace.kind in NEW if spec.with_setup is None else spec.with_setup


def _root(spec: RunSpec) -> Path | None:
    """Give the folder whose `.swarm/config.yaml` counts for a run, if one does."""
    wish = spec.workspace
    if spec.with_setup is False or not (wish.kind in NEW or spec.with_setup) or not wish.source:
        return None
    source = Path(wish.source)
    root = top_of(source) if wish.kind is WorkspaceKind.WORKTREE else source
    return root if root and root.is_dir() else None


def _content(below: Below, name: str) -> bytes | None:
    if below.stat(FILE) is None:
        return None
    try:
        with os.fdopen(below.open(FILE), "rb") as file:
            content = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise user_error("CONFIG_INVALID", f"{name} cannot be read: {error}.") from error
    if len(content) > LIMIT_BYTES:
        raise user_error("CONFIG_INVALID", f"{name} is larger than 1 MiB.")
    return content


def _left_open(content: bytes, name: str, own: ProjectSettings) -> ProjectSettings:
    """Give what a repository's file says and the user does not say otherwise."""
    try:
        theirs = parse_repository(content.decode(), name).workspace
    except UnicodeDecodeError as error:
        raise user_error("CONFIG_INVALID", f"{name} is no UTF-8.") from error
    return ProjectSettings(
        setup=theirs.setup if own.setup is None else None,
        setup_limit=theirs.setup_limit if own.setup_limit is None else None,
        copy_files=theirs.copy_files if own.copy_files is None else None,
        ignore=theirs.ignore if own.ignore is None else None,
    )


def _scripts(below: Below, commands: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Give the repository's scripts that commands name by their path, with their SHA-256."""
    for word in (word for command in commands for word in _words(command)):
        path = word.removeprefix("./")
        try:
            with os.fdopen(below.open(os.fsencode(path)), "rb") as file:
                is_program = os.fstat(file.fileno()).st_mode & 0o111 or file.read(2) == b"#!"
        except (OSError, ValueError):
            continue
        digest = digest_of(below, os.fsencode(path)) if is_program else None
        if digest:
            yield path, digest


def _words(command: str) -> list[str]:
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:  # quotes that do not end: the shell will say so
        return command.split()


def _as_before(spec: RunSpec) -> RunSpec:
    """Leave the set-up of the run that another starts from, only where it is asked for again."""
    earlier = spec.preparation
    again = earlier if spec.with_setup else Preparation()
    return replace(spec, preparation=replace(again, copy_files=(), ignore=()))


def _first(*values: T | None) -> T:
    """Give the first that is set; the last one always is."""
    return next(value for value in values if value is not None)

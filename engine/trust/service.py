"""The gate for what a repository asks for: nothing of it happens until the user has agreed to it.

Whatever a repository's files would run, loosen, reach or cost beyond the user's own settings is put
into a `TrustRequest`. Trust is for the place, the content of the files that ask, what they ask for,
and the content of `.swarm` and of the files that their commands name. Whatever changes asks again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from engine.config.settings import (
    Config,
    ProjectSettings,
    RepositorySettings,
    WorkspaceOverrides,
    WorkspaceSettings,
    parse_repository,
)
from engine.domain.activity import clock
from engine.domain.consent import Consent, TrustConcern, TrustItem, TrustRequest
from engine.domain.errors import UserError, user_error
from engine.domain.model import RunSpec, WorkspaceKind, WorkspaceSetup
from engine.domain.text import one_line, printable_name
from engine.store.store import Store
from engine.trust.loosening import commands, variables
from engine.workspaces.create.create import root_of
from engine.workspaces.create.working_folder import chosen
from engine.workspaces.files.named_files import NamedFiles, RecordLimitError, record
from engine.workspaces.files.rooted_dir import RootedDir

FILE = b".swarm/config.yaml"
LIMIT_BYTES = 1024**2
SHOWN, SHOWN_CHARACTERS = 3, 100
NEW = frozenset({WorkspaceKind.WORKTREE, WorkspaceKind.COPY})
"""Workspaces that lack what their source has beside its files: they are set up unasked."""
T = TypeVar("T")

__all__ = ["Consent", "Trust"]


class Trust:
    """The trust of a home's user in repositories, and its effect on a run."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._config = config

    async def asked(self, spec: RunSpec) -> Consent | None:
        """Return what a repository's settings ask for, unless it is trusted; raises `UserError`."""
        request, _ = await asyncio.to_thread(self._read, spec)
        return next(iter(await self.missing([request])), None) if request else None

    async def missing(self, requests: Iterable[TrustRequest | None]) -> list[Consent]:
        """Return what of these has still to be trusted, each once; raises `UserError`."""
        known = await self._store.settings()
        consents = await self.inspect(requests)
        return [
            replace(each, known=_known(known, each))
            for each in {each.digest: each for each in consents}.values()
            if each.items and _key(each) not in known
        ]

    async def inspect(self, requests: Iterable[TrustRequest | None]) -> list[Consent]:
        """Return these with the content of the files that their commands name."""
        return await asyncio.to_thread(lambda: [_consent(each) for each in requests if each])

    async def require(self, requests: Iterable[TrustRequest | None]) -> list[Consent]:
        """Return these as they are now; raises `UserError` where the user has not trusted one."""
        consents = await self.inspect(requests)
        known = await self._store.settings()
        for each in consents:
            if each.items and _key(each) not in known:
                raise _refused(each)
        return consents

    async def grant(self, consent: Consent) -> None:
        """Trust this, from now on."""
        await self._store.change_setting(_key(consent), lambda _: consent.file)
        marks = json.dumps(sorted(consent.marks()))
        await self._store.change_setting(_place(consent), lambda _: marks)

    async def prepared(self, spec: RunSpec, *, ask_later: bool = False) -> RunSpec:
        """Return `spec` with the requests of the settings; raises `UserError` SETUP_NOT_TRUSTED.

        The result is stored with the run: a later change of a file changes nothing for it.
        With `ask_later` nothing is refused: for a look at what would start.
        """
        if spec.workspace.kind is WorkspaceKind.FROM_RUN:
            return replace(_as_before(spec), env=self._env(spec, {}))
        request, theirs = await asyncio.to_thread(self._read, spec)
        requests = [request] if request else []
        consents = await (self.inspect if ask_later else self.require)(requests)
        made = self._preparation(spec, theirs)
        if request and request.commands:
            made = replace(made, guarded=made.setup)
        files = [found for consent in consents for found in consent.programs.values()]
        return replace(
            spec,
            preparation=with_guard(made, spec.preparation, files),
            env=self._env(spec, theirs.env or {}),
        )

    async def denied(self, spec: RunSpec) -> tuple[tuple[str, str], ...]:
        """Return the requests that a run's repository denies, whether it is trusted or not.

        Raises `UserError` for a mistake in its settings.
        """
        return await asyncio.to_thread(_denied, spec)

    def _env(self, spec: RunSpec, theirs: Mapping[str, str]) -> dict[str, str]:
        """Return the variables of a run: the settings' where it names no other value."""
        return {**self._config.workspace.env, **theirs, **(self._own(spec).env or {}), **spec.env}

    def _preparation(self, spec: RunSpec, theirs: WorkspaceOverrides) -> WorkspaceSetup:
        own, common = self._own(spec), self._config.workspace
        runs, kind = _runs_setup(spec), spec.workspace.kind
        setup = _first(own.setup, theirs.setup, common.setup) if runs else ()
        copies = _first(own.copy_files, theirs.copy_files, common.copy_files)
        ignore = _first(own.ignore, theirs.ignore, common.ignore)
        return WorkspaceSetup(
            copy_limit=int(self._config.workspace.copy_limit),
            setup=tuple(command for command in setup if command.strip()),
            setup_limit_s=float(_first(own.setup_limit, theirs.setup_limit, common.setup_limit)),
            copy_files=tuple(map(str, copies)) if kind in NEW else (),
            ignore=ignore if kind is WorkspaceKind.COPY else (),
        )

    def _own(self, spec: RunSpec) -> ProjectSettings:
        """Return the user's own settings of a project, by its label or by its folder's name."""
        projects, name = self._config.projects, spec.project.rpartition("/")[2]
        return projects.get(spec.project) or projects.get(name) or ProjectSettings()

    def _read(self, spec: RunSpec) -> tuple[TrustRequest | None, WorkspaceOverrides]:
        """Read what the repository asks for and the user's own settings leave open."""
        root, nothing = _root(spec), WorkspaceOverrides()
        if root is None:
            return None, nothing
        name = str(root / os.fsdecode(FILE))
        with RootedDir(root) as below:
            content = _content(below, printable_name(name))
        if content is None:
            return None, nothing
        asked = _left_open(content, printable_name(name), self._own(spec))
        items = tuple(_items(asked, self._config.workspace, str(root)))
        setup = tuple(text for text in asked.setup or () if text.strip())
        held = ((name, content.decode()),)
        code = "SETUP_NOT_TRUSTED"
        cwds = (chosen(spec.workspace),)
        return TrustRequest(name, code, held, items, setup, roots=(str(root),), cwds=cwds), asked


def _consent(request: TrustRequest) -> Consent:
    """Read the files that a request's commands name, and make what stands for all of it."""
    recorded: dict[str, NamedFiles] = {}
    programs: dict[str, Mapping[str, str]] = {}
    try:
        for root in request.roots if request.commands else ():
            place = Path(root)
            recorded[root] = record(place, request.commands, place, request.cwds)
            # What the user named by a parameter is held as it is now, but asks for nothing.
            rendered = request.rendered
            more = record(place, rendered, place, request.cwds).run if rendered else {}
            programs[root] = {**more, **recorded[root].run}
    except RecordLimitError as error:
        raise user_error(
            request.code, f"{printable_name(request.file)} cannot be trusted: {error}."
        ) from error
    except OSError as error:
        raise user_error("SOURCE_NOT_FOUND", f"The files cannot be read: {error}.") from error
    items = [*request.items, *_outside(recorded.values())]
    held = [part for content in request.contents for part in content]
    held += [f"{item.concern.value} {item.text}" for item in items]
    for root, found in recorded.items():
        held += [root, *(part for file in sorted(found.files.items()) for part in file)]
    lengths = b"".join(b"%d " % len(part) for part in held)
    parts = b"\0".join(part.encode("utf-8", "surrogateescape") for part in held)
    return Consent(
        request.file,
        hashlib.sha256(lengths + parts).hexdigest(),
        tuple(items),
        request.code,
        tuple(dict.fromkeys(path for found in recorded.values() for path in found.files)),
        tuple(dict.fromkeys(path for found in recorded.values() for path in found.missing)),
        programs,
    )


def _outside(recorded: Iterable[NamedFiles]) -> list[TrustItem]:
    """Return the links of the repository that its commands name and that lead out of it."""
    links = {path: None for found in recorded for path in found.outside if " -> " in path}
    words = "names a link that leads out of the repository"
    return [TrustItem(TrustConcern.LEAVES, f"{words}: {printable_name(path)}") for path in links]


def _refused(consent: Consent) -> UserError:
    asked = [one_line(line, SHOWN_CHARACTERS) for line in consent.lines()]
    more = f"; and {len(asked) - SHOWN} more" if len(asked) > SHOWN else ""
    return user_error(
        consent.code,
        f"You have not trusted {printable_name(consent.file)} as it is now: it "
        f"{'; '.join(asked[:SHOWN])}{more}.",
    )


def _key(consent: Consent) -> str:
    return f"trusted {consent.digest}"


def _place(consent: Consent) -> str:
    name = consent.file.encode("utf-8", "surrogateescape")
    return f"trusted items {hashlib.sha256(name).hexdigest()[:32]}"


def _known(settings: Mapping[str, str], consent: Consent) -> frozenset[str] | None:
    marks = settings.get(_place(consent))
    return frozenset(map(str, json.loads(marks))) if marks else None


def _runs_setup(spec: RunSpec) -> bool:
    return spec.workspace.kind in NEW if spec.with_setup is None else spec.with_setup


def _root(spec: RunSpec) -> Path | None:
    """Return the folder whose `.swarm/config.yaml` counts for a run, if one does."""
    wish = spec.workspace
    if spec.with_setup is False or not (wish.kind in NEW or spec.with_setup):
        return None
    return root_of(wish)


def _content(below: RootedDir, name: str) -> bytes | None:
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


def _parsed(content: bytes, name: str) -> RepositorySettings:
    try:
        return parse_repository(content.decode(), name)
    except UnicodeDecodeError as error:
        raise user_error("CONFIG_INVALID", f"{name} is not UTF-8.") from error


def _denied(spec: RunSpec) -> tuple[tuple[str, str], ...]:
    root = root_of(spec.workspace)
    if root is None:
        return ()
    name = printable_name(str(root / os.fsdecode(FILE)))
    with RootedDir(root) as below:
        content = _content(below, name)
    rules = _parsed(content, name).approvals.rules if content else ()
    return tuple((str(rule.kind), rule.deny or "") for rule in rules)


def _left_open(content: bytes, name: str, own: WorkspaceOverrides) -> WorkspaceOverrides:
    """Return the settings of a repository's file that the user leaves open."""
    theirs = _parsed(content, name).workspace
    return WorkspaceOverrides(
        setup=theirs.setup if own.setup is None else None,
        setup_limit=theirs.setup_limit if own.setup_limit is None else None,
        copy_files=theirs.copy_files if own.copy_files is None else None,
        ignore=theirs.ignore if own.ignore is None else None,
        env={k: v for k, v in (theirs.env or {}).items() if k not in (own.env or {})},
    )


def _items(asked: WorkspaceOverrides, usual: WorkspaceSettings, root: str) -> list[TrustItem]:
    """Return what a repository's settings ask for; a lower limit asks for nothing."""
    items = [*commands(asked.setup or (), root), *variables(asked.env or {}, usual.env)]
    if asked.setup is not None and usual.setup:
        items.append(
            TrustItem(TrustConcern.COMMAND, "leaves out the set-up commands of your own settings")
        )
    if asked.setup_limit is not None and asked.setup_limit > usual.setup_limit:
        limit = clock(float(asked.setup_limit))
        items.append(TrustItem(TrustConcern.COST, f"lets the set-up commands take {limit}"))
    for what, names in (
        ("brings along", asked.copy_files),
        ("leaves out of copies", asked.ignore),
    ):
        if names is not None:
            listed = ", ".join(map(printable_name, names)) or "nothing"
            items.append(TrustItem(TrustConcern.FILES, f"{what} {listed}"))
    return items


def _as_before(spec: RunSpec) -> RunSpec:
    """Leave the set-up of the run that another starts from, only where it is asked for again."""
    earlier = spec.preparation
    again = earlier if spec.with_setup else WorkspaceSetup()
    held = replace(again, trusted=earlier.trusted, guarded=earlier.guarded, denied=earlier.denied)
    return replace(spec, preparation=replace(held, copy_files=(), ignore=()))


def with_guard(
    made: WorkspaceSetup, asked: WorkspaceSetup, files: Sequence[Mapping[str, str]] = ()
) -> WorkspaceSetup:
    """Return `made` with the guarded commands of `asked` and the files that they can run."""
    trusted = {**made.trusted, **asked.trusted}
    for each in files:
        trusted.update(each)
    guarded = tuple(dict.fromkeys((*made.guarded, *asked.guarded)))
    return replace(made, trusted=trusted, guarded=guarded)


def _first(*values: T | None) -> T:
    """Return the first that is set; the last one always is."""
    return next(value for value in values if value is not None)

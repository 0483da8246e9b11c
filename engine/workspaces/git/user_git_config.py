"""The user's git settings that change what git sees or writes: the one list of them.

Private git directories of ours read no settings by themselves. The settings listed here are read
with git from every place that git reads (system, global, included files, repository, worktree,
environment) and passed to each call. They are data, also a repository's. Filters are programs: one
counts only where the user's own configuration defines it, never where only the repository does.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import NamedTuple

from engine.domain.errors import UserError, user_error
from engine.domain.transient import from_message
from engine.system.files import expanded
from engine.workspaces.git.git import NOBODY, Git, GitResult, failure, identity
from engine.workspaces.git.repository import Repository

LIMIT_S = 30.0
TRIES = 3
AGAIN_S = 0.2
_BOOLEAN = {
    **dict.fromkeys(("true", "yes", "on", "1"), "true"),
    **dict.fromkeys(("false", "no", "off", "0", ""), "false"),
}
_AS_THEY_ARE = {
    "core.filemode": _BOOLEAN,
    "core.symlinks": _BOOLEAN,
    "core.ignorecase": _BOOLEAN,
    "core.precomposeunicode": _BOOLEAN,
    "core.autocrlf": {**_BOOLEAN, "input": "input"},
    "core.eol": {"lf": "lf", "crlf": "crlf", "native": "native"},
    "core.safecrlf": {**_BOOLEAN, "warn": "warn"},
}
"""Settings passed on, and their valid values; git would stop at another value."""
_SPARSE = {"core.sparsecheckout": _BOOLEAN, "core.sparsecheckoutcone": _BOOLEAN}
_TRUSTED = frozenset({"system", "global", "command"})
"""Scopes in which the user alone can have written a setting. `command` is the environment."""
_PARTS = ("clean", "smudge", "process", "required")

_log = logging.getLogger(__name__)


class GitSetting(NamedTuple):
    """One line of a configuration: its scope as git names it, its key and its value."""

    scope: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class GitFilters:
    """The filters that are defined: by the user, and by the repository."""

    own: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, dict[str, str]])
    repositorys: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, dict[str, str]])

    def missing(self, name: str) -> str | None:
        """Return why the filter `name` cannot run; None where the user's configuration has it."""
        only_there = self.repositorys.get(name, {}).keys() - self.own.get(name, {}).keys()
        if only_there - {"required"} and (name not in self.own or only_there):
            return f"needs the filter {name}, which only the repository defines: it is not run"
        if name not in self.own:
            return f"needs the filter {name}, which is not installed"
        return None

    def settings(self, part: str) -> tuple[tuple[str, str], ...]:
        """Return the settings that run the user's filters to `clean` or to `smudge`.

        A filter that fails stops git: otherwise git would take the content as it is.
        """
        found: list[tuple[str, str]] = []
        for name, parts in self.own.items():
            found += [(f"filter.{name}.{key}", value) for key, value in parts.items()]
            if parts.keys() & {part, "process"}:
                found.append((f"filter.{name}.required", "true"))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class UserGitConfig:
    """The part of the user's git configuration that counts for work on a repository's files."""

    author: tuple[str, str] = NOBODY
    committer: tuple[str, str] = NOBODY
    settings: tuple[str, ...] = ()
    """For every private git directory: modes, links, names, line ends, ignored files."""
    sparse: tuple[str, ...] = ()
    """For a private git directory that checks files out, or compares a whole working tree."""
    filters: GitFilters = field(default_factory=GitFilters)
    lfs_storage: str | None = None
    signing: tuple[tuple[str, str], ...] | None = None
    """The settings with which the user signs commits; None where the user does not."""
    is_named: bool = True
    """True if commits may be made: `user.useConfigOnly` wants a name and an address."""

    @property
    def is_sparse(self) -> bool:
        """Return whether the working tree is sparse."""
        return "core.sparsecheckout=true" in self.sparse

    @property
    def has_modes(self) -> bool:
        """Return whether the mode of a file in the working tree counts."""
        return "core.filemode=false" not in self.settings

    @property
    def has_links(self) -> bool:
        """Return whether symbolic links are links in the working tree."""
        return "core.symlinks=false" not in self.settings

    @property
    def identity(self) -> dict[str, str]:
        """The environment that makes commits of this user; raises `UserError` without a name."""
        if not self.is_named:
            raise user_error("GIT_IDENTITY_MISSING")
        return identity(self.author, self.committer)

    def converting(self, git: Git, part: str, more: tuple[str, ...] = ()) -> Git:
        """Return git as it converts file content, to `clean` or to `smudge`.

        `more` are further settings.
        """
        storage = (("lfs.storage", self.lfs_storage),) if self.lfs_storage else ()
        programs = (*git.programs, *self.filters.settings(part), *storage)
        return replace(git, settings=(*git.settings, *self.settings, *more), programs=programs)


async def user_git_config(repository: Repository | None, somewhere: Path) -> UserGitConfig:
    """Read the configuration as it counts in `repository`, or anywhere (`somewhere`)."""
    found = await _read(repository.git_dir if repository else somewhere, somewhere)
    last = {setting.key: setting.value for setting in found}
    top = repository.top if repository else None
    settings = _passed(last, _AS_THEY_ARE)
    for key, default in (("core.excludesfile", "ignore"), ("core.attributesfile", "attributes")):
        path = _file(last.get(key), default, top)
        settings += (f"{key}={path}",) if path else ()
    is_named = _BOOLEAN.get(last.get("user.useconfigonly", "").lower()) != "true"
    author, committer = _person("author", last), _person("committer", last)
    return UserGitConfig(
        (author[0] or NOBODY[0], author[1] or NOBODY[1]),
        (committer[0] or NOBODY[0], committer[1] or NOBODY[1]),
        settings,
        _passed(last, _SPARSE),
        _filters(found),
        str(repository.common_dir / "lfs") if repository else None,
        _signing(found),
        is_named or (all(author) and all(committer)),
    )


async def _read(git_dir: Path, somewhere: Path) -> list[GitSetting]:
    """Return all settings in the order in which they count.

    Where a repository's own settings cannot be read, those of the user alone count.
    """
    answer = await _listed(git_dir)
    if answer.code and git_dir != somewhere:
        _log.warning("the settings of %s cannot be read: %s", git_dir, answer.complaint)
        answer = await _listed(somewhere)
    if answer.code:
        raise failure("config", answer)
    return list(_parsed(answer.out))


async def _listed(git_dir: Path) -> GitResult:
    """Return git's answer; raises `UserError` where it has no settings.

    A git that was killed is started again: most likely the machine ran out of memory.
    """
    listing = ("config", "-z", "--show-scope", "--list")
    for number in count(1):
        try:
            answer = await Git(git_dir, users_settings=True).ask(*listing, limit_s=LIMIT_S)
        except UserError as error:
            if error.code != "GIT_KILLED" or number == TRIES:
                raise
        else:
            if not (answer.code and from_message(answer.complaint)):
                return answer
            if number == TRIES:
                raise failure("config", answer)
        await asyncio.sleep(AGAIN_S)
    raise AssertionError


def _parsed(out: bytes) -> Iterable[GitSetting]:
    parts = out.split(b"\0")
    for scope, line in zip(parts[::2], parts[1::2], strict=False):
        key, equals, value = os.fsdecode(line).partition("\n")
        yield GitSetting(os.fsdecode(scope), key, value if equals else "true")


def _passed(found: Mapping[str, str], known: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    values = ((key, known[key].get(found[key].lower())) for key in known if key in found)
    return tuple(f"{key}={value}" for key, value in values if value)


def _person(role: str, found: Mapping[str, str]) -> tuple[str, str]:
    """Return name and address as git finds them; empty where nothing names them."""
    name, email = (
        os.environ.get(f"GIT_{role.upper()}_{what.upper()}")
        or found.get(f"{role}.{what}")
        or found.get(f"user.{what}")
        for what in ("name", "email")
    )
    return _plain(name), _plain(email or os.environ.get("EMAIL"))


def _plain(value: str | None) -> str:
    return (value or "").replace("\0", "").strip(" \t\n<>.,:;\"'")


def _file(value: str | None, default: str, top: Path | None) -> str | None:
    """Return the file of ignore patterns or attributes that a setting, or nothing, names."""
    if value is None:
        settings = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
        value = f"{settings}/git/{default}"
    try:
        path = (top or Path("/")) / expanded(value.removeprefix(":(optional)"))
        return str(path) if value and path.is_file() else None
    except (OSError, RuntimeError, ValueError):
        return None


def _signing(found: Iterable[GitSetting]) -> tuple[tuple[str, str], ...] | None:
    """Return the user's settings of signatures; a repository can neither add nor change one."""
    said = {one.key: one.value for one in found if one.scope in _TRUSTED}
    if _BOOLEAN.get(said.get("commit.gpgsign", "").lower()) != "true":
        return None
    kept = ((key, value) for key, value in said.items() if key.startswith("gpg."))
    key = said.get("user.signingkey")
    return (*kept, *((("user.signingkey", key),) if key else ()))


def _filters(found: Iterable[GitSetting]) -> GitFilters:
    own: dict[str, dict[str, str]] = {}
    repositorys: dict[str, dict[str, str]] = {}
    for scope, key, value in found:
        section, _, rest = key.partition(".")
        name, _, part = rest.rpartition(".")
        if section != "filter" or part not in _PARTS or not name:
            continue
        if scope in _TRUSTED and "=" not in name:
            own.setdefault(name, {})[part] = value
        elif scope not in _TRUSTED:
            repositorys.setdefault(name, {})[part] = value
    return GitFilters(own, repositorys)

"""The environment of the programs that we start.

Programs that run in a workspace (agent, set-up, check, git, shell, editor) get neither our own
variables nor those that hold secrets of receivers or model providers. Their search paths do not
name the current folder, because an agent writes into the folder they run in.

Called from a git alias or hook we inherit variables that point git at the user's own repository
(`GIT_DIR`, `GIT_INDEX_FILE`, …): a command in a workspace would work on that one. They never pass.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

OWN = frozenset({"SWARM_HOME", "SWARM_CONFIG", "SWARM_CODEX"})
"""Our own variables, which mean nothing to a run."""

# Not a list of what is left out: a newer git may know more variables that name a repository.
_PASSED = frozenset(
    {
        *("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"),
        *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"),
        *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_ASKPASS", "GIT_TERMINAL_PROMPT"),
        *("GIT_EDITOR", "GIT_SEQUENCE_EDITOR", "GIT_PAGER", "GIT_ALLOW_PROTOCOL"),
        *("GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_CERT", "GIT_SSL_KEY", "GIT_SSL_NO_VERIFY"),
        *("GIT_HTTP_PROXY_AUTHMETHOD", "GIT_PROXY_SSL_CAINFO", "GIT_CEILING_DIRECTORIES"),
    }
)
"""Variables of git that say who the user is and what they use, not which repository is meant."""

_SEARCH_PATHS = (
    *("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
    *("NODE_PATH", "PERL5LIB", "PERLLIB", "RUBYLIB"),
)
"""Variables by which programs and their modules and libraries are found."""

_withheld: set[str] = set()
_providers: set[str] = set()


def withhold(names: Iterable[str]) -> None:
    """Keep variables that hold secrets of receivers away from all programs but our own."""
    _withheld.update(names)


def reserve_for_codex(names: Iterable[str]) -> None:
    """Keep variables that hold secrets of model providers away from all programs but Codex."""
    _providers.update(names)


def is_passed(name: str) -> bool:
    """Return whether a variable of ours is passed on to programs that run in a workspace."""
    return name not in _providers and _is_passed_to_codex(name)


def workspace_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a program that runs in a workspace, with `more` beside it."""
    return _environment(is_passed, more)


def codex_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of Codex, which reads the secrets of its model providers there."""
    return _environment(_is_passed_to_codex, more)


def own_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a process of our own, which needs our variables and the secrets."""
    return _environment(_is_no_repository, more)


def guard_process() -> None:
    """Take the current folder out of the search paths of this process and of what it starts."""
    for name, value in _found_paths().items():
        if value:
            os.environ[name] = value
        else:
            os.environ.pop(name, None)


def search_path(value: str) -> str:
    """Return a search path without the current folder: no empty or relative entry names it."""
    return _without(value, current_folder())


def program_path() -> str:
    """Return the folders in which programs are looked for."""
    return search_path(os.environ.get("PATH", os.defpath)) or search_path(os.defpath)


def _environment(passes: Callable[[str], bool], more: Mapping[str, str] | None) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if passes(name)}
    return {**own, **_found_paths(), "PATH": program_path(), **(more or {})}


def _found_paths() -> dict[str, str]:
    """Return the search paths that are set, made safe."""
    return {name: search_path(os.environ[name]) for name in _SEARCH_PATHS if name in os.environ}


@lru_cache(maxsize=64)
def _without(value: str, folder: str) -> str:
    # Not pathlib: the first frame of the dashboard waits for this.
    entries = (entry for entry in value.split(os.pathsep) if os.path.isabs(entry))  # noqa: PTH117
    return os.pathsep.join(entry for entry in entries if os.path.realpath(entry) != folder)


def current_folder() -> str:
    """Return the real path of the current folder; empty if it was removed."""
    try:
        return os.path.realpath(os.curdir)
    except FileNotFoundError:
        return ""


def _is_passed_to_codex(name: str) -> bool:
    return name not in _withheld and name not in OWN and _is_no_repository(name)


def _is_no_repository(name: str) -> bool:
    return not name.startswith("GIT_") or name in _PASSED

"""The environment of the programs that we start.

Programs that run in a workspace (agent, set-up, check, git, shell, editor) get neither our own
variables nor those that hold secrets of receivers or model providers. Their search paths do not
name the current folder, because an agent writes into the folder they run in.

A run has the environment of the process that requested it, kept with the run; where there is none,
and for all other programs, it is that of this process.

Called from a git alias or hook we inherit variables that point git at the user's own repository
(`GIT_DIR`, `GIT_INDEX_FILE`, …): a command in a workspace would work on that one. They never pass.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from engine.domain.text import printable_name
from engine.system.code_variables import unsafe_variables, without_unsafe

OWN = frozenset({"SWARM_HOME", "SWARM_CONFIG"})
"""Our own variables, which mean nothing to a run."""
OF_RUN = ("SWARM_RUN", "SWARM_ATTEMPT", "SWARM_PORT", "TMPDIR")
"""Variables that every run gets values of its own for."""
PREFIX = "SWARM_"
LONGEST = 32_000
"""Characters of a value: Linux passes on 128 KiB at most."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

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
"""Variables of git about the user and their tools, not about the repository."""

_SEARCH_PATHS = (
    *("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
    *("NODE_PATH", "PERL5LIB", "PERLLIB", "RUBYLIB"),
)
"""Variables by which programs and their modules and libraries are found."""

_TERMINAL = frozenset(
    {
        *("TERM", "COLORTERM", "TERMINFO", "TERMINFO_DIRS", "NO_COLOR", "COLUMNS", "LINES"),
        *("TMUX", "TMUX_PANE", "STY", "WINDOWID", "VTE_VERSION"),
        *("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS"),
        *("SSH_AUTH_SOCK", "SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"),
    }
)
_TERMINAL_PREFIXES = ("TERM_PROGRAM", "KITTY_", "WEZTERM_", "ALACRITTY_", "ITERM_", "XDG_SESSION")

_written_by_agents: set[str] = set()
"""Real paths of folders, outside our home, in which agents work or have worked."""
_withheld: set[str] = set()
_agent_programs: set[str] = set()
"""Variables of ours that name the programs of agents."""
_set_for_agents: set[str] = set()
"""Variables that the commands of agents set."""
_providers: set[str] = set()


def withhold(names: Iterable[str]) -> None:
    """Keep variables that hold secrets of receivers or keys away from all programs but our own."""
    _withheld.update(names)


def reserve_for_agents(names: Iterable[str]) -> None:
    """Keep variables that hold secrets of model providers away from all programs but agents."""
    _providers.update(names)


def register_agent(program_variables: Iterable[str], command_variables: Iterable[str]) -> None:
    """Add the variables of an agent: those that name its program, and those its command sets."""
    _agent_programs.update(program_variables)
    _set_for_agents.update(command_variables)


def is_passed(name: str) -> bool:
    """Return whether a variable of ours is passed on to programs that run in a workspace."""
    return name not in _providers and _is_passed_to_agents(name)


def workspace_environment(
    more: Mapping[str, str] | None = None, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment of a program that runs in a workspace, with `more` beside it.

    It is made from `base`, that of a run, or from our own.
    """
    return _environment(is_passed, more, base)


def problem_of(name: str, value: str) -> str:
    """Return why a run cannot get this variable; empty where it can."""
    shown = printable_name(name[:60])
    if not _NAME.fullmatch(name):
        return f"`{shown}` is not a name of letters, digits and `_`"
    if name in OF_RUN or name in _set_for_agents or name.startswith(PREFIX):
        return f"`{shown}` is set by swarm-tui itself"
    if not _is_no_repository(name):
        return f"`{shown}` would point git at another repository"
    if name in _withheld:
        return f"`{shown}` holds a secret: of a webhook, or the key of an account"
    if "\0" in value or len(value) > LONGEST:
        return f"the value of `{shown}` holds a NUL or more than {LONGEST} characters"
    return ""


def problem_in(variables: Mapping[str, str]) -> str:
    """Return why a run cannot get one of these variables; empty where it can get all."""
    return next((it for name in variables if (it := problem_of(name, variables[name]))), "")


def requested_environment() -> dict[str, str]:
    """Return what a run keeps of the environment of the process that requests it.

    Secrets of model providers are in it: the agent needs them.
    """
    kept = _environment(_is_passed_to_agents, None, None)
    kept = {name: value for name, value in kept.items() if not name.startswith(PREFIX)}
    programs = {name: os.environ.get(name, "") for name in sorted(_agent_programs)}
    return kept | {name: value for name, value in programs.items() if value}


def terminal_environment() -> dict[str, str]:
    """Return the variables of this process that belong to its terminal and desktop session."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _TERMINAL or name.startswith(_TERMINAL_PREFIXES)
    }


def agent_environment(
    more: Mapping[str, str] | None = None, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment of an agent, which reads the secrets of its model providers there.

    It is made from `base`, that of a run, or from our own. No code of an agent is loaded by it.
    """
    kept = without_unsafe(_environment(_is_passed_to_agents, None, base), is_distrusted)
    return {**kept, **(more or {})}


def separate_agents_code(
    base: Mapping[str, str], folders: Iterable[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the environment of an agent's program, and variables for its commands alone.

    The program runs outside the sandbox: it loads no code from where agents write, nor from
    `folders`, those of its run.
    """
    real = [os.path.realpath(folder) for folder in folders if folder.startswith("/")]

    def is_written(path: str) -> bool:
        return is_distrusted(path) or is_below(path, real)

    passed = workspace_environment(base=base)
    changed = unsafe_variables(passed, is_written)
    return without_unsafe(base, is_written), {name: passed[name] for name in changed}


def own_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a process of our own, which needs our variables and the secrets.

    No code of an agent is loaded by it.
    """
    kept = without_unsafe(_environment(_is_no_repository, None, None), is_distrusted)
    return {**kept, **(more or {})}


def guard_process() -> None:
    """Take the current folder out of the search paths of this process and of what it starts."""
    for name, value in _found_paths(os.environ).items():
        if value:
            os.environ[name] = value
        else:
            os.environ.pop(name, None)


def search_path(value: str) -> str:
    """Return a search path without the current folder: no empty or relative entry names it."""
    return _without(value, current_folder())


def program_path(base: Mapping[str, str] | None = None) -> str:
    """Return the folders in which programs are looked for, of `base` or of this process."""
    named = (os.environ if base is None else base).get("PATH", os.defpath)
    return search_path(named) or search_path(os.defpath)


def distrust(folders: Iterable[str]) -> None:
    """Take no program for ourselves from these folders or below: agents can write there."""
    _written_by_agents.update(map(os.path.realpath, folders))


def is_distrusted(path: str) -> bool:
    """Return whether an agent can have written what lies at a path, links resolved."""
    return is_below(path, _written_by_agents)


def is_below(path: str, folders: Iterable[str]) -> bool:
    """Return whether a path, links resolved, is one of these real folders or lies below one."""
    if not folders:
        return False
    real = os.path.realpath(path)
    return any(f"{real}/".startswith(f"{folder.rstrip('/')}/") for folder in folders)


def trusted_path(base: Mapping[str, str] | None = None) -> str:
    """Return the folders in which programs are looked for that work for us, such as git."""
    entries = program_path(base).split(os.pathsep)
    kept = os.pathsep.join(entry for entry in entries if not is_distrusted(entry))
    return kept or search_path(os.defpath)


def _environment(
    passes: Callable[[str], bool], more: Mapping[str, str] | None, base: Mapping[str, str] | None
) -> dict[str, str]:
    base = os.environ if base is None else base
    own = {name: value for name, value in base.items() if passes(name)}
    return {**own, **_found_paths(base), "PATH": program_path(base), **(more or {})}


def _found_paths(base: Mapping[str, str]) -> dict[str, str]:
    """Return the search paths that are set, made safe."""
    return {name: search_path(base[name]) for name in _SEARCH_PATHS if name in base}


@lru_cache(maxsize=64)
def _without(value: str, folder: str) -> str:
    # Not pathlib: the first frame of the dashboard waits for this.
    entries = (entry for entry in value.split(os.pathsep) if os.path.isabs(entry))  # noqa: PTH117  hot path, and no Path of any bytes
    return os.pathsep.join(entry for entry in entries if os.path.realpath(entry) != folder)


def current_folder() -> str:
    """Return the real path of the current folder; empty if it was removed."""
    try:
        return os.path.realpath(os.curdir)
    except FileNotFoundError:
        return ""


def _is_passed_to_agents(name: str) -> bool:
    return not (name in _withheld or name in _agent_programs or name in OWN) and _is_no_repository(
        name
    )


def _is_no_repository(name: str) -> bool:
    return not name.startswith("GIT_") or name in _PASSED

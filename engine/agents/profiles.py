"""The profiles of all agents of this program, and what they hold together.

Importing it adds the errors of agents to the catalogue, and their variables to the environment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from engine.agents.codex.profile import CODEX
from engine.agents.profile import AgentProfile
from engine.agents.simulated.profile import SIMULATED
from engine.domain.errors import CATALOGUE
from engine.system import environment

DEFAULT = CODEX
"""The agent of a run that names none, and of one whose agent this version does not know."""
PROFILES = (CODEX, SIMULATED)
OPTIONS = tuple(option for profile in PROFILES for option in profile.options)
CONTROL_FOLDERS = tuple(name for profile in PROFILES for name in profile.control_folders)
SANDBOX_FILES = frozenset[str]().union(*(profile.sandbox_files for profile in PROFILES))
MODEL_PROVIDERS = tuple(one.model_provider for one in PROFILES if one.model_provider)
_by_name: dict[str, AgentProfile] = {}


def register(profile: AgentProfile) -> None:
    """Add an agent's errors to the catalogue, and its variables to the environment's rules."""
    _by_name[profile.name] = profile
    CATALOGUE.update(profile.errors)
    environment.register_agent(profile.program_variables, profile.command_variables)


def unregister(profile: AgentProfile) -> None:
    """Remove an agent and its errors; its variables stay ours."""
    del _by_name[profile.name]
    for code in profile.errors:
        del CATALOGUE[code]


def profile_of(name: str) -> AgentProfile:
    """Return the profile of an agent; the default one for an unknown name."""
    return _by_name.get(name, DEFAULT)


def profile_for_prompt(prompt: str) -> AgentProfile:
    """Return the profile of the agent that a prompt without a run was most likely written for."""
    prefixed = (profile for profile in _by_name.values() if profile.prompt_prefix)
    return next((it for it in prefixed if prompt.startswith(it.prompt_prefix)), DEFAULT)


def homes(variables: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """Yield the user's own homes of agents, each with the agent's title."""
    for profile in _by_name.values():
        if profile.home:
            yield profile.title, profile.home(variables)
        yield from ((f"an account of {profile.title}", home) for home in profile.more_homes())


for _profile in PROFILES:
    register(_profile)

"""Facts about an agent that the rest of the engine needs without loading the agent itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.domain.errors import CatalogueEntry
from engine.domain.run_option import RunOption


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProfile:
    """One agent as data: names, errors, options, variables, and files that it treats specially."""

    name: str
    """The name that `RunSpec.agent` has for it."""
    title: str
    """Name of the agent in texts."""
    login_command: str = ""
    """The command with which a user logs in to it."""
    errors: Mapping[str, CatalogueEntry] = field(default_factory=dict[str, CatalogueEntry])
    """The errors of its program, login and settings, for the catalogue."""
    options: tuple[RunOption, ...] = ()
    """Options of a run that no other agent has."""
    program_variables: frozenset[str] = frozenset()
    """Variables of ours that name its program: kept with a run, and passed to no program."""
    command_variables: frozenset[str] = frozenset()
    """Variables that its command sets for every attempt: no run can set them."""
    control_folders: tuple[str, ...] = ()
    """Hidden folders of a project that it reads settings and scripts from, without their dot."""
    sandbox_files: frozenset[str] = frozenset()
    """Files that its sandbox puts on top of a workspace, empty, while a command runs."""
    home: Callable[[Mapping[str, str]], Path] | None = None
    """Returns the folder of its login, settings and sessions, of the user with these variables."""
    model_provider: str = ""
    """The provider of its models where their names have none, as price lists call it."""
    more_homes: Callable[[], Iterable[Path]] = tuple
    """Returns the homes of further accounts: agents may work in none of them."""
    prompt_prefix: str = ""
    """The beginning of prompts that only this agent understands."""

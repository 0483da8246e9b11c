"""The environment and the programs of attempts on a node: its own, with what a run brings."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from engine.agents.profiles import DEFAULT
from engine.agents.registry import agent_of
from engine.config.paths import Paths, private_folder
from engine.config.settings import Config
from engine.execution.cluster.messages import StartAgent
from engine.system.child_files import path_of
from engine.system.environment import requested_environment

PACKAGES = Path(__file__).resolve().parents[4]
"""The folder that holds this package and those beside it."""
OF_MACHINE = frozenset({"PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "HOSTNAME"})
OF_MACHINE_PREFIXES = ("XDG_", "SSH_", "LD_", "DYLD_")
"""Variables of a machine and its session: those of the sender mean nothing here."""


def argv_of(message: StartAgent, config: Config) -> list[str]:
    """Return the command of an agent with the programs of this machine; raises `UserError`.

    Blocking.
    """
    words = {message.python: sys.executable}
    if message.program:
        words[message.program] = agent_of(DEFAULT.name).program(config)
    words.pop("", None)
    prefix = f"{message.package}/" if message.package else None
    return [words.get(word) or _file_of(word, prefix) for word in message.argv]


def environment_of(paths: Paths, run: str, brought: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a run's programs here, with the variables that it brings.

    Its folder for temporary files is made. Blocking.
    """
    temporary = os.path.realpath(private_folder(paths.temporary(run)))
    kept = {name: value for name, value in brought.items() if not _is_of_machine(name)}
    return {**requested_environment(), **kept, "TMPDIR": temporary}


def agent_environment_of(
    paths: Paths, run: str, message: StartAgent, config: Config
) -> Mapping[str, str]:
    """Return the environment of an agent under its account of the settings here.

    Raises `UserError`. Blocking.
    """
    base = environment_of(paths, run, message.base)
    return agent_of(DEFAULT.name).accounts.environment(message.account, config, base).base


def _file_of(word: str, prefix: str | None) -> str:
    if prefix is None or not word.startswith(prefix):
        return word
    return str(path_of(PACKAGES / word.removeprefix(prefix)))


def _is_of_machine(name: str) -> bool:
    return name in OF_MACHINE or name.startswith(OF_MACHINE_PREFIXES)

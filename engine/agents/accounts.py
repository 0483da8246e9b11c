"""The part of an agent's port about accounts: logins, limits and homes beside the user's own.

An account is named by the settings. `default` is the user's own login; the order of the names is
the order of use.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from engine.domain.errors import UserError, user_error
from engine.domain.model import Run
from engine.domain.text import printable_name
from engine.domain.usage import DEFAULT_ACCOUNT

if TYPE_CHECKING:  # the settings import the sections of the agents
    from engine.config.paths import Paths
    from engine.config.settings import Config


@dataclass(frozen=True, slots=True)
class AccountEnvironment:
    """The environment of an agent under an account, and what its commands get in place of it."""

    base: Mapping[str, str]
    of_commands: Mapping[str, str] = field(default_factory=dict[str, str])
    """Values of variables that are another's for the agent itself; never a secret."""


@dataclass(frozen=True, slots=True)
class ThreadMove:
    """Threads that an attempt of `run` continues, and the account that wrote them last."""

    run: Run
    threads: Sequence[str]
    written_by: str
    config: Config
    paths: Paths
    base: Mapping[str, str]
    """The environment of the run, without an account."""
    state: bytes
    """The state with which the attempt begins: it may know further threads."""


class AccountPort(Protocol):
    """The accounts of one agent; a name may also be empty, for the default one."""

    def names(self, config: Config) -> tuple[str, ...]:
        """Return all accounts in the order of use; the default one is the first."""
        ...

    def can_move(self, config: Config) -> bool:
        """Return whether runs go on under another account where theirs has no room."""
        ...

    def check(self, account: str, config: Config, folders: Collection[str]) -> None:
        """Raise `UserError` where an account is unknown or its home unsafe. Blocking.

        `folders` are those that commands of the agent may write in.
        """
        ...

    def environment(
        self, account: str, config: Config, base: Mapping[str, str]
    ) -> AccountEnvironment:
        """Return the environment of the agent under an account; raises `UserError`. Blocking."""
        ...

    def hidden_elsewhere(self, account: str) -> Mapping[str, str]:
        """Return what commands get in place of variables that another machine sets for it."""
        ...

    def homes(self, config: Config) -> Mapping[str, Path]:
        """Return the homes that accounts have beside the user's own, by their names."""
        ...

    def bring_threads(self, move: ThreadMove) -> None:
        """Copy the files of threads into the home of the run's account; raises `UserError`.

        It does nothing where they are there, and overwrites no other file. Blocking.
        """
        ...


class NoAccounts:
    """The accounts of an agent that has the user's own login alone, or none."""

    def names(self, config: Config) -> tuple[str, ...]:
        """Return the default account."""
        return (DEFAULT_ACCOUNT,)

    def can_move(self, config: Config) -> bool:
        """Return False: there is no other account."""
        return False

    def check(self, account: str, config: Config, folders: Collection[str]) -> None:
        """Raise `UserError` for every account but the default one."""
        if account not in ("", DEFAULT_ACCOUNT):
            raise unknown_account(account)

    def environment(
        self, account: str, config: Config, base: Mapping[str, str]
    ) -> AccountEnvironment:
        """Return the environment as it is."""
        return AccountEnvironment(base)

    def hidden_elsewhere(self, account: str) -> Mapping[str, str]:
        """Return nothing."""
        return {}

    def homes(self, config: Config) -> Mapping[str, Path]:
        """Return no homes."""
        return {}

    def bring_threads(self, move: ThreadMove) -> None:
        """Do nothing: all threads are where they were."""


def unknown_account(account: str) -> UserError:
    """Return the error of an account that the settings do not have."""
    name = printable_name(account[:60])
    return user_error("ACCOUNT_UNKNOWN", f"The settings have no account `{name}`.")

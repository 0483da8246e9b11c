"""Accounts of the simulated agent: each of the settings has a home below that of the runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from engine.agents.accounts import AccountEnvironment, ThreadMove
from engine.agents.codex import accounts
from engine.agents.codex.accounts import CodexAccounts
from engine.agents.simulated.profile import SIMULATED
from engine.domain.usage import DEFAULT_ACCOUNT

if TYPE_CHECKING:
    from engine.config.paths import Paths
    from engine.config.settings import Config


class SimulatedAccounts:
    """The accounts of the settings without their logins."""

    def __init__(self) -> None:
        spoken = CodexAccounts()
        self.names = spoken.names
        self.can_move = spoken.can_move

    def check(self, account: str, config: Config, folders: Collection[str]) -> None:
        """Raise `UserError` where an account is unknown: its home is never the user's."""
        accounts.find(account, config)

    def environment(
        self, account: str, config: Config, base: Mapping[str, str]
    ) -> AccountEnvironment:
        """Return the environment as it is; raises `UserError` for an unknown account."""
        accounts.find(account, config)
        return AccountEnvironment(base)

    def hidden_elsewhere(self, account: str) -> Mapping[str, str]:
        """Return nothing: it reads no key."""
        return {}

    def homes(self, config: Config) -> Mapping[str, Path]:
        """Return no homes: all lie in that of the runs."""
        return {}

    def bring_threads(self, move: ThreadMove) -> None:
        """Copy the rollouts of threads into the account's home."""
        names = self.names(move.config)
        homes = {name: home_of(move.paths, name) for name in names}
        home_of(move.paths, move.run.account).mkdir(mode=0o700, exist_ok=True)
        accounts.bring(move, homes, homes[DEFAULT_ACCOUNT])


def home_of(paths: Paths, account: str) -> Path:
    """Return the home of the simulated agent under an account."""
    is_own = account in ("", DEFAULT_ACCOUNT)
    return paths.agent_home(SIMULATED.name if is_own else f"{SIMULATED.name}-{account}")


def homes_in(paths: Paths) -> dict[str, Path]:
    """Return all homes of accounts that the simulated agent has had, by their names."""
    before = f"{SIMULATED.name}-"
    return {path.name.removeprefix(before): path for path in paths.home.glob(f"{before}*")}

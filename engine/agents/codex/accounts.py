"""Accounts of Codex: for each a Codex home, an API key, or both."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from engine.agents.accounts import AccountEnvironment, ThreadMove, unknown_account
from engine.agents.base import CommandRequest
from engine.agents.codex.account_settings import AccountSettings
from engine.agents.codex.home import VARIABLE, user_home
from engine.agents.codex.thread_files import bring_thread
from engine.agents.codex.translation import state_from
from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.text import printable_name
from engine.domain.usage import DEFAULT_ACCOUNT
from engine.system import environment
from engine.system.files import real_path

if TYPE_CHECKING:
    from engine.config.settings import Config

KEYS = ("CODEX_API_KEY", "OPENAI_API_KEY")
"""Codex's variables for an API key: the first is that of `codex exec`."""
LOGINS = (*KEYS, "CODEX_ACCESS_TOKEN")
"""Variables that come before the login in a Codex home."""


class CodexAccounts:
    """The accounts of the settings, each by its name."""

    def names(self, config: Config) -> tuple[str, ...]:
        """Return all accounts in the order of use."""
        return (DEFAULT_ACCOUNT, *(str(one.name) for one in config.accounts))

    def can_move(self, config: Config) -> bool:
        """Return whether a limit lets a run go on under the next account."""
        return config.codex.on_limit == "next" and bool(config.accounts)

    def check(self, account: str, config: Config, folders: Collection[str]) -> None:
        """Raise `UserError` where an account is unknown, or commands could write to its home."""
        known = find(account, config)
        if known is None or known.codex_home is None:
            return
        home = _home(known)
        for folder in folders:
            if environment.is_below(str(home), [os.path.realpath(folder)]):
                raise _unsafe(home, f"it lies in {printable_name(folder)}")
        if environment.is_distrusted(str(home)):
            raise _unsafe(home, "agents have worked in a folder around it")
        if repository := _repository_around(home):
            raise _unsafe(home, f"it lies in the repository {printable_name(str(repository))}")

    def environment(
        self, account: str, config: Config, base: Mapping[str, str]
    ) -> AccountEnvironment:
        """Return the environment of Codex under an account; raises `UserError`.

        The key is read from the environment of this process: it is never kept with a run.
        """
        known = find(account, config)
        if known is None:
            return AccountEnvironment(base)
        own: dict[str, str] = {}
        if known.codex_home:
            own[VARIABLE] = str(_home(known))
        if known.api_key_env:
            own |= dict.fromkeys(KEYS, _key(known))
        # The login of another account comes before that of the home otherwise.
        kept = {name: value for name, value in base.items() if name not in LOGINS}
        hidden = {name: "" for name in LOGINS if name in own or name in base}
        if known.codex_home:
            hidden[VARIABLE] = base.get(VARIABLE, "")
        return AccountEnvironment({**kept, **own}, hidden)

    def hidden_elsewhere(self, account: str) -> Mapping[str, str]:
        """Return empty keys: the account of the other machine may have one."""
        return {} if account in ("", DEFAULT_ACCOUNT) else dict.fromkeys(LOGINS, "")

    def homes(self, config: Config) -> Mapping[str, Path]:
        """Return the Codex homes of accounts; one with a key alone uses the user's own."""
        return {str(one.name): Path(one.codex_home) for one in config.accounts if one.codex_home}

    def bring_threads(self, move: ThreadMove) -> None:
        """Copy the rollouts of threads and of their sub-agents into the account's home."""
        own = user_home(move.base)
        homes = {DEFAULT_ACCOUNT: own, **self.homes(move.config)}
        find(move.run.account, move.config)
        bring(move, homes, own)


def bring(move: ThreadMove, homes: Mapping[str, Path], own: Path) -> None:
    """Copy the rollouts of threads and of their sub-agents; raises `UserError`.

    `homes` are those of accounts, `own` that of an account without one.
    """
    target = homes.get(move.run.account or DEFAULT_ACCOUNT, own)
    last = homes.get(move.written_by or DEFAULT_ACCOUNT, own)
    sources = [home for home in dict.fromkeys((last, *homes.values())) if home != target]
    threads = dict.fromkeys((*move.threads, *state_from(move.state).agents))
    try:
        for thread in threads:
            bring_thread(thread, sources, target)
    except OSError as error:
        raise os_failure(error) from error


def find(name: str, config: Config) -> AccountSettings | None:
    """Return an account; None for the default one. Raises `UserError` ACCOUNT_UNKNOWN."""
    if name in ("", DEFAULT_ACCOUNT):
        return None
    for one in config.accounts:
        if one.name == name:
            return one
    raise unknown_account(name)


def has_key(request: CommandRequest) -> bool:
    """Return whether an attempt uses the key of an account."""
    return KEYS[0] in request.base and KEYS[0] in request.reserved


def of_account(error: UserError, name: str, config: Config) -> UserError:
    """Return an error about a login with the account that it is of."""
    known = find(name, config)
    if known is None or not error.entry.is_login:
        return error
    message = f"{error.message.removesuffix('.')} under the account {known.name}."
    if error.entry.has_detail:  # it is not about the login itself
        return user_error(error.code, message, error.recovery)
    if known.api_key_env:
        return user_error(error.code, message, f"Check the key in {known.api_key_env}, then retry.")
    home = printable_name(known.codex_home or "")
    return user_error(error.code, message, f"Run `CODEX_HOME={home} codex login`, then retry.")


def _home(account: AccountSettings) -> Path:
    home = Path(account.codex_home or "")
    if not home.is_dir():
        problem = "is not a folder" if os.path.lexists(home) else "is missing"
        name = printable_name(str(home))
        raise user_error(
            "ACCOUNT_HOME_MISSING",
            f"The Codex home of the account {account.name} {problem}: {name}.",
            f"Log in with `mkdir -p {name} && CODEX_HOME={name} codex login`.",
        )
    return home


def _key(account: AccountSettings) -> str:
    name = account.api_key_env or ""
    if key := os.environ.get(name):
        return key
    raise user_error(
        "ACCOUNT_KEY_MISSING",
        f"The variable {name} with the key of the account {account.name} is not set here.",
        f"Set {name} for the process that supervises the runs, then retry.",
    )


def _repository_around(home: Path) -> Path | None:
    """Return the repository whose files a folder is among; the user's own home does not count."""
    real, user = real_path(home), real_path(Path(os.path.expanduser("~")))  # noqa: PTH111  HOME may be unset
    for folder in real.parents:
        if folder == user or folder in user.parents:
            return None
        git = folder / ".git"
        if git.is_file() or (git / "HEAD").exists():
            return folder
    return None


def _unsafe(home: Path, why: str) -> Exception:
    name = printable_name(str(home))
    return user_error("ACCOUNT_HOME_UNSAFE", f"The Codex home {name} is not safe: {why}.")

"""The sections of the settings that agents bring with them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from engine.agents.codex.account_settings import AccountSettings, problem_in
from engine.agents.codex.home import protect
from engine.agents.codex.settings import CodexSettings


class AgentSections(Struct, frozen=True, forbid_unknown_fields=True):
    """One section for each agent that has settings, under a key of its own."""

    codex: CodexSettings = CodexSettings()
    accounts: Annotated[
        tuple[AccountSettings, ...],
        Meta(
            description="logins of Codex beside your own, in the order of use, each "
            "`{name, codex_home, api_key_env}`: [accounts.md](accounts.md)"
        ),
    ] = ()

    @property
    def secret_variables(self) -> frozenset[str]:
        """The variables that agents, and no other programs, take secrets from."""
        return self.codex.secret_variables

    @property
    def key_variables(self) -> frozenset[str]:
        """The variables that hold keys of accounts: they are read when an attempt starts."""
        return frozenset(one.api_key_env for one in self.accounts if one.api_key_env)

    def check_accounts(self) -> None:
        """Raise ValueError, with the place of the mistake, where two accounts are alike.

        No workspace may lie in their homes from now on.
        """
        if problem := problem_in(self.accounts):
            raise ValueError(problem)
        protect(one.codex_home for one in self.accounts if one.codex_home)

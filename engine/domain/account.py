"""The account of a run's attempts: the login, limits and bill that its agent uses."""

from __future__ import annotations

from typing import ClassVar

from engine.domain.model import Agent, Run, RunSpec
from engine.domain.record import record
from engine.domain.usage import DEFAULT_ACCOUNT, SIMULATED


@record
class AccountChosen:
    """The account of the run's next attempt, with the reason for the choice in words."""

    type: ClassVar[str] = "account"
    account: str
    reason: str


def account_name(run: Run) -> str:
    """Return the account of a run's present attempt; before the first, the one it will have."""
    return run.account or account_of_spec(run.spec)


def account_of_spec(spec: RunSpec) -> str:
    """Return the account that a requested run will have."""
    return spec.account or own_account(spec.agent)


def has_account(run: Run) -> bool:
    """Return whether a run uses, or has asked for, another account than the user's own."""
    return account_name(run) != own_account(run.spec.agent)


def own_account(agent: Agent) -> str:
    """Return the name by which usage of an agent without an account is billed."""
    return SIMULATED if agent is Agent.SIMULATED else DEFAULT_ACCOUNT


def stored_name(account: str) -> str:
    """Return the account as a run holds it: empty for the default one."""
    return "" if account == DEFAULT_ACCOUNT else account

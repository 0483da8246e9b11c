"""Check of an agent's login before a run is created, and before its first attempt."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace

from engine.agents.profiles import profile_of
from engine.agents.registry import agent_of
from engine.config.paths import Paths
from engine.config.run_environment import requested
from engine.config.settings import Config
from engine.domain.errors import UserError
from engine.domain.model import LOCAL, Run, RunSpec
from engine.domain.run_option import value_of
from engine.system.environment import requested_environment, separate_agents_code
from engine.system.time_limit import time_limit

VALID_S = 20.0
"""Time for which a successful check counts for the next requests."""
_KEY_MISSING = "ACCOUNT_KEY_MISSING"
PATIENCE_S = 8.0
"""Longest wait for an agent's answer: after it, a run is created all the same."""


async def login_error(
    spec: RunSpec, config: Config, environment: Mapping[str, str], account: str
) -> UserError | None:
    """Return why the agent cannot be started under an account; None if it can."""
    agent = agent_of(spec.agent)
    base, _ = separate_agents_code(environment, [spec.workspace.source or ""])
    try:
        under = await asyncio.to_thread(agent.accounts.environment, account, config, base)
        return await agent.login_error(spec, config, under.base, account)
    except UserError as error:
        return error


class LoginCheck:
    """Check of logins for requests; a success counts for a while."""

    def __init__(self, paths: Paths, config: Config) -> None:
        self._paths = paths
        self._config = config
        self._succeeded: dict[object, float] = {}

    async def require(self, specs: Iterable[RunSpec]) -> None:
        """Raise `UserError` where an agent of these new runs is missing or not logged in."""
        environment = requested_environment()
        for spec in specs:
            await self._require(spec, environment)

    async def require_account(self, account: str) -> None:
        """Raise `UserError` where the default agent cannot work under an account here and now."""
        spec = RunSpec(prompt="", title="", project="", account=account)
        if error := await login_error(spec, self._config, requested_environment(), account):
            raise error

    async def require_again(self, run: Run, host: str) -> None:
        """Raise `UserError` where the agent of a run is missing or no longer logged in.

        `host` is the machine of its next attempt.
        """
        spec = replace(run.spec, workspace=replace(run.spec.workspace, host=host))
        try:
            environment = await asyncio.to_thread(requested, self._paths, run.id)
        except OSError:  # a damaged file: the attempt reports it
            return
        await self._require(spec, environment, run.account)

    async def _require(
        self, spec: RunSpec, environment: Mapping[str, str], present: str = ""
    ) -> None:
        if spec.workspace.host != LOCAL:  # the login there is not ours to check
            return
        variables = hash(tuple(sorted(environment.items())))
        options = profile_of(spec.agent).options
        key = (spec.agent, variables, present, *(value_of(spec, option) for option in options))
        if time.monotonic() - self._succeeded.get(key, -math.inf) < VALID_S:
            return
        # An agent that does not answer is asked again by the scheduler, which reports it.
        with suppress(TimeoutError):
            async with time_limit(PATIENCE_S):
                if error := await self._error(spec, environment, present):
                    raise error
        self._succeeded[key] = time.monotonic()

    async def _error(
        self, spec: RunSpec, environment: Mapping[str, str], present: str
    ) -> UserError | None:
        """Return why a run could start under none of its accounts; None if it can under one."""
        accounts = agent_of(spec.agent).accounts
        names: Iterable[str] = [spec.account or present]
        if not spec.account and accounts.can_move(self._config):
            names = accounts.names(self._config)
        first: UserError | None = None
        for name in names:
            error = await login_error(spec, self._config, environment, name)
            # The process that supervises may have the variable that is missing in this one.
            if error is None or error.code == _KEY_MISSING:
                return None
            first = first or error
        return first

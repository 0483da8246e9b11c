"""Diagnosis of receivers: problems found before there is a message."""

from __future__ import annotations

import asyncio

from engine.config.settings import Config
from engine.domain.errors import CATALOGUE, UserError
from engine.notifications.apprise import is_there
from engine.notifications.secret import secret_of
from engine.store.deliveries import Deliveries

Problem = tuple[str, str]
"""Text of the problem, and what to do."""


async def problems(config: Config, deliveries: Deliveries) -> list[Problem]:
    """Look at the secrets, at Apprise, and at what was given up."""
    found = await asyncio.to_thread(_of_secrets, config)
    if config.notify.apprise and not is_there():
        missing = CATALOGUE["NOTIFY_MISSING"]
        found.append((missing.message, missing.recovery))
    parked = sum(it.parked for it in (await deliveries.standings()).values())
    if parked:
        message = f"{parked} {'delivery was' if parked == 1 else 'deliveries were'} given up."
        way_out = "`swarm-tui webhooks deliveries --state parked` shows why, `retry` sends again."
        found.append((message, way_out))
    return found


def _of_secrets(config: Config) -> list[Problem]:
    found: list[Problem] = []
    for hook in config.webhooks:
        if not hook.has_secret:
            message = f"The webhook {hook.name} is not signed: anybody could write what it gets."
            found.append((message, "Set its `secret_env`; see docs/webhooks.md."))
            continue
        try:
            secret_of(hook)
        except UserError as error:
            found.append((error.message, error.recovery))
    return found

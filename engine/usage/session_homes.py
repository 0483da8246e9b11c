"""The folders with the session files of all agents and accounts."""

from __future__ import annotations

import os

from engine.agents.registry import agents
from engine.config.settings import Config
from engine.usage.session_request import SessionHome


def session_homes(config: Config) -> list[SessionHome]:
    """Return the folders that are read, each once; none where the settings turn it off."""
    if not config.usage.other_sessions:
        return []
    found: dict[tuple[str, bytes], SessionHome] = {}
    for agent in agents():
        source = agent.session_source
        if source is None:
            continue
        for account, home in agent.session_homes(config, os.environ).items():
            # Without a look at the disk, which may not answer.
            path = os.path.abspath(os.fsencode(home))  # noqa: PTH100  bytes
            found.setdefault((source, path), SessionHome(account, path, source))
    return list(found.values())

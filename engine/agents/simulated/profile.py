"""The profile of the simulated agent."""

from __future__ import annotations

from engine.agents.profile import AgentProfile
from engine.domain.model import Agent

SIMULATED = AgentProfile(
    name=Agent.SIMULATED.value,
    # What it may do is asked in the same words as for the agent that it stands in for.
    title="Codex",
    prompt_prefix="sim:",
)

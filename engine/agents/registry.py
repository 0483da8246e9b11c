"""The agents that this program knows, by the names that `RunSpec.agent` has for them."""

from __future__ import annotations

from engine.agents import profiles
from engine.agents.base import AgentPort
from engine.agents.codex.agent import CodexAgent
from engine.agents.simulated.agent import SimulatedAgent

_agents: dict[str, AgentPort] = {}


def register(agent: AgentPort) -> None:
    """Add an agent and its profile, or replace those of its name."""
    profiles.register(agent.profile)
    _agents[agent.name] = agent


def unregister(name: str) -> None:
    """Remove an agent and its profile."""
    profiles.unregister(_agents.pop(name).profile)


def agents() -> tuple[AgentPort, ...]:
    """Return all agents."""
    return tuple(_agents.values())


def agent_of(name: str) -> AgentPort:
    """Return the agent of a name.

    A run of an unknown agent is never started (`domain/requests.check_known`). One that a newer
    version has started is read as the default agent's: unknown lines are kept as they are.
    """
    return _agents.get(name) or _agents[profiles.DEFAULT.name]


register(CodexAgent())
register(SimulatedAgent(CodexAgent()))

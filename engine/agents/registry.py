"""The agents that this program knows, by the names that `RunSpec.agent` has for them."""

from __future__ import annotations

from engine.agents.base import AgentPort
from engine.agents.codex.agent import CodexAgent
from engine.agents.profiles import DEFAULT
from engine.agents.simulated.agent import SimulatedAgent

_agents: dict[str, AgentPort] = {}


def register(agent: AgentPort) -> None:
    """Add an agent, or replace the one of its name."""
    _agents[agent.name] = agent


def agents() -> tuple[AgentPort, ...]:
    """Return all agents."""
    return tuple(_agents.values())


def agent_of(name: str) -> AgentPort:
    """Return the agent of a name.

    A run of an unknown agent is never started (`domain/requests.check_known`). One that a newer
    version has started is read as the default agent's: unknown lines are kept as they are.
    """
    return _agents.get(name) or _agents[DEFAULT.name]


register(CodexAgent())
register(SimulatedAgent(CodexAgent()))

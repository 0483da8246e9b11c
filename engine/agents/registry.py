"""The agents that this program knows, by the names that `RunSpec.agent` has for them."""

from __future__ import annotations

from engine.agents.base import AgentPort
from engine.agents.codex.agent import CodexAgent
from engine.agents.codex.simulated import SimulatedAgent
from engine.domain.model import Agent

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
    version has started is read as Codex's: lines that are not understood are kept as they are.
    """
    return _agents.get(name) or _agents[Agent.CODEX]


register(CodexAgent())
register(SimulatedAgent())

"""Answers to questions about the node itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from importlib import metadata

from engine.agents.profiles import DEFAULT
from engine.agents.registry import agent_of
from engine.config.settings import Config
from engine.domain.errors import UserError
from engine.domain.finding import CheckHealth
from engine.domain.model import RunSpec
from engine.domain.record import record
from engine.domain.text import one_line
from engine.execution.cluster.messages import (
    PROTOCOL,
    Hello,
    HelloAnswer,
    InspectNode,
    NodeFacts,
    NodeRun,
)
from engine.execution.cluster.node.home import HOMES, Handlers, NodeHome
from engine.execution.local.process_marks import MARK
from engine.system.environment import requested_environment
from engine.system.files import free_bytes, real_path

DISTRIBUTION = "swarm-tui"
VALID_S = 60.0
"""Time for which the state of the agent counts."""
PATIENCE_S = 8.0
"""Longest wait of the first answer for it."""
NOT_CHECKED = "not checked yet"
LONGEST = 300


@record
class AgentState:
    """The default agent of this machine: its version, and why it is not ready, or `ok`."""

    version: str
    login: str


class AgentInspection:
    """The state of the agent, asked for in the background once a minute at most."""

    def __init__(self) -> None:
        self._found: AgentState | None = None
        self._valid_until = 0.0
        self._asking: asyncio.Task[None] | None = None

    async def state(self, config: Config) -> AgentState:
        """Return the last state; the first call waits for it, but not for ever."""
        now = asyncio.get_running_loop().time()
        if now >= self._valid_until and (self._asking is None or self._asking.done()):
            self._asking = asyncio.create_task(self._ask(config))
        if self._asking and self._found is None:
            await asyncio.wait({self._asking}, timeout=PATIENCE_S)
        return self._found or AgentState("", NOT_CHECKED)

    def warm_up(self, settings: Callable[[], Config]) -> None:
        """Ask for the state in the background, before anyone wants it."""

        async def ask() -> None:
            await self._ask(await asyncio.to_thread(settings))

        self._asking = asyncio.create_task(ask())

    def close(self) -> None:
        """Ask no longer."""
        if self._asking:
            self._asking.cancel()

    async def _ask(self, config: Config) -> None:
        self._found = AgentState(await _version(config), await _login(config))
        self._valid_until = asyncio.get_running_loop().time() + VALID_S


async def hello(home: NodeHome, message: Hello) -> HelloAnswer:
    """Return the home of the sender; it exists by now."""
    admission = home.service.admission
    runs = await asyncio.to_thread(admission.runs)
    free_slots = max(0, admission.slots - len(runs))
    # The real path: the marks of processes have it, too.
    own = tuple(one.run for one in runs if one.home == home.id)
    return HelloAnswer(str(real_path(home.paths.home)), admission.slots, free_slots, MARK, own)


async def inspect(home: NodeHome, message: InspectNode) -> NodeFacts:
    """Return the node as it is."""
    config = await asyncio.to_thread(home.service.settings)
    agent = await home.service.agent.state(config)
    return await asyncio.to_thread(_facts, home, config, agent)


def _facts(home: NodeHome, config: Config, agent: AgentState) -> NodeFacts:
    service = home.service
    runs: Sequence[NodeRun] = service.admission.runs()
    return NodeFacts(
        name=service.name,
        protocol=PROTOCOL,
        version=_own_version(),
        root=str(real_path(service.root) / HOMES),
        slots=service.slots,
        runs=tuple(runs),
        load=os.getloadavg()[0],
        processors=_processors(),
        memory_bytes=_free_memory(),
        disk_bytes=free_bytes(service.root),
        agent_version=agent.version,
        login=agent.login,
        accounts=tuple(agent_of(DEFAULT.name).accounts.names(config)),
    )


async def _version(config: Config) -> str:
    try:
        return await agent_of(DEFAULT.name).version(config)
    except (UserError, OSError):
        return ""


async def _login(config: Config) -> str:
    spec = RunSpec(prompt="", title="", project="")
    try:
        base = await asyncio.to_thread(requested_environment)
        error = await agent_of(DEFAULT.name).login_error(spec, config, base)
    except UserError as caught:
        error = caught
    except OSError as caught:  # a timeout too
        return one_line(str(caught) or "the agent does not answer", LONGEST)
    return one_line(error.message, LONGEST) if error else CheckHealth.OK.value


def _own_version() -> str:
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return ""


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _free_memory() -> int:
    import psutil

    return psutil.virtual_memory().available


HANDLERS: Handlers = {Hello: hello, InspectNode: inspect}

"""Start of attempts on a node: once each, within its slots, and only while its lease holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from engine.config.paths import private_folder
from engine.domain.errors import user_error
from engine.execution.cluster.messages import NodeRun, StartAgent, StartCommands, Started
from engine.execution.cluster.node.environment import (
    agent_environment_of,
    argv_of,
    environment_of,
)
from engine.execution.cluster.node.home import Handlers, NodeHome
from engine.execution.executor import AttemptPart, AttemptRef
from engine.execution.local import orphans
from engine.execution.local.process import AttemptProcess

CLAIM_S, CLAIM_POLL_S = 5.0, 0.005
"""Time for a started shell to claim its attempt: after that a search decides."""


async def start_agent(home: NodeHome, message: StartAgent) -> Started:
    """Start the agent of an attempt, unless that was done."""
    ref = home.ref(message.ref)

    async def start() -> AttemptProcess:
        argv, base = await asyncio.to_thread(_prepare, home, ref, message)
        return await home.executor.start(ref, argv, message.env, message.folder, base)

    return await _start(home, ref, start)


async def start_commands(home: NodeHome, message: StartCommands) -> Started:
    """Start a set-up or a check, unless that was done."""
    ref = home.ref(message.ref)
    if ref.part is AttemptPart.AGENT:
        raise user_error("INPUT_INVALID", "An agent is not started as commands.")

    async def start() -> AttemptProcess:
        base = await asyncio.to_thread(environment_of, home.paths, ref.run, message.base)
        return await home.executor.start_commands(ref, message.commands, message.folder, base)

    return await _start(home, ref, start)


async def _start(
    home: NodeHome, ref: AttemptRef, start: Callable[[], Awaitable[AttemptProcess]]
) -> Started:
    async with home.locked(ref):
        if await home.known(ref):
            return Started(is_started=True)
        if await home.executor.is_refused(ref):  # a search for it found nothing: it is late
            return Started(is_started=False)
        async with _slot(home, ref) as is_free:
            if not is_free:
                return Started(is_started=False, is_full=True)
            home.service.require_lease()
            await _end_earlier(home, ref)
            handle = await start()
            home.remember(ref, handle)
        # From here on it is found again, also after a kill of this process.
        await _claimed(home, ref, handle)
    return Started(is_started=True)


async def _end_earlier(home: NodeHome, ref: AttemptRef) -> None:
    """End what is alive of earlier attempts of a run: its home has given them up unseen."""
    if ref.attempt == 1:
        return
    for living in await orphans.find(home.paths, home.service.spare):
        attempt, _, _ = living.attempt.partition("/")
        number = attempt.removeprefix("attempt-")
        if living.run == ref.run and number.isdecimal() and int(number) < ref.attempt:
            await home.executor.end_leftover(living, 0.0)


@asynccontextmanager
async def _slot(home: NodeHome, ref: AttemptRef) -> AsyncGenerator[bool]:
    if ref.part is AttemptPart.VERIFY:  # its agent had the slot
        yield True
        return
    async with home.service.admission.slot(NodeRun(home.id, ref.run)) as is_free:
        yield is_free


async def _claimed(home: NodeHome, ref: AttemptRef, handle: AttemptProcess) -> None:
    deadline = asyncio.get_running_loop().time() + CLAIM_S
    while asyncio.get_running_loop().time() < deadline:
        if await home.executor.is_claimed(ref) or handle.ending():
            return
        await asyncio.sleep(CLAIM_POLL_S)


def _prepare(
    home: NodeHome, ref: AttemptRef, message: StartAgent
) -> tuple[list[str], Mapping[str, str]]:
    """Make the folders of an agent, and return its command and its environment."""
    for name in message.folders:
        private_folder(home.below(name))
    config = home.service.settings()
    return argv_of(message, config), agent_environment_of(home.paths, ref.run, message, config)


HANDLERS: Handlers = {StartAgent: start_agent, StartCommands: start_commands}

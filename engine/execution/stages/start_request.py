"""The start of an agent, or of commands, on the machine of a run: variables, command, needs.

On this machine the environment is that of the process that requested the run. Another machine has
its own: only named variables travel, those that hold what the agent needs, and ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from engine.agents.base import AgentCommand, CommandPlace, CommandRequest
from engine.agents.registry import agent_of
from engine.config import run_environment
from engine.config.paths import Paths
from engine.config.settings import Config
from engine.config.writable_folders import writable_folders
from engine.domain.host_features import check_features
from engine.domain.hosts import host_of
from engine.domain.model import Run, Workspace
from engine.domain.usage import DEFAULT_ACCOUNT
from engine.execution.attachments import IMAGE_BYTES
from engine.execution.executor import AttemptRef, Executor, StartNeeds
from engine.system.environment import separate_agents_code
from engine.system.files import read_regular


@dataclass(frozen=True, slots=True)
class StartRequest:
    """An agent to start: its command, the environment below it, and further needs."""

    command: AgentCommand
    base: Mapping[str, str]
    needs: StartNeeds


@dataclass(frozen=True, slots=True)
class ThreadChoice:
    """The thread that an attempt continues, or copies first; `message` is the id of its prompt."""

    thread: str | None
    forks: bool
    message: str


async def commands_base(executor: Executor, paths: Paths, run: Run) -> Mapping[str, str]:
    """Return the variables of the commands of a set-up or check; raises `UserError`, OSError."""
    place = await executor.command_place()
    if place is None:
        return await asyncio.to_thread(run_environment.of_run, paths, run)
    return await asyncio.to_thread(run_environment.elsewhere, paths, run, place.paths)


async def start_request(
    run: Run,
    workspace: Workspace,
    choice: ThreadChoice,
    paths: Paths,
    config: Config,
    executor: Executor,
) -> StartRequest:
    """Return the start of an attempt's agent; raises `UserError` and OSError."""
    place = await executor.command_place()
    if place is None:
        return await _here(run, workspace, choice, paths, config, executor)
    return await _elsewhere(run, choice, paths, config, executor, place)


async def _here(
    run: Run,
    workspace: Workspace,
    choice: ThreadChoice,
    paths: Paths,
    config: Config,
    executor: Executor,
) -> StartRequest:
    ref = AttemptRef(run.id, run.attempt)
    base = await asyncio.to_thread(run_environment.of_run, paths, run)
    folders = (workspace.path, workspace.source or "")
    base, of_commands = await asyncio.to_thread(separate_agents_code, base, folders)
    agent = agent_of(run.spec.agent)
    writable = await asyncio.to_thread(writable_folders, paths, run.spec, run)
    await asyncio.to_thread(agent.accounts.check, run.account, config, writable)
    under = await asyncio.to_thread(agent.accounts.environment, run.account, config, base)
    request = CommandRequest(
        run,
        config,
        paths,
        executor.agent_folder(ref),
        choice.thread,
        under.base,
        of_commands,
        reserved={**executor.reserved_variables(ref), **under.of_commands},
        message=choice.message,
        forks=choice.forks,
    )
    command = agent.command(request)
    return StartRequest(command, under.base, StartNeeds(tuple(map(str, command.folders))))


async def _elsewhere(
    run: Run,
    choice: ThreadChoice,
    paths: Paths,
    config: Config,
    executor: Executor,
    place: CommandPlace,
) -> StartRequest:
    check_features(run.spec, host_of(run))
    ref, agent = AttemptRef(run.id, run.attempt), agent_of(run.spec.agent)
    ours = await asyncio.to_thread(run_environment.elsewhere, paths, run, place.paths)
    asked = await asyncio.to_thread(run_environment.requested, paths, run.id)
    hidden = agent.accounts.hidden_elsewhere(run.account)
    request = CommandRequest(
        await _with_images(run, executor, ref, place.paths),
        config,
        place.paths,
        executor.agent_folder(ref),
        choice.thread,
        # The command takes secrets of model providers from it; the rest stays here.
        {**asked, **ours},
        {},
        reserved={**executor.reserved_variables(ref), **hidden},
        message=choice.message,
        forks=choice.forks,
        elsewhere=place,
    )
    command = agent.command(request)
    account = "" if run.account == DEFAULT_ACCOUNT else run.account
    folders = (*map(str, command.folders), ours["TMPDIR"])
    return StartRequest(command, ours, StartNeeds(folders, account))


async def _with_images(run: Run, executor: Executor, ref: AttemptRef, home: Paths) -> Run:
    """Return the run with the paths of its images on another machine, which gets them."""
    there: list[str] = []
    for place, image in enumerate(run.spec.images, start=1):
        content = await asyncio.to_thread(read_regular, Path(image), IMAGE_BYTES)
        suffix = Path(image).suffix
        await executor.write_image(ref, place, suffix, content)
        there.append(str(home.image(run.id, place, suffix)))
    return replace(run, spec=replace(run.spec, images=tuple(there))) if there else run

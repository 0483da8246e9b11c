"""An attempt's process: the one that is there, or a new one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from engine.agents.accounts import ThreadMove
from engine.agents.registry import agent_of
from engine.config import run_environment
from engine.config.paths import Paths
from engine.config.settings import Config
from engine.domain.errors import user_error
from engine.domain.events import Body, Notice
from engine.domain.hosts import host_of
from engine.domain.model import LOCAL, AttemptRequest, Run
from engine.execution.attempt_cursor import AttemptCursor, cursor_from
from engine.execution.executor import AttemptHandle, AttemptRef, Executor
from engine.execution.stages.start_request import ThreadChoice, start_request

NO_TOOLS = "the agent cannot start runs from another machine"


async def find_or_start(
    run: Run,
    ask: AttemptRequest | None,
    paths: Paths,
    config: Config,
    executor: Executor,
    *,
    new: bool,
    may_start: bool,
) -> AttemptHandle | None:
    """Return the process of the run's attempt; None if there is none and none may be started.

    `new`: no process can have started it yet. Raises `UserError` and OSError.
    """
    ref = AttemptRef(run.id, run.attempt)
    found = None if new else await executor.find(ref)
    if found or not may_start:
        return found
    if not new:
        await executor.allow_start(ref)
    return await _start(run, ask, paths, config, executor)


async def _start(
    run: Run, ask: AttemptRequest | None, paths: Paths, config: Config, executor: Executor
) -> AttemptHandle:
    if run.workspace is None:
        raise user_error("WORKSPACE_MISSING")
    ref = AttemptRef(run.id, run.attempt)
    await executor.workspaces.working_folder(run.workspace)
    fork = thread_to_fork(run, ask)
    thread = fork or thread_to_resume(run, ask)
    choice = ThreadChoice(thread, fork is not None, ask.message if ask else "")
    wanted = await start_request(run, run.workspace, choice, paths, config, executor)
    cwd = await executor.workspaces.working_folder(run.workspace)
    if run.spec.output_schema:
        await executor.write_schema(ref, run.spec.output_schema.encode())
    command = wanted.command
    # A failure from here on is one of the shell that starts the agent, and ends the attempt.
    return await executor.start(ref, command.argv, command.env, cwd, wanted.base, wanted.needs)


def thread_to_resume(run: Run, ask: AttemptRequest | None) -> str | None:
    """Return the thread that the attempt continues, if any; raises `UserError` THREAD_NOT_FOUND."""
    if ask is None or not ask.resume or run.thread_id is None:
        return None
    if not agent_of(run.spec.agent).can_continue(run.thread_id):
        raise user_error("THREAD_NOT_FOUND")
    return run.thread_id


def thread_to_fork(run: Run, ask: AttemptRequest | None) -> str | None:
    """Return the thread that the attempt copies, if any: the run is a fork without its own yet.

    Another attempt from scratch copies it again. Raises `UserError` THREAD_NOT_FOUND.
    """
    origin = run.spec.fork
    is_first = run.thread_id is None or (ask is not None and ask.fresh)
    if origin is None or origin.thread is None or not is_first:
        return None
    if not agent_of(run.spec.agent).can_continue(origin.thread):
        raise user_error("THREAD_NOT_FOUND")
    return origin.thread


def build_prompt(run: Run, ask: AttemptRequest | None) -> str:
    """Return the prompt for the agent: in a new thread, earlier work to learn from comes first."""
    prompt = ask.prompt if ask else run.spec.prompt
    is_new = thread_to_resume(run, ask) is None
    return f"{run.spec.lesson}\n\n{prompt}" if is_new and run.spec.lesson else prompt


def notices(run: Run, paths: Paths, config: Config) -> list[Body]:
    """Return what the user should know before the attempt starts; raises `UserError`."""
    if host_of(run) != LOCAL:
        return [Notice("info", NO_TOOLS)] if config.mcp.agents else []
    agent = agent_of(run.spec.agent)
    base = run_environment.requested(paths, run.id)
    under = agent.accounts.environment(run.account, config, base)
    return agent.notices(run, paths, under.base)


def session_home(run: Run, paths: Paths, config: Config) -> Path | None:
    """Return where the agent keeps the run's session under its account; raises `UserError`.

    None: on another machine, where it is not read.
    """
    if host_of(run) != LOCAL:
        return None
    agent = agent_of(run.spec.agent)
    base = run_environment.requested(paths, run.id)
    return agent.home(run, paths, agent.accounts.environment(run.account, config, base).base)


def bring_threads(
    run: Run, ask: AttemptRequest | None, cursor: AttemptCursor, paths: Paths, config: Config
) -> None:
    """Copy the threads that the attempt continues into the home of its account.

    Nothing is done where that account wrote them last, and on another machine, where accounts have
    their own homes. It can be repeated after a crash. Raises `UserError`.
    """
    if host_of(run) != LOCAL:
        return
    fork, origin = thread_to_fork(run, ask), run.spec.fork
    thread = fork or thread_to_resume(run, ask)
    written_by = origin.account if fork and origin else run.thread_account
    if thread is None or written_by == run.account:
        return
    threads = (thread, *(origin.threads if origin else ()))
    base = run_environment.requested(paths, run.id)
    move = ThreadMove(run, threads, written_by, config, paths, base, bytes(cursor.agent))
    agent_of(run.spec.agent).accounts.bring_threads(move)


def first_cursor(run: Run, ask: AttemptRequest | None, earlier: Iterable[str]) -> AttemptCursor:
    """Return the cursor with which an attempt begins.

    `earlier` are the stored cursors of those before it, latest first; of a fork's first one, those
    of the run that it was forked from.
    """
    fork = thread_to_fork(run, ask)
    thread = fork or thread_to_resume(run, ask)
    states = (bytes(cursor_from(text).agent) for text in earlier)
    state = agent_of(run.spec.agent).first_state(
        thread,
        run.usage,
        states,
        interactive=run.is_interactive,
        message=ask.message if ask else "",
        forks=fork is not None,
    )
    return AttemptCursor(msgspec.Raw(state))

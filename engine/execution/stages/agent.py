"""An attempt's process: the one that is there, or a new one."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from pathlib import Path

from engine.agents.codex.command import codex_home, command
from engine.agents.codex.project_config import unread_settings
from engine.agents.codex.translation import Cursor
from engine.config import run_environment
from engine.config.paths import AttemptFolder, Paths, private_folder
from engine.config.settings import Config
from engine.domain.errors import user_error
from engine.domain.events import Body, Notice
from engine.domain.model import Agent, AttemptRequest, Run
from engine.domain.text import printable
from engine.execution.local import process
from engine.execution.local.process import AttemptProcess
from engine.execution.local.process_marks import MARK, mark
from engine.system.durable import write_synced
from engine.system.environment import separate_agents_code
from engine.workspaces.create.working_folder import working_folder

LATE_START_S = 0.5


async def find_or_start(
    run: Run,
    ask: AttemptRequest | None,
    paths: Paths,
    config: Config,
    *,
    new: bool,
    may_start: bool,
) -> AttemptProcess | None:
    """Return the process of the run's attempt; None if there is none and none may be started.

    `new` says that nobody can have started it yet. Raises `UserError` and OSError.
    """
    folder = paths.attempt(run.id, run.attempt)
    found = None if new else await process.find(folder)
    if found or not may_start:
        return found
    if not new:
        await unclaim(folder)
    return await _start(run, ask, paths, config, folder)


async def unclaim(folder: AttemptFolder) -> None:
    """Let it be started, after `process.find` found nothing and claimed it."""
    # A start that another engine had begun has given up after this time.
    await asyncio.sleep(LATE_START_S)
    folder.pid.unlink(missing_ok=True)


async def _start(
    run: Run, ask: AttemptRequest | None, paths: Paths, config: Config, folder: AttemptFolder
) -> AttemptProcess:
    if run.workspace is None or not Path(run.workspace.path).is_dir():
        raise user_error("WORKSPACE_MISSING")
    base = await asyncio.to_thread(run_environment.of_run, paths, run)
    folders = (run.workspace.path, run.workspace.source or "")
    base, of_commands = await asyncio.to_thread(separate_agents_code, base, folders)
    thread = thread_to_resume(run, ask)
    what = command(
        run.spec,
        config,
        paths,
        run.id,
        folder,
        thread,
        run.workspace,
        base,
        of_commands,
        reserved={MARK: mark(folder)},
    )
    cwd = await asyncio.to_thread(working_folder, run.workspace)
    if run.spec.output_schema:
        schema = run.spec.output_schema.encode()
        await asyncio.to_thread(write_synced, folder.output_schema, schema)
    for name in ("CODEX_SQLITE_HOME", "CODEX_HOME"):
        if name in what.env:
            private_folder(Path(what.env[name]))
    # What fails here fails before Codex: the shell that starts it says what becomes of that.
    return await process.start(folder, what.argv, what.env, cwd, base)


def thread_to_resume(run: Run, ask: AttemptRequest | None) -> str | None:
    """Return the thread that the attempt continues, if any; raises `UserError` THREAD_NOT_FOUND.

    Codex takes an id that is no UUID for the name of a new thread (docs/codex.md).
    """
    if ask is None or not ask.resume or run.thread_id is None:
        return None
    try:
        uuid.UUID(run.thread_id)
    except ValueError:
        raise user_error("THREAD_NOT_FOUND") from None
    return run.thread_id


def told(run: Run, ask: AttemptRequest | None) -> str:
    """Give what the agent is told: with a new thread, what it may learn from comes first."""
    prompt = ask.prompt if ask else run.spec.prompt
    is_new = thread_to_resume(run, ask) is None
    return f"{run.spec.lesson}\n\n{prompt}" if is_new and run.spec.lesson else prompt


def notices(run: Run, paths: Paths) -> list[Body]:
    """Return what the user should know before the attempt starts."""
    workspace = run.workspace
    if workspace is None or run.spec.agent is Agent.SIMULATED:
        return []
    path = Path(workspace.path)
    source = Path(workspace.source or path)  # a run's id where it comes from one
    text = unread_settings(
        codex_home(run.spec, paths, run_environment.requested(paths, run.id)),
        path,
        source if source.is_absolute() else path,
    )
    return [Notice("info", printable(text))] if text else []


def write_prompt(folder: AttemptFolder, prompt: str) -> None:
    """Write what Codex reads on stdin."""
    private_folder(folder.path)
    write_synced(folder.prompt, prompt.encode("utf-8", "surrogateescape"))


def first_cursor(run: Run, ask: AttemptRequest | None, earlier: Iterable[Cursor]) -> Cursor:
    """Return the cursor with which an attempt begins; `earlier` are those before it, latest first.

    Codex counts tokens over the whole thread: a resumed one goes on from where it stood.
    """
    thread = thread_to_resume(run, ask)
    for before in earlier:
        if thread and thread == before.thread_id:
            return Cursor(
                thread_id=thread,
                usage_before=before.usage_before,
                thread_usage=before.thread_usage,
                rollout_offset=before.rollout_offset,
                agents=before.agents,
            )
    return Cursor(usage_before=run.usage)

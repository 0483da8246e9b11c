"""Checks of a run's needs before it costs anything: no row, no workspace, no process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from engine.agents.base import ExtraRequest
from engine.agents.registry import agent_of
from engine.config.paths import Paths
from engine.config.run_options import RUN_OPTIONS
from engine.config.settings import Config
from engine.config.writable_folders import writable_folders
from engine.domain.errors import user_error
from engine.domain.model import LOCAL, Run, RunSpec
from engine.domain.requests import check_known
from engine.domain.run_option import problem_of, value_of
from engine.domain.text import is_utf8
from engine.system.environment import problem_in, requested_environment
from engine.workspaces.create import create


def check_spec(spec: RunSpec, config: Config, paths: Paths, run: Run | None = None) -> RunSpec:
    """Check a request for a run and return it with its base pinned; raises `UserError`.

    `run` is the run, once there is one. It looks at the disk: call it in a thread.
    """
    check_texts(spec)
    agent = agent_of(spec.agent)
    if spec.workspace.host == LOCAL:
        agent.check_installed(spec, config)
        agent.accounts.check(spec.account or "", config, writable_folders(paths, spec, run))
        # Its folder for temporary files is its own, and made later.
        base = {k: v for k, v in requested_environment().items() if k != "TMPDIR"}
        agent.check_home(spec, paths, base, run)
    ignore = spec.preparation.ignore
    limit = config.workspace.copy_limit
    return replace(spec, workspace=create.check(spec.workspace, limit, paths.home, ignore))


def check_texts(spec: RunSpec) -> None:
    """Check what can be checked without a look at the disk; raises `UserError`."""
    check_known(spec)
    agent_of(spec.agent).check(spec)
    if spec.interactive and ExtraRequest.ANSWER not in agent_of(spec.agent).requests:
        raise user_error(
            "RUN_NOT_INTERACTIVE",
            "This agent runs on its own only.",
            "Start the run without --interactive.",
        )
    if not spec.prompt.strip():
        raise user_error("INPUT_INVALID", "The prompt is empty.", "Describe the task.")
    if not all(map(is_utf8, _texts(spec))):
        raise user_error("INPUT_INVALID", "The input holds bytes that are not UTF-8.")
    for option in RUN_OPTIONS:
        value = value_of(spec, option)
        if value is not None and (problem := problem_of(option, value)):
            raise user_error("INPUT_INVALID", f"{option.flag}: {problem}.")
    if problem := problem_in(spec.env):
        raise user_error("INPUT_INVALID", f"A variable is refused: {problem}.")
    if "\0" in (spec.verify or "") or not is_utf8(spec.verify or ""):
        raise user_error("INPUT_INVALID", "The verify command holds what no shell can read.")


def _texts(spec: RunSpec) -> Iterator[str]:
    """Return the prompt and the texts of all options; variables may hold any bytes."""
    yield from (spec.prompt, spec.workspace.source or "")
    for option in RUN_OPTIONS:
        value = value_of(spec, option)
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple):
            yield from cast("tuple[str, ...]", value)

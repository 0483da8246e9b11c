"""The command of Codex: how it is found, its argv and environment, nothing of it hidden."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from engine.agents.base import AgentCommand
from engine.agents.codex.project_config import trust_level
from engine.config.paths import AttemptFolder, Paths
from engine.config.settings import Config
from engine.domain import codex_secrets
from engine.domain.errors import user_error
from engine.domain.model import Agent, RunSpec, Workspace, WorkspaceKind
from engine.system import environment, programs
from engine.system.child_files import path_of

SIMULATED = Path(__file__).parents[1] / "simulated" / "__main__.py"
PLAN_ON = "tools.update_plan={enabled=true}"
"""Codex's plan tool is off by default; its plan is the honest source of a progress bar."""


def find_codex(
    named: str | None, configured: str | None, base: Mapping[str, str] | None = None
) -> str:
    """Return the Codex executable's absolute path; raises `UserError` CODEX_CLI_MISSING.

    Looked for in this order: `named` (--codex-bin), SWARM_CODEX, `configured` or `codex` on the
    PATH, the Python package `codex_cli_bin`. Variables are those of `base`, or our own.
    """
    base = os.environ if base is None else base
    if named:  # typed just now: a relative path means the current folder
        path = os.path.expanduser(named)  # noqa: PTH111  may be a bare name
        return _executable(os.path.abspath(path) if os.sep in path else path, base)  # noqa: PTH100  no pathlib at start
    if wanted := base.get(environment.CODEX) or configured:
        return _executable(wanted, base)
    return programs.find("codex", base) or _packaged()


def _executable(name: str, base: Mapping[str, str]) -> str:
    found = programs.find(os.path.expanduser(name), base)  # noqa: PTH111  may be a bare name
    if found:
        return found
    message = f"The Codex CLI was not found at {name}."
    if os.sep in name and not Path(name).is_absolute():
        message = f"The Codex CLI {name} has no absolute path: any folder could hold such a file."
    raise user_error("CODEX_CLI_MISSING", message)


def _packaged() -> str:
    if importlib.util.find_spec("codex_cli_bin") is None:
        raise user_error("CODEX_CLI_MISSING")
    import codex_cli_bin

    try:
        return str(codex_cli_bin.bundled_codex_path())
    except FileNotFoundError as error:
        raise user_error("CODEX_CLI_MISSING", str(error)) from error


def command(
    spec: RunSpec,
    config: Config,
    paths: Paths,
    run: str,
    folder: AttemptFolder,
    thread: str | None,
    workspace: Workspace | None = None,
    base: Mapping[str, str] | None = None,
    of_commands: Mapping[str, str] | None = None,
    reserved: Mapping[str, str] | None = None,
) -> AgentCommand:
    """Return the command of one attempt, which continues `thread` where there is one.

    `base` is the environment of the run, or our own. `of_commands` are variables for the agent's
    commands, not for Codex itself. No setting takes `reserved`, ours, away from the commands.

    The prompt is read from stdin: it may have any length, and stays out of the process list.
    """
    codex_secrets.check(spec.codex_config)  # a run stored by an older version was not checked
    of_run = {name: base[name] for name in environment.OF_RUN if base and name in base}
    base = os.environ if base is None else base
    argv = [*_program(spec, config, base), "exec"]
    options = ["--json", "--skip-git-repo-check", "-o", str(folder.last_message)]
    settings = [PLAN_ON, *_passed(of_commands or {}), *_settings(config), *spec.codex_config]
    # `exec resume` has no --add-dir of its own, but counts that of `exec`.
    argv += _folders(spec, workspace)
    if thread:
        # `exec resume` knows no -s: the sandbox goes in as a setting.
        argv.append("resume")
        settings.insert(0, f'sandbox_mode="{spec.sandbox}"')
    else:
        options += ["-s", spec.sandbox.value]
    options += _attached(spec, folder, is_new=not thread)
    model = spec.model or config.codex.model
    if model:
        options += ["-m", model]
    settings += _trust(codex_home(spec, paths, base), workspace)
    secrets = _secret_variables(spec, config)
    # Codex reads them; the commands of its agent find them empty.
    settings += _passed(dict.fromkeys(sorted(secrets), ""))
    # Last, so that no policy of the user's own takes these away from the commands.
    settings += _passed({**of_run, **(reserved or {})})
    for setting in settings:
        options += ["-c", setting]
    argv += [*options, *([thread] if thread else []), "-"]
    # Codex's own databases lock when runs share them (codex#31184); login and settings stay shared.
    env = {"CODEX_SQLITE_HOME": str(paths.run(run) / "codex")}
    folders = [env["CODEX_SQLITE_HOME"]]
    env |= {name: base[name] for name in secrets if name in base}
    if spec.agent is Agent.SIMULATED:
        env["CODEX_HOME"] = str(paths.simulated_codex_home)
        folders.append(env["CODEX_HOME"])
    return AgentCommand(tuple(argv), env, tuple(map(Path, folders)))


def _passed(variables: Mapping[str, str]) -> list[str]:
    """Return the settings that pass variables to the agent's commands."""
    pairs = variables.items()
    return [f"shell_environment_policy.set.{name}={_toml(value)}" for name, value in pairs]


def _folders(spec: RunSpec, workspace: Workspace | None) -> list[str]:
    """Return the options for further folders that commands may write in."""
    # Codex lets them write below its current folder; the rest of the workspace belongs to it.
    top = [workspace.path] if workspace and workspace.cwd else []
    return [word for place in (*spec.add_dirs, *top) for word in ("--add-dir", place)]


def _attached(spec: RunSpec, folder: AttemptFolder, *, is_new: bool) -> list[str]:
    """Return the options for the files that go with a prompt."""
    schema = ["--output-schema", str(folder.output_schema)] if spec.output_schema else []
    # A thread has its images already. One word each: `-i` takes all words that follow.
    return schema + [f"--image={image}" for image in spec.images if is_new]


def codex_home(spec: RunSpec, paths: Paths, base: Mapping[str, str] | None = None) -> Path:
    """Return Codex's home for a run: the user's, or the simulated agent's own.

    `base` is the environment of the run, or our own.
    """
    if spec.agent is Agent.SIMULATED:
        return paths.simulated_codex_home
    return user_codex_home(base)


def user_codex_home(base: Mapping[str, str] | None = None) -> Path:
    """Return the user's own Codex home, which `CODEX_HOME` may name in `base` or our own."""
    base = os.environ if base is None else base
    if named := base.get("CODEX_HOME"):
        return Path(named)
    return Path(base.get("HOME") or Path.home()) / ".codex"


def _trust(home: Path, workspace: Workspace | None) -> list[str]:
    """Return the setting that trusts a workspace as its source is trusted."""
    if not workspace or not workspace.source or workspace.kind is WorkspaceKind.IN_PLACE:
        return []
    level = trust_level(home, Path(workspace.source))
    # Codex splits a dotted key at every dot: only the whole table can name a path.
    return [f'projects={{{_toml(workspace.path)}={{trust_level="{level}"}}}}'] if level else []


def _program(spec: RunSpec, config: Config, base: Mapping[str, str]) -> list[str]:
    if spec.agent is Agent.SIMULATED:
        return [sys.executable, "-I", "-S", str(path_of(SIMULATED))]
    return [find_codex(spec.codex_bin, config.codex.bin, base)]


def _secret_variables(spec: RunSpec, config: Config) -> frozenset[str]:
    """Return the variables that Codex takes secrets of model providers from."""
    of_run = codex_secrets.variables(codex_secrets.read_lines(spec.codex_config))
    environment.reserve_for_agents(of_run)
    return of_run | codex_secrets.variables(config.codex.config)


def _settings(config: Config) -> list[str]:
    return [f"{key}={_toml(value)}" for key, value in config.codex.config.items()]


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        # Almost a TOML string, which knows no surrogate pairs and no bare DEL.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(inner) for inner in cast('list[object]', value))}]"
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value).items()
        return f"{{{', '.join(f'{_key(key)} = {_toml(inner)}' for key, inner in pairs)}}}"
    return str(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)

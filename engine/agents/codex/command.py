"""The command of Codex: how it is found, its argv and environment, nothing of it hidden."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from engine.agents.base import AgentCommand, CommandRequest
from engine.agents.codex import exposed_secrets, own_server
from engine.agents.codex.profile import DATABASES_VARIABLE, PROGRAM_VARIABLE
from engine.agents.codex.project_config import trust_level
from engine.agents.codex.settings import CodexSettings
from engine.domain.errors import user_error
from engine.domain.model import RunSpec, Workspace, WorkspaceKind
from engine.system import environment, programs

if TYPE_CHECKING:
    from engine.config.paths import AttemptFolder
    from engine.config.settings import Config

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
    if wanted := base.get(PROGRAM_VARIABLE) or configured:
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


def command(request: CommandRequest, program: Sequence[str], home: Path) -> AgentCommand:
    """Return the command of one attempt with `program`, whose sessions lie in `home`.

    The prompt is read from stdin: it may have any length, and stays out of the process list.
    """
    argv = [*program, "exec", *_arguments(request, home), "-"]
    return AgentCommand(tuple(argv), variables(request), (databases(request),))


def thread_command(request: CommandRequest, program: Sequence[str], home: Path) -> AgentCommand:
    """Return the command that opens the run's thread in interactive Codex.

    Sandbox, settings and variables are those of its attempts. With a user at the terminal, it
    asks as the run's interactive mode does.
    """
    spec = request.run.spec
    argv = [*program, "resume", "-s", spec.sandbox.value]
    argv += ["-a", request.run.approval_policy.value]
    for place in further_folders(spec, request.run.workspace):
        argv += ["--add-dir", place]
    if model := spec.model or request.config.codex.model:
        argv += ["-m", model]
    for setting in all_settings(request, home):
        argv += ["-c", setting]
    argv += [request.thread] if request.thread else []
    return AgentCommand(tuple(argv), variables(request), (databases(request),))


def databases(request: CommandRequest) -> Path:
    """Return the folder of Codex's own databases for this run."""
    # They lock when runs share them (codex#31184); login and settings stay shared.
    account = request.run.account
    # They name the thread's file: under another account that is another file.
    return request.paths.run(request.run.id) / (f"codex-{account}" if account else "codex")


def variables(request: CommandRequest) -> dict[str, str]:
    """Return the variables of Codex itself."""
    secrets = _secret_variables(request.run.spec, request.config)
    passed = {name: request.base[name] for name in secrets if name in request.base}
    return {DATABASES_VARIABLE: str(databases(request)), **passed}


def _arguments(request: CommandRequest, home: Path) -> Iterator[str]:
    """Return the arguments of `codex exec`."""
    run, folder, thread = request.run, request.folder, request.thread
    spec, settings = run.spec, request.config.codex
    # `exec resume` has no --add-dir of its own, but counts that of `exec`.
    for place in further_folders(spec, run.workspace):
        yield from ("--add-dir", place)
    if thread:
        yield "fork" if request.forks else "resume"
    yield from ("--json", "--skip-git-repo-check", "-o", str(folder.last_message))
    if not thread:
        yield from ("-s", spec.sandbox.value)
    yield from _attached(spec, folder, is_new=not thread)
    if model := spec.model or settings.model:
        yield from ("-m", model)
    if thread:  # `exec resume` knows no -s
        yield from ("-c", f'sandbox_mode="{spec.sandbox}"')
    for setting in all_settings(request, home):
        yield from ("-c", setting)
    if thread:
        yield thread


def all_settings(request: CommandRequest, home: Path) -> Iterator[str]:
    """Return the settings of one attempt; later ones replace earlier ones. Raises `UserError`."""
    spec = request.run.spec
    exposed_secrets.check(spec.codex_config)  # a run stored by an older version was not checked
    yield PLAN_ON
    yield from _passed(request.of_commands)
    yield from provider_settings(spec, request.config.codex)
    yield from _trust(home, request.run.workspace)
    # On another machine there is no home of runs for the server to work on.
    if request.config.mcp.agents and request.elsewhere is None:
        yield f"mcp_servers.{own_server.NAME}={_toml(own_server.server_table(request))}"
    # Codex reads them; the commands of its agent find them empty.
    secrets = _secret_variables(spec, request.config)
    yield from _passed(dict.fromkeys(sorted(secrets), ""))
    # Last, so that no policy of the user's own takes these away from the commands.
    of_run = {name: request.base[name] for name in environment.OF_RUN if name in request.base}
    yield from _passed({**of_run, **request.reserved})


def _passed(variables: Mapping[str, str]) -> list[str]:
    """Return the settings that pass variables to the agent's commands."""
    pairs = variables.items()
    return [f"shell_environment_policy.set.{name}={_toml(value)}" for name, value in pairs]


def further_folders(spec: RunSpec, workspace: Workspace | None) -> tuple[str, ...]:
    """Return the folders beside its current one that commands may write in."""
    # Codex lets them write below its current folder; the rest of the workspace belongs to it.
    return (*spec.add_dirs, workspace.path) if workspace and workspace.cwd else spec.add_dirs


def _attached(spec: RunSpec, folder: AttemptFolder, *, is_new: bool) -> list[str]:
    """Return the options for the files that go with a prompt."""
    schema = ["--output-schema", str(folder.output_schema)] if spec.output_schema else []
    # A thread has its images already. One word each: `-i` takes all words that follow.
    return schema + [f"--image={image}" for image in spec.images if is_new]


def _trust(home: Path, workspace: Workspace | None) -> list[str]:
    """Return the setting that trusts a workspace as its source is trusted."""
    if not workspace or not workspace.source or workspace.kind is WorkspaceKind.IN_PLACE:
        return []
    level = trust_level(home, Path(workspace.source))
    # Codex splits a dotted key at every dot: only the whole table can name a path.
    return [f'projects={{{_toml(workspace.path)}={{trust_level="{level}"}}}}'] if level else []


def _secret_variables(spec: RunSpec, config: Config) -> frozenset[str]:
    """Return the variables that Codex takes secrets of model providers from."""
    of_run = exposed_secrets.variables(exposed_secrets.read_lines(spec.codex_config))
    environment.reserve_for_agents(of_run)
    return of_run | config.codex.secret_variables


def _settings(settings: CodexSettings) -> list[str]:
    return [f"{key}={_toml(value)}" for key, value in settings.config.items()]


def provider_settings(spec: RunSpec, settings: CodexSettings) -> list[str]:
    """Return the settings of a run and of the user's that decide which login Codex needs."""
    return [*_settings(settings), *spec.codex_config]


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

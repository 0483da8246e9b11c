"""The command of an interactive attempt: the bridge, and what it passes to the app-server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.agents.base import AgentCommand, CommandRequest
from engine.agents.codex import command
from engine.agents.codex.accounts import KEYS, has_key
from engine.agents.codex.interactive.translation import PROMPT

BRIDGE = Path(__file__).parent / "bridge" / "__main__.py"


def interactive_command(
    request: CommandRequest, program: Sequence[str], home: Path
) -> AgentCommand:
    """Return the command of one attempt with `program`; raises `UserError`.

    Variables, folders and settings are those of `codex exec`. The prompt is read from stdin.
    """
    prompt = request.message or f"{PROMPT}{request.run.attempt}"
    codex, *arguments = program
    options = ["--codex", codex]
    for argument in arguments:
        options += ["--codex-argument", argument]
    options += ["--inbox", str(request.folder.inbox), "--prompt-id", prompt]
    options += _options(request)
    if has_key(request):
        # The app-server reads no key from its environment; this one is kept in its memory alone.
        options += ["--key-variable", KEYS[0], "-c", 'cli_auth_credentials_store="ephemeral"']
    for setting in command.all_settings(request, home):
        options += ["-c", setting]
    argv = (request.python, "-I", "-S", request.own_program(BRIDGE), *options)
    return AgentCommand(argv, command.variables(request), (command.databases(request),))


def _options(request: CommandRequest) -> Iterator[str]:
    spec, folder = request.run.spec, request.folder
    yield from ("--sandbox", spec.sandbox.value, "--approvals", request.run.approval_policy.value)
    yield from ("--last-message", str(folder.last_message))
    if request.thread:
        yield from ("--fork" if request.forks else "--thread", request.thread)
    if model := spec.model or request.config.codex.model:
        yield from ("--model", model)
    if spec.output_schema:
        yield from ("--output-schema", str(folder.output_schema))
    for place in command.further_folders(spec, request.run.workspace):
        yield from ("--add-dir", place)
    if not request.thread:  # a thread has its images already
        for image in spec.images:
            yield from ("--image", image)

"""Diagnosis of the Codex installation by Codex: version, login, settings, network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import msgspec

from engine.agents.codex.sandbox_refusals import refusal
from engine.domain.errors import UserError, user_error
from engine.domain.text import one_line
from engine.system import short_command
from engine.system.decoding import json_decoder
from engine.system.short_command import TIMEOUT_S

OLDEST = (0, 100, 0)
"""`exec --json` as this program knows it; older ones speak differently."""
OLDEST_INTERACTIVE = (0, 163, 0)
"""`app-server` as this program knows it."""


NOT_RUN = (126, 127)
"""Exit codes of a script whose interpreter is missing, such as Codex's of npm without Node.js."""


class CodexCheck(msgspec.Struct):
    """One check of Codex's own; status is `ok`, `warning` or `fail`."""

    status: str = ""
    summary: str = ""
    remediation: str | None = None
    details: object = None


class _Report(msgspec.Struct):
    checks: dict[str, CodexCheck] = {}


async def _run(argv: list[str], env: dict[str, str] | None = None) -> tuple[int, str]:
    """Return exit code and output of a command of Codex; raises `UserError` CODEX_CLI_MISSING."""
    try:
        return await short_command.output(argv, env)
    except OSError as error:
        raise user_error("CODEX_CLI_MISSING", f"{argv[0]} cannot be run: {error}") from error


async def version(codex: str) -> str:
    """Return the version of the Codex at the path `codex`; raises `UserError`."""
    _, text = await _run([codex, "--version"])
    found = re.search(r"\d+\.\d+\.\d+\S*", text)
    if not found:
        raise user_error("CODEX_CLI_MISSING", f"{Path(codex).name} does not report its version.")
    if _numbers(found[0]) < OLDEST:
        raise user_error("CODEX_TOO_OLD", f"This Codex CLI is too old: {found[0]}.")
    return found[0]


def can_be_interactive(version: str) -> bool:
    """Return whether interactive runs work with a version of Codex."""
    return _numbers(version) >= OLDEST_INTERACTIVE


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


async def checks(
    codex: str, settings: Sequence[str] = (), env: dict[str, str] | None = None
) -> dict[str, CodexCheck]:
    """Return the checks of `codex doctor --json` by their ids; empty where it has none."""
    options = [word for setting in settings for word in ("-c", setting)]
    _, text = await _run([codex, "doctor", "--json", *options], env)
    try:
        report = json_decoder(_Report)(text)
    except (msgspec.MsgspecError, RecursionError):
        return {}
    return report.checks


async def sandbox_error(codex: str) -> str:
    """Return why no command can start in Codex's sandbox; empty where one can."""
    try:
        code, text = await short_command.errors([codex, "sandbox", "true"])
    except TimeoutError:
        return f"no command ended in it within {TIMEOUT_S:.0f} s"
    except OSError as error:
        return f"{codex} cannot be run: {error}"
    if code == 0:
        return ""
    lines = text.strip().splitlines()
    return refusal(text) or one_line(lines[-1]) if lines else f"exit code {code}"


async def login(
    codex: str, settings: Sequence[str] = (), env: dict[str, str] | None = None
) -> UserError | None:
    """Return the error of a failed login, or None where it works or is unknown.

    `codex login status` is fast, but knows only OpenAI's own provider; `codex doctor` knows them
    all, and asks the network. `settings` are those of the run (`key=value`).
    """
    code, _ = await _run([codex, "login", "status"], env)
    if code == 0:
        return None
    if code in NOT_RUN:
        await version(codex)
    found = await checks(codex, settings, env)
    if _failed(found, "config.load"):
        check = found["config.load"]
        what = f"{one_line(check.summary)}{_place(check)}"
        return user_error("CODEX_CONFIG_INVALID", f"Codex cannot read its settings: {what}.")
    if _failed(found, "auth.credentials"):
        return user_error("CODEX_AUTH_REQUIRED")
    return None


def _place(check: CodexCheck) -> str:
    """Return the place in a file that a check names, where it does."""
    if not isinstance(check.details, dict):
        return ""
    details = cast("dict[object, object]", check.details)
    parts = [one_line(str(details[key])) for key in ("file", "line", "column") if key in details]
    return f" ({':'.join(parts)})" if parts else ""


def _failed(found: dict[str, CodexCheck], name: str) -> bool:
    return name in found and found[name].status == "fail"

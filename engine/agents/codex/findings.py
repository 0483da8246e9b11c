"""The checks of Codex's installation, as findings of the doctor."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from engine.agents.codex import doctor
from engine.agents.codex.account_settings import AccountSettings
from engine.agents.codex.accounts import CodexAccounts, of_account
from engine.agents.codex.command import find_codex
from engine.domain.errors import CATALOGUE, UserError
from engine.domain.finding import CheckHealth, Finding
from engine.domain.secrets import hide
from engine.system.environment import agent_environment

if TYPE_CHECKING:
    from engine.config.settings import Config

_OLDEST_INTERACTIVE = ".".join(map(str, doctor.OLDEST_INTERACTIVE[:2]))


async def diagnose(named: str | None, config: Config) -> list[Finding]:
    """Check version, logins, network and sandbox; `named` is the CLI to check instead."""
    path = await asyncio.to_thread(find_codex, named, config.codex.bin)
    version = await doctor.version(path)
    findings = [Finding("codex", CheckHealth.OK, f"Codex {version} at {path}")]
    if not doctor.can_be_interactive(version):
        findings.append(
            Finding(
                "codex interactive",
                CheckHealth.WARNING,
                f"Interactive runs need Codex {_OLDEST_INTERACTIVE} or newer.",
                CATALOGUE["CODEX_TOO_OLD"].recovery,
            )
        )
    checks = await doctor.checks(path)
    if not checks:
        findings.append(
            Finding(
                "codex doctor",
                CheckHealth.WARNING,
                "This Codex has no `codex doctor --json`: login and network were not checked.",
                CATALOGUE["CODEX_TOO_OLD"].recovery,
            )
        )
    for name, check in sorted(checks.items()):
        if name == "auth.credentials" or check.status == "fail":
            health = CheckHealth.FAIL if check.status == "fail" else CheckHealth.OK
            recovery = (check.remediation or "") if health is CheckHealth.FAIL else ""
            findings.append(Finding(f"codex {name}", health, hide(check.summary), hide(recovery)))
    findings += [await _account(path, one, config) for one in config.accounts]
    return [*findings, await _sandbox(path)]


async def _account(path: str, account: AccountSettings, config: Config) -> Finding:
    name = f"codex account {account.name}"
    try:
        made = await asyncio.to_thread(
            CodexAccounts().environment, account.name, config, dict(os.environ)
        )
        error = await doctor.login(path, (), agent_environment(base=made.base))
        error = of_account(error, account.name, config) if error else None
    except UserError as problem:
        error = problem
    if error:
        return Finding(name, CheckHealth.FAIL, hide(error.message), hide(error.recovery))
    return Finding(name, CheckHealth.OK, f"the account {account.name} is logged in")


async def _sandbox(path: str) -> Finding:
    error = await doctor.sandbox_error(path)
    if not error:
        return Finding("codex sandbox", CheckHealth.OK, "a command starts in Codex's sandbox")
    return Finding(
        "codex sandbox",
        CheckHealth.FAIL,
        f"No command can start in Codex's sandbox: {hide(error)}",
        "Allow user namespaces (bubblewrap needs them), or use the sandbox danger-full-access.",
    )

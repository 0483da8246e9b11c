"""Operations on this machine: diagnosis, the login of the agent, and the settings."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from litestar import get
from litestar.params import QueryParameter

from engine.config import config_file, settings
from engine.domain.usage import DEFAULT_ACCOUNT
from tui.cli.api.answers import as_shape
from tui.cli.api.context import Context
from tui.cli.api.scopes import READ
from tui.cli.json import ConfigCheckJson, DiagnosisJson, LoginJson
from tui.cli.support import settings_check
from tui.cli.support.diagnosis import diagnosis_json

Account = Annotated[
    str, QueryParameter(description="an account of the settings; by default the usual one")
]


@get("/doctor", opt=READ, operation_id="diagnose", summary="Check the machine", tags=["home"])
async def diagnose(context: Context) -> DiagnosisJson:
    """Check Codex, its login and network, git, disk, database and settings.

    It starts programs, and may take seconds. Repairs are for a terminal.
    """
    return as_shape(DiagnosisJson, diagnosis_json(await context.engine.doctor.examine()))


@get("/login", opt=READ, operation_id="check_login", summary="Check the login", tags=["home"])
async def check_login(context: Context, account: Account = DEFAULT_ACCOUNT) -> LoginJson:
    """Check whether Codex is logged in; otherwise the answer is a problem with the reason.

    `codex login` on the machine itself logs in.
    """
    await context.engine.logins.require_account(account)
    return LoginJson(account, ok=True)


@get("/config", opt=READ, operation_id="show_config", summary="Show the settings", tags=["home"])
async def show_config(context: Context) -> dict[str, Any]:
    """Return the settings in effect; secrets are only hinted at.

    For an invalid file, the last valid settings are in effect. docs/settings.md has the keys.
    """
    loaded = await asyncio.to_thread(config_file.load_usable, context.engine.paths)
    return settings.plain(loaded.config)


@get(
    "/config/check",
    opt=READ,
    operation_id="check_config",
    summary="Check the settings file",
    tags=["home"],
)
async def check_config(context: Context) -> ConfigCheckJson:
    """Check the settings file; for an invalid one the answer is a problem that names the line."""
    found = await asyncio.to_thread(settings_check.check_file, context.engine.paths.config)
    return as_shape(ConfigCheckJson, found)


HANDLERS = [diagnose, check_login, show_config, check_config]

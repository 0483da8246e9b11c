"""The profile of Codex."""

from __future__ import annotations

from engine.agents.codex.errors import ERRORS
from engine.agents.codex.home import account_homes, user_home
from engine.agents.profile import AgentProfile
from engine.domain.interaction import ApprovalPolicy
from engine.domain.model import Agent
from engine.domain.run_option import Kind, RunOption

PROGRAM_VARIABLE = "SWARM_CODEX"
"""Our variable that names the Codex executable."""
DATABASES_VARIABLE = "CODEX_SQLITE_HOME"
"""Codex's variable that names the folder of its databases."""

CODEX = AgentProfile(
    name=Agent.CODEX.value,
    title="Codex",
    model_provider="openai",
    login_command="codex login",
    errors=ERRORS,
    options=(
        RunOption(
            name="codex-config",
            flag="-c",
            sets="codex_config",
            kind=Kind.SETTINGS,
            metavar="KEY=TOML",
            help="Pass a setting to Codex, as `codex -c` takes it.",
        ),
        RunOption(
            name="account",
            sets="account",
            kind=Kind.TEXT,
            metavar="NAME",
            help="Use this account of the settings, and wait for it where it has no room.  "
            "[default: see codex.on_limit]",
            label="Account",
            hint="the default one · a name of `accounts` in the settings",
            in_files=True,
            is_column=True,
        ),
        RunOption(
            name="interactive",
            sets="interactive",
            kind=Kind.YES_NO,
            help="Let the agent ask before it leaves its sandbox, and be spoken to while it works; "
            "or let it work on its own.  [default: codex.mode]",
            label="Interactive",
            shown="interactive: {}",
            in_files=True,
        ),
        RunOption(
            name="approvals",
            sets="approvals",
            kind=Kind.CHOICE,
            choices=ApprovalPolicy,
            help="Choose when an interactive agent asks: where it has to leave its sandbox, or "
            "before every command not known to be safe. The run is interactive with it.",
            label="Approvals",
            in_files=True,
        ),
        RunOption(
            name="codex-bin",
            sets="codex_bin",
            kind=Kind.PROGRAM,
            metavar="PATH",
            help="Use this Codex CLI.",
        ),
    ),
    program_variables=frozenset({PROGRAM_VARIABLE}),
    command_variables=frozenset({DATABASES_VARIABLE}),
    control_folders=("codex", "agents"),
    sandbox_files=frozenset({".agents", ".aws", ".codex", ".git"}),
    home=user_home,
    more_homes=account_homes,
)

"""Our MCP server among the settings of Codex."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from support import spec

from engine.agents.base import CommandRequest
from engine.agents.codex import command
from engine.config.paths import Paths
from engine.config.settings import Config, McpSettings
from engine.domain.model import Run


def settings(paths: Paths, config: Config) -> list[str]:
    run = Run("abc123", spec(), 0.0)
    folder = paths.attempt(run.id, 1)
    request = CommandRequest(run, config, paths, folder, None, {}, {}, {})
    return [one for one in command.all_settings(request, paths.home) if "mcp_servers" in one]


def test_codex_gets_no_server_unless_the_settings_ask_for_it(paths: Paths):
    assert settings(paths, Config()) == []


def test_server_takes_nothing_from_the_workspace(paths: Paths):
    (one,) = settings(paths, Config(mcp=McpSettings(agents=True)))
    table = tomllib.loads(one)["mcp_servers"]["swarm-tui"]
    assert Path(table["command"]).is_absolute() and table["required"]
    flags, program, *words = table["args"][:2], table["args"][2], *table["args"][3:]
    assert flags == ["-E", "-P"] and Path(program).is_file()
    assert words == ["mcp", "--parent", "abc123"]
    assert table["env"] == {"SWARM_HOME": str(paths.home), "SWARM_CONFIG": str(paths.config)}


def test_missing_extra_is_named_before_codex_starts(paths: Paths, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("engine.agents.codex.own_server.find_spec", lambda _: None)
    with pytest.raises(Exception, match="not installed"):
        settings(paths, Config(mcp=McpSettings(agents=True)))

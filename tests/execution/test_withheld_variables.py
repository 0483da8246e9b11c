"""Variables that hold secrets, and our own, reach no program that runs in a workspace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support import fake_codex, played, spec, supervising

from engine.agents.base import CommandRequest
from engine.agents.codex.settings import CodexSettings
from engine.agents.registry import agent_of
from engine.config.paths import Paths
from engine.config.settings import (
    Config,
    Url,
    WebhookName,
    WebhookSettings,
    WorkspaceSettings,
)
from engine.domain.model import Agent, Run, WorkspaceKind, WorkspaceSpec
from engine.system import programs
from engine.system.environment import own_environment
from engine.workspaces.git.git import Git

RECEIVERS, PROVIDERS = "hook-secret-1", "provider-secret-1"
PLAYED = """env > {}/agent.env
echo '{{"type":"turn.completed","usage":{{}}}}'"""
PROVIDER = {"model_providers": {"corp": {"env_key": "CORP_MODEL_KEY"}}}


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, object]:
    monkeypatch.setenv("CI_HOOK_SECRET", RECEIVERS)
    monkeypatch.setenv("CORP_MODEL_KEY", PROVIDERS)
    monkeypatch.setenv("SWARM_CODEX", "/nowhere/codex")
    monkeypatch.setenv("OTHER", "passes")
    hook = WebhookSettings(
        WebhookName("ci"), Url("http://127.0.0.1:1/"), secret_env="CI_HOOK_SECRET"
    )
    return {
        "webhooks": (hook,),
        "codex": CodexSettings(config=PROVIDER),
        "workspace": WorkspaceSettings(setup=(f"env > {tmp_path}/set-up.env",)),
    }


def _names(file: Path) -> set[str]:
    return {line.partition("=")[0] for line in file.read_text().splitlines()}


async def test_agent_set_up_and_check_get_no_secret(
    paths: Paths, tmp_path: Path, settings: dict[str, object]
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    async with supervising(paths, **settings) as engine:
        run = await played(
            engine,
            agent=Agent.CODEX,
            codex_bin=fake_codex(tmp_path, PLAYED.format(tmp_path)),
            workspace=WorkspaceSpec(WorkspaceKind.COPY, str(source)),
            verify=f"env > {tmp_path}/verify.env",
        )
    assert run.error is None
    for name in ("agent", "set-up", "verify"):
        file = tmp_path / f"{name}.env"
        names = _names(file)
        assert "OTHER" in names
        assert names.isdisjoint({"SWARM_HOME", "SWARM_CONFIG", "SWARM_CODEX", "CI_HOOK_SECRET"})
        assert RECEIVERS not in file.read_text()
        assert ("CORP_MODEL_KEY" in names) == (name == "agent")  # Codex itself reads it


async def test_editor_shell_and_git_get_no_secret(
    paths: Paths, tmp_path: Path, settings: dict[str, object]
) -> None:
    Config(**settings)  # pyright: ignore[reportArgumentType]  values come by name
    dump = tmp_path / "git"
    dump.write_text(f"#!/bin/sh\nenv > {tmp_path}/git.env\n")
    dump.chmod(0o755)
    await programs.lend_terminal(["/bin/sh", "-c", f"env > {tmp_path}/lent.env"], tmp_path)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        await Git(tmp_path).ask("version")
    for name in ("lent", "git"):
        text = (tmp_path / f"{name}.env").read_text()
        assert not any(secret in text for secret in (RECEIVERS, PROVIDERS, str(paths.home)))


def test_the_supervisor_in_the_background_gets_them(settings: dict[str, object]) -> None:
    Config(**settings)  # pyright: ignore[reportArgumentType]  values come by name
    found = own_environment()
    assert found["CI_HOOK_SECRET"] == RECEIVERS
    assert "SWARM_HOME" in found


def test_a_secret_of_a_provider_is_in_no_argument(
    paths: Paths, tmp_path: Path, settings: dict[str, object]
) -> None:
    config = Config(**settings)  # pyright: ignore[reportArgumentType]  values come by name
    wish = spec(agent=Agent.CODEX, codex_bin=fake_codex(tmp_path, ""))
    folder = paths.attempt("abc", 1)
    request = CommandRequest(
        Run("abc", wish, 0.0), config, paths, folder, None, dict(os.environ), {}, {}
    )
    what = agent_of(wish.agent).command(request)
    assert what.env["CORP_MODEL_KEY"] == PROVIDERS
    assert not any(PROVIDERS in word for word in what.argv)
    assert 'shell_environment_policy.set.CORP_MODEL_KEY=""' in what.argv

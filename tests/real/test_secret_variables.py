"""A key that a model provider's settings name reaches Codex, and no command of its agent."""

from __future__ import annotations

import pytest
from house import House, bodies, carried, task
from loopback import LoopbackServer, command, message

from engine.agents.codex.settings import CodexSettings
from engine.domain.events import Step

KEY = "corp-key-0123"


@pytest.mark.parametrize("policy", ["", 'shell_environment_policy={inherit="all",set={A="b"}}'])
async def test_a_providers_key_reaches_codex_only(
    house: House, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    monkeypatch.setenv("CORP_MODEL_KEY", KEY)
    codex = CodexSettings(config={"model_providers.loopback.env_key": "CORP_MODEL_KEY"})
    steps = [command("echo key=$CORP_MODEL_KEY; env | grep -c corp-key"), message("done")]
    wish = task(server.script("key", steps), codex_config=(policy,) if policy else ())
    async with house.engine(codex=codex) as engine:
        run = await carried(engine, wish)
        told = await bodies(engine, run)
    assert run.error is None
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    (said,) = [body.output for body in told if isinstance(body, Step) and body.output]
    assert said == "key=\n0\n"

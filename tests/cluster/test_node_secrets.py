"""Secrets of a run on a node: what is sent, who can read it there, and what is left in the end."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_channel import FakeChannel
from support import fake_codex, quick, script, spec, until

from engine.agents.codex.settings import CodexSettings
from engine.config.paths import Paths
from engine.config.settings import Url, WebhookName, WebhookSettings
from engine.domain.model import ANY_NODE, Agent, Run, Status, WorkspaceKind, WorkspaceSpec
from engine.engine import Engine
from engine.execution.cluster.channel import LARGEST_BYTES
from engine.execution.cluster.cluster import Cluster
from engine.execution.cluster.messages import Envelope, StartAgent, StartCommands
from engine.execution.cluster.node.service import NodeService
from engine.system.decoding import msgpack_decoder

OF_USER = {
    "CI_HOOK_SECRET": "secret-of-a-receiver",
    "GH_TOKEN": "secret-of-github",
    "AWS_SECRET_ACCESS_KEY": "secret-of-a-cloud",
    "OPENAI_API_KEY": "secret-of-another-provider",
    "SSH_AUTH_SOCK": "/secret/agent-socket",
    "SSH_CONNECTION": "secret-connection",
    "XDG_CONFIG_HOME": "/secret/config",
    "LD_LIBRARY_PATH": "/secret/libraries",
}
NEEDED = "secret-of-the-model-provider"
NAMED = "secret-named-for-the-run"
PROVIDER = {"model_providers": {"corp": {"env_key": "CORP_MODEL_KEY"}}}
PLAYED = """env > agent.env
echo '{"type":"turn.completed","usage":{}}'"""


class ReadChannel(FakeChannel):
    """A channel that keeps all that is sent."""

    sent: list[bytes]

    async def call(
        self, node: str, message: bytes, limit_s: float, limit_bytes: int = LARGEST_BYTES
    ) -> bytes:
        """Return a node's answer to a message."""
        self.sent.append(message)
        return await super().call(node, message, limit_s, limit_bytes)

    def starts(self) -> list[StartAgent | StartCommands]:
        """Return the messages that start something."""
        kinds = {kind.kind_name(): kind for kind in (StartAgent, StartCommands)}
        envelopes = [msgpack_decoder(Envelope)(message) for message in self.sent]
        return [
            msgpack_decoder(kinds[one.name])(bytes(one.body))
            for one in envelopes
            if one.name in kinds
        ]


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[ReadChannel]:
    """A channel to a node with a Codex of its own, which writes down its environment."""
    (tmp_path / "node").mkdir()
    program = fake_codex(tmp_path, PLAYED)
    (tmp_path / "node.yaml").write_text(json.dumps({"codex": {"bin": program}}))
    made = ReadChannel(
        {"one": NodeService(tmp_path / "node", "one", 2, config=tmp_path / "node.yaml")}
    )
    made.sent = []
    yield made
    made.close_nodes()


@asynccontextmanager
async def supervised(paths: Paths, channel: FakeChannel, **more: Any) -> AsyncGenerator[Engine]:
    cluster = Cluster(paths, channel)
    async with Engine.open(paths, quick(**more), supervise=True, cluster=cluster) as engine:
        yield engine
    await cluster.close()


async def over(engine: Engine, **more: Any) -> Run:
    run = await engine.start(spec(on=ANY_NODE, **more))
    await until(engine, lambda: engine.view.runs[run.id].finished_at)
    return engine.view.runs[run.id]


async def test_only_what_was_named_for_a_run_and_what_its_agent_needs_is_sent(
    paths: Paths, tmp_path: Path, channel: ReadChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = WebhookSettings(
        WebhookName("ci"), Url("http://127.0.0.1:1/"), secret_env="CI_HOOK_SECRET"
    )
    settings = {"webhooks": (hook,), "codex": CodexSettings(config=PROVIDER)}
    source = tmp_path / "source"
    source.mkdir()
    wish = WorkspaceSpec(WorkspaceKind.COPY, str(source))
    async with supervised(paths, channel, **settings) as engine:
        with monkeypatch.context() as here:  # of the user, not of the node
            for name, value in {**OF_USER, "CORP_MODEL_KEY": NEEDED}.items():
                here.setenv(name, value)
            run = await over(
                engine, agent=Agent.CODEX, workspace=wish, env={"NAMED": NAMED}, verify="env"
            )
    assert run.status is Status.SUCCEEDED, run.error
    for message in channel.sent:
        assert not [name for name, value in OF_USER.items() if value.encode() in message]
    for start in channel.starts():
        names = {*start.base, *(start.env if isinstance(start, StartAgent) else ())}
        assert names.isdisjoint({"PATH", "HOME", "USER", "SHELL", "PWD", "LOGNAME", *OF_USER})
        assert {"NAMED", "SWARM_RUN"} <= names
        assert ("CORP_MODEL_KEY" in names) == isinstance(start, StartAgent)
    assert {type(start) for start in channel.starts()} == {StartAgent, StartCommands}
    assert run.workspace
    had = Path(run.workspace.path, "agent.env").read_text()
    assert f"CORP_MODEL_KEY={NEEDED}\n" in had and f"NAMED={NAMED}\n" in had
    assert f"PATH={os.environ['PATH']}\n" in had


def holding(folder: Path, secret: str) -> list[Path]:
    """Return the files below a folder that hold a secret; threads are the agent's own files."""
    found = (path for path in folder.rglob("*") if "sessions" not in path.parts)
    files = [path for path in found if path.is_file() and not path.is_symlink()]
    return [path for path in files if secret.encode() in path.read_bytes()]


async def test_files_of_a_run_are_private_on_the_node_and_gone_with_it(
    paths: Paths, channel: ReadChannel
) -> None:
    root = channel.nodes["one"].root
    lines = ("say said-in-the-prompt", "write left.txt made-by-the-agent")
    async with supervised(paths, channel) as engine:
        run = await over(engine, env={"NAMED": NAMED}, verify="echo $NAMED")
        other = await engine.start(spec(*lines, on=ANY_NODE))
        await until(engine, lambda: engine.view.runs[other.id].finished_at)
        for secret in (NAMED, "said-in-the-prompt", "made-by-the-agent"):
            for path in holding(root, secret):
                inside = [up for up in path.parents if up.is_relative_to(root)]
                modes = [stat.S_IMODE(up.stat().st_mode) for up in (path, *inside)]
                assert any(mode & 0o077 == 0 for mode in modes), path
        assert holding(root, "said-in-the-prompt")
        for one in (run, other):
            await engine.forgetting.forget([one.id], including_unsaved=True)
        assert not engine.view.runs
    for secret in (NAMED, script(*lines), "made-by-the-agent"):
        assert not holding(root, secret)
    assert not [path for path in root.rglob("*") if run.id in path.name or other.id in path.name]

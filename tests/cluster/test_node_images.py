"""Images of a run on a node: its agent gets them as files there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_channel import FakeChannel
from node_calls import REF, ask
from support import fake_codex, quick, spec, until

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.model import ANY_NODE, Agent, Status
from engine.engine import Engine
from engine.execution.cluster.cluster import Cluster
from engine.execution.cluster.messages import WriteInput
from engine.execution.cluster.node.service import NodeService

LOOKS = """for word; do
case "$word" in --image=*) cat "${word#--image=}" >>seen;; esac
done
echo '{"type":"turn.completed","usage":{}}'"""


async def test_agent_on_a_node_gets_the_images_of_its_run(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    program = fake_codex(tmp_path, LOOKS)
    (tmp_path / "node.yaml").write_text(json.dumps({"codex": {"bin": program}}))
    node = NodeService(tmp_path / "node", "one", 2, config=tmp_path / "node.yaml")
    channel = FakeChannel({"one": node})
    images = (tmp_path / "first.png", tmp_path / "second shot")
    for image in images:
        image.write_bytes(f"image {image.name}\n".encode())
    cluster = Cluster(paths, channel)
    async with Engine.open(paths, quick(), supervise=True, cluster=cluster) as engine:
        asked = spec(on=ANY_NODE, agent=Agent.CODEX, images=tuple(map(str, images)))
        run = await engine.start(asked)
        await until(engine, lambda: engine.view.runs[run.id].finished_at)
        ended = engine.view.runs[run.id]
        assert ended.status is Status.SUCCEEDED, ended.error
        assert ended.workspace
        seen = Path(ended.workspace.path, "seen").read_bytes()
    assert seen == b"image first.png\nimage second shot\n"
    await cluster.close()
    channel.close_nodes()


@pytest.mark.parametrize("name", ["image-0.png", "image-1./x", "image-1/../x", "image-", "x"])
async def test_only_names_of_images_are_written(
    channel: FakeChannel, tmp_path: Path, name: str
) -> None:
    with pytest.raises(UserError, match="does not know this input"):
        await ask(channel, WriteInput(ref=REF, input=name, content=b"x"))
    assert not [*tmp_path.rglob("image-*"), *tmp_path.rglob("x")]

"""Record examples of the API's answers: `make api-examples` writes tui/cli/api/examples.json.

They come from a home with simulated runs, so each recording has other ids and times: it is not
part of `make docs`.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from httpx import ASGITransport, AsyncClient

from engine.config.paths import Paths
from engine.config.settings import Config
from engine.domain.model import Agent, Run, RunSpec, Status, WorkspaceKind, WorkspaceSpec
from engine.domain.node import ClusterSummary, NodeCondition, NodeMachine, NodeSummary
from engine.domain.node_json import cluster_json
from engine.engine import Engine
from tui.cli.api import application
from tui.cli.api.context import ApiContext
from tui.cli.api.description import EXAMPLES

ROOT = Path(__file__).parents[1]
HOME, PROGRAM = "/home/me", "/home/me/swarm-tui"
PROMPT = "Add a test for the parser\nsim: write test_parser.py '1 + 1'\nsim: say Done."
MOST_ITEMS = 2
"""Items of a list in an example."""


async def record(folder: Path) -> dict[str, Any]:
    """Return an example of each shape that an operation without a request body answers."""
    source = _repository(folder / "shop")
    home = folder / ".local/share/swarm-tui"
    async with Engine.open(Paths(home, folder / "config.yaml"), Config(), supervise=True) as engine:
        workspace = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
        spec = RunSpec(PROMPT, "Add a test", "shop", Agent.SIMULATED, workspace=workspace)
        run = await engine.start(spec)
        await engine.settle()
        app: Any = application.application(ApiContext(engine))
        transport = ASGITransport(app)
        async with AsyncClient(transport=transport, base_url="http://localhost") as client:
            found: dict[str, Any] = {}
            for path, name, is_list in _answers(application.document()):
                answer = await client.get(path.replace("{run}", run.id))
                if answer.is_success and (value := answer.json()):
                    found.setdefault(f"{name}Json", value[0] if is_list else value)
    found["ClusterJson"] = cluster_json(_cluster(run))
    text = json.dumps(_shortened(found)).replace(str(folder), HOME).replace(str(ROOT), PROGRAM)
    return json.loads(text)


def _cluster(run: Run) -> ClusterSummary:
    """Return a cluster as it answers; an example needs no other machine."""
    gib = 1024**3
    machine = NodeMachine(
        seen_at=run.created_at,
        slots=8,
        free_slots=7,
        load=1.5,
        processors=8,
        memory_bytes=12 * gib,
        disk_bytes=84 * gib,
        version="0.1.0",
        agent_version="0.171.0",
        login="ok",
    )
    there = (replace(run, status=Status.RUNNING),)
    node = NodeSummary("n1", NodeCondition.READY, machine=machine, runs=there)
    return ClusterSummary("tls://192.0.2.7:8786", (node,), run.created_at)


def _answers(document: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Yield path, name of the shape, and whether it is a list, of operations that can be called."""
    for path, item in document["paths"].items():
        operation = item.get("get")
        if operation is None or path.replace("{run}", "").count("{"):
            continue
        if any(one["required"] and one["in"] != "path" for one in operation.get("parameters", ())):
            continue
        content = operation["responses"]["200"].get("content", {}).get("application/json", {})
        schema = content.get("schema", {})
        is_list = schema.get("type") == "array"
        reference = (schema["items"] if is_list else schema).get("$ref", "")
        if reference:
            yield path, reference.rpartition("/")[2], is_list


def _shortened(value: Any) -> Any:  # noqa: ANN401  any JSON
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {key: _shortened(one) for key, one in items}
    if isinstance(value, list):
        return [_shortened(one) for one in cast("list[Any]", value)[:MOST_ITEMS]]
    return value


def _repository(folder: Path) -> Path:
    folder.mkdir()
    (folder / "parser.py").write_text("def parse(): ...\n")
    me = ["-c", "user.name=me", "-c", "user.email=me@localhost"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "Add a parser"]):
        subprocess.run(["git", *me, *words], cwd=folder, check=True)
    return folder


def main() -> None:
    """Record the examples."""
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(record(Path(folder)))
    EXAMPLES.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()

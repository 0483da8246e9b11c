"""Files that rows of a batch name over HTTP and MCP: the folder of the server means nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient
from mcp_clients import ToolFailed, tools_of

from engine.engine import Engine

QUICK: dict[str, Any] = {"empty": True, "agent": "simulated", "prompt": "sim: say hello"}
STEP = "steps:\n- {{name: a, prompt: 'sim: say a', {}}}\n"
NAMES = ("output_schema", "images", "add_dirs")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder of the server in which the named file and folder exist."""
    (tmp_path / "common").mkdir()
    (tmp_path / "schema.json").write_text('{"type": "object"}')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(tmp_path))
    return tmp_path


def name_of(column: str) -> str:
    return "common" if column == "add_dirs" else "schema.json"


def sources(column: str, name: str) -> list[dict[str, Any]]:
    value = name if column == "output_schema" else f"[{name}]"
    return [
        {"rows": [{"a": "b"}, {column: name}]},
        {"csv": f"{column}\n{name}\n"},
        {"yaml": f"- {{{column}: {name}}}\n"},
        {"yaml": STEP.format(f"{column}: {value}"), "prompt": ""},
        {"matrix": {column: [name]}},
    ]


@pytest.mark.parametrize("column", NAMES)
async def test_relative_path_is_refused_and_nothing_is_started(
    engine: Engine, client: AsyncClient, column: str
) -> None:
    for source in sources(column, name_of(column)):
        answer = await client.post("/v1/batches", json={**QUICK, **source})
        assert (answer.status_code, answer.json()["code"]) == (400, "BATCH_INVALID"), answer.text
        assert "must be absolute" in answer.json()["detail"]
        assert f"`{column}`" in answer.json()["detail"]
    assert not await engine.runs()


@pytest.mark.parametrize("column", NAMES)
async def test_absolute_path_is_used(client: AsyncClient, here: Path, column: str) -> None:
    for source in sources(column, str(here / name_of(column))):
        answer = await client.post("/v1/batches", json={**QUICK, **source, "dry_run": True})
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("column", NAMES)
async def test_relative_path_is_refused_over_mcp(engine: Engine, column: str) -> None:
    async with asyncio.timeout(60), tools_of(engine) as tools:
        with pytest.raises(ToolFailed) as caught:
            matrix = {column: [name_of(column)]}
            await tools.call("start_batch", prompt="do it", empty=True, matrix=matrix)
    assert caught.value.code == "BATCH_INVALID"
    assert "must be absolute" in str(caught.value)

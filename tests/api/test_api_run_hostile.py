"""Texts that no user means, in every key of the requests for runs: refused, or taken as texts."""

from __future__ import annotations

from typing import Any

import pytest
from httpx import AsyncClient
from support import played

from engine.domain.model import Pause
from engine.engine import Engine

TEXTS = ("/a\0b", "~nobody/x", "/" + "a" * 5000, "-\x1b[2J\u202e")
KEYS = (
    *("prompt", "template", "title", "project", "cwd", "model", "timeout", "verify", "budget"),
    *("verify_limit", "at", "learn_from", "account", "codex_bin", "output_schema"),
    *("worktree", "copy", "from_run", "in_place"),
)
LISTS = ("images", "add_dirs", "after", "codex_config")


async def test_start(engine: Engine, client: AsyncClient) -> None:
    await engine.set_pause(Pause("a test"))
    bodies: list[dict[str, Any]] = []
    for text in TEXTS:
        bodies += [{key: text} for key in KEYS]
        bodies += [{key: [text, f"a={text}"]} for key in LISTS]
        bodies += [{"env": {text: "x"}}, {"env": {"A": text}}]
    for body in bodies:
        empty = not {"worktree", "copy", "from_run", "in_place"} & body.keys()
        whole = {"prompt": "x", "agent": "simulated", "empty": empty, **body}
        answer = await client.post("/v1/runs", json=whole)
        assert answer.status_code < 500, (body, answer.text)
    await client.post("/v1/cancel", json={"all": True})


async def test_actions(engine: Engine, client: AsyncClient) -> None:
    run = (await played(engine)).id
    await engine.set_pause(Pause("a test"))
    for text in TEXTS:
        for path, body in (
            ("retry", {"prompt": text}),
            ("resume", {"message": text}),
            ("fork", {"prompt": text}),
            ("messages", {"text": text}),
            ("interrupt", {"message": text}),
            ("tags", {"add": [text], "remove": [text]}),
        ):
            answer = await client.post(f"/v1/runs/{run}/{path}", json=body)
            assert answer.status_code < 500, (path, body, answer.text)
            await client.post("/v1/cancel", json={"all": True})
        for path in ("cancel", "retry", "dismiss"):
            answer = await client.post(f"/v1/{path}", json={"runs": [text]})
            assert answer.status_code in (400, 404), (path, text)


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000 + "]" * 100_000,
        '{"prompt":' + "[" * 100_000,
        '{"params":' * 20_000 + "1" + "}" * 20_000,
    ],
    ids=["lists", "unclosed", "objects"],
)
@pytest.mark.parametrize("path", ["runs", "batches", "cleanup/plan", "templates/check", "patterns"])
async def test_nested_too_deep(client: AsyncClient, path: str, body: str) -> None:
    """The decoder's own limit is a mistake of the client, not of the server."""
    headers = {"Content-Type": "application/json"}
    answer = await client.post(f"/v1/{path}", content=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == "INPUT_INVALID"
    assert "nested too deep" in answer.json()["detail"]
